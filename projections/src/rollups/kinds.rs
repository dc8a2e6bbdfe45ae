//! The kinds of rollups, with what their dimensions are. What is not said of a dimension is empty.

use crate::models::Attribution;

/// Customers, on the day of their first event.
pub const CUSTOMERS_NEW: &str = "customer.new";

/// Orders, on the day they were placed; by currency.
pub const ORDERS: &str = "revenue.orders";
/// What orders came to, in minor units, on the day they were placed; by currency.
pub const GROSS: &str = "revenue.gross";
/// Refunds of orders, on the day they were made; by currency.
pub const REFUNDS: &str = "revenue.refunds";
/// What was given back of orders, in minor units, on the day it was; by currency.
pub const REFUNDED: &str = "revenue.refunded";

/// Messages of customers, on the day they were exchanged; by channel (subject) and agent (item).
pub const MESSAGES_IN: &str = "conversation.in";
/// Messages to customers; as [`MESSAGES_IN`].
pub const MESSAGES_OUT: &str = "conversation.out";
/// Messages with a sentiment; as [`MESSAGES_IN`].
pub const MESSAGES_RATED: &str = "conversation.rated";
/// Their sentiments together, in thousandths; as [`MESSAGES_IN`].
pub const SENTIMENT: &str = "conversation.sentiment";
/// Answers by how long they took: the number of the bucket (detail); else as [`MESSAGES_IN`].
pub const RESPONSES: &str = "conversation.response";
/// Messages by what the customer wanted (detail); else as [`MESSAGES_IN`].
pub const INTENTS: &str = "conversation.intent";
/// Conversations closed, by agent (item) and by how they ended (detail). No channel is known of.
pub const OUTCOMES: &str = "conversation.outcome";

/// Touches of a campaign (item) by a channel (detail), on the day of the touch.
pub const TOUCHES: &str = "campaign.touches";
/// What they cost, in minor units; by currency, else as [`TOUCHES`].
pub const COST: &str = "campaign.cost";

/// What of orders is owed to a campaign (item) by a channel (detail) as this model has it, in minor
/// units, on the day of the order; by currency.
pub fn credit(model: Attribution) -> &'static str {
    match model {
        Attribution::First => "campaign.credit.first",
        Attribution::Last => "campaign.credit.last",
        Attribution::Linear => "campaign.credit.linear",
        Attribution::PositionBased => "campaign.credit.position_based",
    }
}

/// Entries of a segment (subject), on the day they took effect.
pub const SEGMENT_ENTERED: &str = "segment.entered";
/// Exits of a segment (subject), on the day they took effect.
pub const SEGMENT_LEFT: &str = "segment.left";
/// Moves into a stage (item) of a journey (subject), on the day they took effect.
pub const STAGE_ENTERED: &str = "stage.entered";
/// Moves out of a stage (item) of a journey (subject), on the day they took effect.
pub const STAGE_LEFT: &str = "stage.left";
/// Moves into a band (item) of a score (subject: `churn`), on the day they took effect.
pub const BAND_ENTERED: &str = "band.entered";
/// Moves out of a band (item) of a score (subject: `churn`), on the day they took effect.
pub const BAND_LEFT: &str = "band.left";

/// Moves within a journey (subject) from a stage (item; empty: into the journey) to another (detail), on
/// the day of the move.
pub const JOURNEY_FLOW: &str = "journey.flow";
/// Stays in a stage of a journey (subject) that are over: from which stage to which (item: `from>to`), by
/// the [bucket](crate::buckets) of how many seconds they took (detail). Of all days together, on day 0.
pub const JOURNEY_STAY: &str = "journey.stay";
/// Customers who ever entered a stage (item) of a journey (subject), on the day they first did.
pub const JOURNEY_ENTERED: &str = "journey.entered";
/// Of [`JOURNEY_ENTERED`], those who entered a later stage after that.
pub const JOURNEY_ADVANCED: &str = "journey.advanced";
/// Of [`JOURNEY_ENTERED`], those who entered the last stage after that.
pub const JOURNEY_COMPLETED: &str = "journey.completed";
