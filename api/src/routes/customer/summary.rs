//! What a customer did and what was said, summed up.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidemark_projections::state::{Activity, Conversations};
use tidemark_schemas::Instant;
use tidemark_schemas::event::Outcome;
use utoipa::ToSchema;

/// All events of one name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActivityTotals)]
pub(super) struct Done {
    /// For life.
    count: u64,
    /// When it was first done.
    first_at: Instant,
    /// When it was last done.
    last_at: Instant,
}

/// What was said in the days that are kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConversationTotals)]
pub(super) struct Said {
    /// Messages of the customer.
    inbound: u32,
    /// Messages to the customer.
    outbound: u32,
    /// From -1 to 1; null where no message had a sentiment.
    #[schema(required)]
    mean_sentiment: Option<f64>,
    /// Conversations closed, by how they ended.
    outcomes: BTreeMap<Outcome, u32>,
}

pub(super) fn done(activity: &Activity) -> BTreeMap<Arc<str>, Done> {
    let counters = activity.iter().map(|(name, counter)| {
        let done = Done {
            count: counter.count,
            first_at: counter.first,
            last_at: counter.last,
        };
        (Arc::clone(name), done)
    });
    counters.collect()
}

pub(super) fn said(conversations: &Conversations) -> Said {
    let total = conversations.total();
    Said {
        inbound: total.inbound,
        outbound: total.outbound,
        mean_sentiment: total.mean_sentiment(),
        outcomes: total.outcomes,
    }
}
