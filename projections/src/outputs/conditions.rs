//! The leaves of expressions, by kind: whether they hold, and when time alone may change that.
//!
//! Each leaf is a function of the state at an instant. It notes the instant at which its result may
//! change, which may be too early, but never too late.

use super::next_change::NextChange;
use super::state_at::StateAt;
use crate::definitions::expression::RecordCondition;

mod ages;
mod attributes;
mod bounds;
mod campaigns;
mod churn;
mod conversations;
mod events;
mod habits;
mod members;
mod orders;
mod records;
mod scores;
mod stages;

pub(crate) use attributes::attribute_holds;
pub(crate) use churn::churn_holds;
pub(crate) use events::event_holds;
pub(crate) use habits::{regularly_holds, restarted_holds, sequence_holds};
pub(crate) use members::{bucket_holds, manual_holds, member_for_holds};
pub(crate) use orders::orders_hold;
pub(crate) use scores::{cluster_holds, conversion_holds, rfm_holds, value_holds};
pub(crate) use stages::stage_holds;

pub(crate) fn record_holds(
    condition: &RecordCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    match condition {
        RecordCondition::Subscription(condition) => {
            records::subscription_holds(condition, now, next_change)
        }
        RecordCondition::Ticket(condition) => records::ticket_holds(condition, now, next_change),
        RecordCondition::Campaign(condition) => {
            campaigns::campaign_holds(condition, now, next_change)
        }
        RecordCondition::Offer(condition) => records::offer_holds(condition, now, next_change),
        RecordCondition::Consent(condition) => records::consent_holds(condition, now, next_change),
        RecordCondition::Conversation(condition) => {
            conversations::conversation_holds(condition, now, next_change)
        }
    }
}
