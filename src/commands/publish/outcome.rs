//! What became of published events: folded, parked with a reason, or deferred with their tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;
use tidemark_processor::store::{OperatorStore, ParkedEvent, ParkedFilter};
use tidemark_schemas::TenantId;

use crate::commands::deferred::{self, Deferred};
use crate::commands::parked;
use crate::config::Config;
use crate::database::Projections;
use crate::output;

/// The pause between two queries of the positions.
const POLL_EVERY: Duration = Duration::from_millis(200);
/// The number of parked events read at once.
const PAGE: i64 = 500;
/// The number of parked events that are printed.
const PRINTED: usize = 10;

/// The offsets of the published events, by partition.
pub(super) type Published = BTreeMap<i32, Vec<Range<i64>>>;

/// A published event that is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Parked {
    position: String,
    reason: &'static str,
    detail: String,
}

/// Waits until the processor has passed the published events, and returns those that are parked.
pub(super) async fn parked_of(
    published: &Published,
    config: &Config,
    at_most: Duration,
) -> anyhow::Result<Vec<Parked>> {
    let projections = Projections::connect(&config.database).await?;
    wait_until_passed(published, &projections, &config.kafka.topic, at_most).await?;
    let store = parked::connect(config).await?;
    let mut found = Vec::new();
    for (partition, ranges) in published {
        found.extend(parked_in(&store, *partition, ranges).await?);
    }
    Ok(found)
}

/// Returns the published events' tenants that are deferred where these were published.
pub(super) async fn deferred_of(
    published: &Published,
    tenants: &BTreeSet<TenantId>,
    config: &Config,
) -> anyhow::Result<Vec<Deferred>> {
    let store = parked::connect(config).await?;
    let mut found = deferred::load(&store).await?;
    found.retain(|it| it.is_whole(tenants) && published.contains_key(&it.partition()));
    Ok(found)
}

async fn wait_until_passed(
    published: &Published,
    projections: &Projections,
    topic: &str,
    at_most: Duration,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let positions = projections.positions(topic).await?;
        let is_passed = |(partition, ranges): (&i32, &Vec<Range<i64>>)| {
            let end = ranges.last().map_or(0, |range| range.end);
            positions.get(partition).is_some_and(|next| *next >= end)
        };
        if published.iter().all(is_passed) {
            return Ok(());
        }
        if begun.elapsed() >= at_most {
            bail!(
                "the processor has not reached every published event within {} s: \
                 `tidemark status` prints its positions, and `tidemark parked summary` what it parked",
                at_most.as_secs()
            );
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Returns the parked events of a partition at these offsets.
async fn parked_in(
    store: &OperatorStore,
    partition: i32,
    ranges: &[Range<i64>],
) -> anyhow::Result<Vec<Parked>> {
    let filter = ParkedFilter {
        partition: Some(partition),
        from_offset: ranges.first().map(|range| range.start),
        to_offset: ranges.last().map(|range| range.end - 1),
        ..ParkedFilter::default()
    };
    let mut found = Vec::new();
    let mut after = (-1, -1);
    loop {
        let page = store.list_parked(&filter, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = (last.partition, last.event.offset);
        let is_published = |parked: &ParkedEvent| {
            ranges
                .iter()
                .any(|range| range.contains(&parked.event.offset))
        };
        let published = page.into_iter().filter(is_published);
        found.extend(published.map(|parked| Parked {
            position: format!("{partition}@{}", parked.event.offset),
            reason: parked.event.reason.as_str(),
            detail: parked.event.detail,
        }));
    }
}

/// Prints the first parked events, and the deferred tenants.
pub(super) fn print(parked: &[Parked], deferred: &[Deferred]) {
    for deferred in deferred.iter().take(PRINTED) {
        output::note(deferred.to_text());
    }
    for Parked {
        position,
        reason,
        detail,
    } in parked.iter().take(PRINTED)
    {
        output::note(format!("{position} is parked, {reason}: {detail}"));
    }
    if parked.len() > PRINTED {
        output::note(format!("and {} more", parked.len() - PRINTED));
    }
}
