//! The segments that an event can touch: those with a condition on something that the event changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemark_schemas::Payload;

use super::expression::{Expression, RecordCondition, ScoreCondition, TrackedLeaf};
use super::{Action, Journey, Segment, TenantDefinitions};
use crate::state::LeafId;

/// A part of a customer that conditions read and events change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Attribute(Arc<str>),
    Activity(Arc<str>),
    /// The position in a journey.
    Stages(Arc<str>),
    /// The orders, and the predictions from them.
    Orders,
    Subscriptions,
    Tickets,
    Campaigns,
    Offers,
    Consents,
    Conversations,
}

/// The segments by what they read.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// Their places, in order.
    of: BTreeMap<Part, Vec<usize>>,
    /// The indexes of the segments that each segment refers to, also through the stages of journeys.
    referred_to: Vec<Vec<usize>>,
}

/// The outputs that an event can change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TouchedOutputs {
    /// Places of segments, in order.
    pub(crate) segments: Vec<usize>,
    /// Whether positions in journeys can change.
    pub(crate) stages: bool,
    /// Whether predictions from orders and subscriptions can change.
    pub(crate) scores: bool,
    /// Whether offers can change.
    pub(crate) offers: bool,
}

impl Readers {
    /// Builds the index for segments in evaluation order.
    pub(crate) fn new(
        segments: &[Segment],
        journeys: &BTreeMap<Arc<str>, Journey>,
        tracked: &BTreeMap<LeafId, TrackedLeaf>,
    ) -> Self {
        let mut read: Vec<BTreeSet<Part>> = Vec::with_capacity(segments.len());
        let mut readers = Self::default();
        for segment in segments {
            let mut parts = BTreeSet::new();
            let mut referred_to = Vec::new();
            segment.expression.each(&mut |condition| {
                let others = condition.refers_to().map(|other| other.index);
                let journey = condition.journey().and_then(|name| journeys.get(name));
                let entering = journey.into_iter().flat_map(|of| &of.entered_by);
                for other in others.into_iter().chain(entering.map(|(_, place)| *place)) {
                    referred_to.push(other);
                    // Whatever moves the other one.
                    parts.extend(read.get(other).into_iter().flatten().cloned());
                }
                parts_of(condition, tracked, &mut parts);
            });
            read.push(parts);
            readers.referred_to.push(referred_to);
        }
        for (place, parts) in read.into_iter().enumerate() {
            for part in parts {
                readers.of.entry(part).or_default().push(place);
            }
        }
        readers
    }

    fn reading(&self, part: &Part) -> &[usize] {
        self.of.get(part).map_or(&[], Vec::as_slice)
    }
}

/// Returns the part that a leaf reads; nested conditions are visited separately.
fn parts_of(
    condition: &Expression,
    tracked: &BTreeMap<LeafId, TrackedLeaf>,
    parts: &mut BTreeSet<Part>,
) {
    match condition {
        Expression::All(_)
        | Expression::Any(_)
        | Expression::Not(_)
        | Expression::Segment(_)
        | Expression::MemberFor(_)
        // The id of a customer never changes.
        | Expression::Bucket(_)
        | Expression::Manual(_) => {}
        Expression::Attribute(of) => {
            parts.insert(Part::Attribute(Arc::clone(&of.name)));
        }
        Expression::Event(of) => {
            parts.insert(Part::Activity(Arc::clone(&of.name)));
        }
        Expression::Regularly(of) => {
            parts.insert(Part::Activity(Arc::clone(&of.name)));
        }
        Expression::Restarted(of) => {
            parts.insert(Part::Activity(Arc::clone(&of.name)));
        }
        Expression::Sequence(of) => {
            if let Some(TrackedLeaf::Sequence(rule)) = tracked.get(&of.tracked) {
                let names = rule.steps.iter().map(|step| Arc::clone(&step.name));
                parts.extend(names.map(Part::Activity));
            }
        }
        Expression::Stage(of) => {
            parts.insert(Part::Stages(Arc::clone(&of.journey)));
        }
        Expression::Score(ScoreCondition::Conversion(of)) => {
            parts.insert(Part::Stages(Arc::clone(&of.journey)));
        }
        Expression::Orders(_) | Expression::Churn(_) | Expression::Score(_) => {
            parts.insert(Part::Orders);
        }
        Expression::Record(of) => {
            parts.insert(match of {
                RecordCondition::Subscription(_) => Part::Subscriptions,
                RecordCondition::Ticket(_) => Part::Tickets,
                RecordCondition::Campaign(_) => Part::Campaigns,
                RecordCondition::Offer(_) => Part::Offers,
                RecordCondition::Consent(_) => Part::Consents,
                RecordCondition::Conversation(_) => Part::Conversations,
            });
        }
    }
}

