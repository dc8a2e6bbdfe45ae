//! Totals of a customer's activities and conversations.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidemark_projections::state::{Activity, Conversations};
use tidemark_schemas::Instant;
use tidemark_schemas::event::Outcome;
use utoipa::ToSchema;

/// The events of one name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActivityTotals {
    /// The number of events since the first.
    count: u64,
    /// The time of the first event.
    first_at: Instant,
    /// The time of the last event.
    last_at: Instant,
}

/// The totals of messages and conversations within the days that are kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConversationTotals {
    /// The number of messages from the customer.
    inbound: u32,
    /// The number of messages to the customer.
    outbound: u32,
    /// The mean sentiment, from -1 to 1; null if no message has a sentiment.
    #[schema(required)]
    mean_sentiment: Option<f64>,
    /// The number of closed conversations, by outcome.
    outcomes: BTreeMap<Outcome, u32>,
}

pub(super) fn activity_totals(activity: &Activity) -> BTreeMap<Arc<str>, ActivityTotals> {
    let counters = activity.iter().map(|(name, counter)| {
        let totals = ActivityTotals {
            count: counter.count,
            first_at: counter.first,
            last_at: counter.last,
        };
        (Arc::clone(name), totals)
    });
    counters.collect()
}

pub(super) fn conversation_totals(conversations: &Conversations) -> ConversationTotals {
    let total = conversations.total();
    ConversationTotals {
        inbound: total.inbound,
        outbound: total.outbound,
        mean_sentiment: total.mean_sentiment(),
        outcomes: total.outcomes,
    }
}
