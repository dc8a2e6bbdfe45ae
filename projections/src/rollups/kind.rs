//! The kinds of rollups. Each variant documents its dimensions: subject, item and detail. A dimension
//! that is not named is empty.

use crate::models::Attribution;

/// A kind of rollup, by what it follows from. Kinds sort as their names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RollupKind {
    /// The number of customers that entered or left a band (item) of a score (subject: `churn`), on
    /// the day it took effect.
    Band(Crossing),
    /// Touches of campaigns, and the order value credited to them.
    Campaign(CampaignRollup),
    /// Messages and closed conversations.
    Conversation(ConversationRollup),
    /// The number of new customers, on the day of their first event.
    CustomersNew,
    /// Paths through a journey (subject).
    Journey(JourneyRollup),
    /// Orders and refunds, by currency.
    Revenue(RevenueRollup),
    /// The number of customers that entered or left a segment (subject), on the day it took effect.
    Segment(Crossing),
    /// The number of customers that entered or left a stage (item) of a journey (subject), on the day
    /// it took effect.
    Stage(Crossing),
}

/// Rollups of orders and refunds, by currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevenueRollup {
    /// The total of orders in minor units, on the day they were placed.
    Gross,
    /// The number of orders, on the day they were placed.
    Orders,
    /// The total of refunds in minor units, on the day they were made.
    Refunded,
    /// The number of refunds, on the day they were made.
    Refunds,
}

/// Rollups of conversations, on the day of the message or of the close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationRollup {
    /// The number of messages from customers, by channel (subject) and agent (item).
    MessagesIn,
    /// The number of messages, by channel (subject), agent (item) and intent (detail).
    Intents,
    /// The number of messages to customers, by channel (subject) and agent (item).
    MessagesOut,
    /// The number of conversations closed, by agent (item) and outcome (detail).
    Outcomes,
    /// The number of messages with a sentiment, by channel (subject) and agent (item).
    MessagesRated,
    /// The number of replies, by channel (subject), agent (item) and
    /// [bucket](crate::state::conversations::Histogram) of the response time (detail).
    Responses,
    /// The sum of sentiments in thousandths, by channel (subject) and agent (item).
    Sentiment,
}

/// Rollups of campaigns: by campaign (item) and channel (detail).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CampaignRollup {
    /// The cost of touches in minor units, on the day of the touch; by currency.
    Cost,
    /// The order value credited under a model of attribution in minor units, on the day of the
    /// order; by currency.
    Credit(Attribution),
    /// The number of touches, on the day of the touch.
    Touches,
}

/// The direction of a change of a discrete output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crossing {
    /// The value is entered.
    Entered,
    /// The value is left.
    Left,
}

/// Rollups of the paths through a journey (subject).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JourneyRollup {
    /// The number of customers of [`Self::Entered`] that entered a later stage afterwards.
    Advanced,
    /// The number of customers of [`Self::Entered`] that entered the last stage afterwards.
    Completed,
    /// The number of customers that ever entered a stage (item), on the day of the first entry.
    Entered,
    /// The number of moves from a stage (item; empty: into the journey) to another (detail), on the
    /// day of the move.
    Flow,
    /// The number of completed stays, by the stages left and entered (item: `from>to`) and the
    /// [bucket](crate::buckets) of the dwell time in seconds (detail). Of all days together, on day 0.
    Stay,
}

impl RollupKind {
    /// Returns every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        let bands = Crossing::ALL.map(Self::Band).into_iter();
        bands
            .chain(CampaignRollup::ALL.map(Self::Campaign))
            .chain(ConversationRollup::ALL.map(Self::Conversation))
            .chain([Self::CustomersNew])
            .chain(JourneyRollup::ALL.map(Self::Journey))
            .chain(RevenueRollup::ALL.map(Self::Revenue))
            .chain(Crossing::ALL.map(Self::Segment))
            .chain(Crossing::ALL.map(Self::Stage))
    }

    /// Returns the stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CustomersNew => "customer.new",
            Self::Revenue(RevenueRollup::Orders) => "revenue.orders",
            Self::Revenue(RevenueRollup::Gross) => "revenue.gross",
            Self::Revenue(RevenueRollup::Refunds) => "revenue.refunds",
            Self::Revenue(RevenueRollup::Refunded) => "revenue.refunded",
            Self::Conversation(ConversationRollup::MessagesIn) => "conversation.in",
            Self::Conversation(ConversationRollup::MessagesOut) => "conversation.out",
            Self::Conversation(ConversationRollup::MessagesRated) => "conversation.rated",
            Self::Conversation(ConversationRollup::Sentiment) => "conversation.sentiment",
            Self::Conversation(ConversationRollup::Responses) => "conversation.response",
            Self::Conversation(ConversationRollup::Intents) => "conversation.intent",
            Self::Conversation(ConversationRollup::Outcomes) => "conversation.outcome",
            Self::Campaign(CampaignRollup::Touches) => "campaign.touches",
            Self::Campaign(CampaignRollup::Cost) => "campaign.cost",
            Self::Campaign(CampaignRollup::Credit(model)) => match model {
                Attribution::First => "campaign.credit.first",
                Attribution::Last => "campaign.credit.last",
                Attribution::Linear => "campaign.credit.linear",
                Attribution::PositionBased => "campaign.credit.position_based",
            },
            Self::Segment(Crossing::Entered) => "segment.entered",
            Self::Segment(Crossing::Left) => "segment.left",
            Self::Stage(Crossing::Entered) => "stage.entered",
            Self::Stage(Crossing::Left) => "stage.left",
            Self::Band(Crossing::Entered) => "band.entered",
            Self::Band(Crossing::Left) => "band.left",
            Self::Journey(JourneyRollup::Flow) => "journey.flow",
            Self::Journey(JourneyRollup::Stay) => "journey.stay",
            Self::Journey(JourneyRollup::Entered) => "journey.entered",
            Self::Journey(JourneyRollup::Advanced) => "journey.advanced",
            Self::Journey(JourneyRollup::Completed) => "journey.completed",
        }
    }

    /// Returns the kind of a stored name; `None` if there is no such kind.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.name() == name)
    }
}

impl RevenueRollup {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Gross, Self::Orders, Self::Refunded, Self::Refunds];
}

impl ConversationRollup {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::MessagesIn,
        Self::Intents,
        Self::MessagesOut,
        Self::Outcomes,
        Self::MessagesRated,
        Self::Responses,
        Self::Sentiment,
    ];
}

impl CampaignRollup {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Cost,
        Self::Credit(Attribution::First),
        Self::Credit(Attribution::Last),
        Self::Credit(Attribution::Linear),
        Self::Credit(Attribution::PositionBased),
        Self::Touches,
    ];
}

impl Crossing {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Entered, Self::Left];
}

impl JourneyRollup {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Advanced,
        Self::Completed,
        Self::Entered,
        Self::Flow,
        Self::Stay,
    ];
}

#[cfg(test)]
mod tests {
    use super::RollupKind;

    #[test]
    fn kinds_are_found_by_their_names_and_sort_as_those_do() {
        let kinds: Vec<RollupKind> = RollupKind::all().collect();
        for kind in &kinds {
            assert_eq!(RollupKind::from_name(kind.name()), Some(*kind));
        }
        assert!(kinds.is_sorted_by(|left, right| left < right));
        assert!(kinds.is_sorted_by_key(|kind| kind.name()));
        assert_eq!(RollupKind::from_name("revenue"), None);
    }
}