/// The places of segments of which others ask since when a customer has been in them.
pub(super) fn lasting(
    segments: &[Segment],
    actions: &[Action],
    journeys: &BTreeMap<Arc<str>, Journey>,
) -> BTreeSet<usize> {
    let entering = journeys.values().flat_map(|journey| &journey.entered_by);
    let mut lasting: BTreeSet<usize> = entering.map(|(_, segment)| *segment).collect();
    let eligible = actions.iter().filter_map(|action| action.eligible.as_ref());
    for expression in segments.iter().map(|of| &of.expression).chain(eligible) {
        expression.each(&mut |expression| {
            if let Expression::MemberFor(condition) = expression {
                lasting.insert(condition.segment.index);
            }
        });
    }
    lasting
}

impl TenantDefinitions {
    /// The places of the segments that one refers to.
    pub(crate) fn referred_to(&self, place: usize) -> &[usize] {
        let referred_to = self.readers.referred_to.get(place);
        referred_to.map_or(&[], Vec::as_slice)
    }

    /// Returns the outputs that an event can change. All others stay as they are until the customer's
    /// next due time.
    pub(crate) fn touched(&self, payload: &Payload) -> TouchedOutputs {
        let mut touched = TouchedOutputs::default();
        let of = |part: Part| self.readers.reading(&part).to_vec();
        touched.segments = match payload {
            Payload::ProfileUpdated(update) => {
                let names = update.attributes.keys();
                let parts = names.map(|name| Part::Attribute(Arc::clone(name)));
                let mut places: Vec<usize> = parts.flat_map(of).collect();
                places.sort_unstable();
                places.dedup();
                places
            }
            Payload::ActivityTracked(activity) => of(Part::Activity(Arc::clone(&activity.name))),
            Payload::OrderPlaced(_) | Payload::OrderRefunded(_) => {
                touched.scores = true;
                of(Part::Orders)
            }
            Payload::StageEntered(stage) => {
                touched.stages = true;
                of(Part::Stages(Arc::clone(&stage.journey)))
            }
            Payload::SubscriptionChanged(_) => {
                touched.scores = self.models.renewal.is_some();
                of(Part::Subscriptions)
            }
            Payload::TicketChanged(_) => of(Part::Tickets),
            Payload::CampaignTouched(_) => of(Part::Campaigns),
            Payload::ActionOffered(_) | Payload::ActionAnswered(_) => {
                touched.offers = !self.actions.is_empty();
                of(Part::Offers)
            }
            Payload::ConsentChanged(_) => of(Part::Consents),
            Payload::MessageExchanged(_) | Payload::ConversationClosed(_) => {
                of(Part::Conversations)
            }
            // Recognised, and nothing follows from them.
            Payload::IdentityMerged(_)
            | Payload::IdentityUnmerged(_)
            | Payload::CustomerErased(_) => Vec::new(),
        };
        // A customer that enters the segment of a stage's condition enters the stage.
        let entering = self.conditional_journeys().flat_map(|of| &of.entered_by);
        let mut entering = entering.map(|(_, place)| place);
        touched.stages |= entering.any(|place| touched.segments.binary_search(place).is_ok());
        touched
    }
}
