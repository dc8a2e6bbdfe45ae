//! Histories of projections: what they determine, and the log folded again by a recorded one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemark_processor::migrate::{GenerationSpec, ensure_generation};
use tidemark_processor::store::{Database as Login, Store};
use tidemark_processor::{Membership, Processor, RecordedHistory};
use tidemark_schemas::Partitioner;
use tokio_util::sync::CancellationToken;

use super::compare::Projections;
use super::postgres::Database;
use super::processor;
use super::site::{PARTITIONS, Site};
use super::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);

/// Runs a processor until it ends by itself.
pub(crate) async fn run_to_the_end(processor: Processor) {
    let running = processor.run(CancellationToken::new());
    tokio::time::timeout(SOON, running)
        .await
        .expect("it ends by itself")
        .unwrap();
}

/// Returns the first offset that each partition has not folded.
pub(crate) async fn positions(projections: &Projections) -> BTreeMap<i32, i64> {
    let rows: Vec<(i32, i64)> = projections
        .rows("select partition, next_offset from $gen.progress")
        .await;
    rows.into_iter().collect()
}

/// Everything that a history determines, as text.
async fn outcome(projections: &Projections) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for query in [
        "select 'customer', c::text from (select tenant_id, customer_id, state, evaluated, tracked,
             evaluated_at, definition_version, band, value_minor from $gen.customer) as c",
        "select 'membership', m::text from $gen.membership as m",
        "select 'position', p::text from $gen.position as p",
        "select 'change', c::text from (select id, tenant_id, customer_id, kind, name, from_value,
             to_value, effective_at, cause, cause_event_id, definition_version
             from $gen.change) as c",
        "select 'rollup', r::text from $gen.rollup as r where value <> 0",
        "select 'counter', c::text from $gen.counter as c where value <> 0",
        "select 'digest', d::text from $gen.digest as d",
        "select 'activation', a::text from $gen.activation as a",
    ] {
        let found: Vec<(String, String)> = projections.rows(query).await;
        rows.extend(found.into_iter().map(|(kind, row)| format!("{kind} {row}")));
    }
    for kind in ["customer", "change", "membership", "activation"] {
        let is_kind = |row: &String| row.starts_with(kind);
        assert!(rows.iter().any(is_kind), "no {kind} to compare");
    }
    rows
}

/// Folds the log up to these ends into another database, by the history that the site's recorded.
pub(crate) async fn fold_as_recorded(site: &Site, ends: &BTreeMap<i32, i64>) -> Projections {
    let login = Login::connect(&processor::store_config(&site.database.url))
        .await
        .unwrap();
    let generation = login.active_generation().await.unwrap();
    let history = RecordedHistory::load(&Store::open(&login, generation).unwrap())
        .await
        .unwrap();
    let copy = Database::fresh().await;
    let spec = GenerationSpec {
        topic: site.topic.clone(),
        partitions: PARTITIONS,
        partitioner: Partitioner::Murmur2,
    };
    ensure_generation(&copy.url, &spec).await.unwrap();
    let fixed = processor::start(site, &copy.url)
        .await
        .with_membership(Membership::Fixed(ends.clone()))
        .with_history(history);
    run_to_the_end(fixed).await;
    Projections::active(&copy.pool).await
}

/// Asserts that two databases hold the same history.
pub(crate) async fn assert_same_outcome(wanted: &Projections, found: &Projections) {
    let (wanted, found) = (outcome(wanted).await, outcome(found).await);
    let differing: Vec<_> = wanted.symmetric_difference(&found).take(6).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

/// Waits until definitions are in force in every partition, and every customer is evaluated by them.
pub(crate) async fn wait_until_in_force(projections: &Projections, version: i64) {
    let behind = format!(
        "select (select count(*) from $gen.customer where definition_version <> {version})
              + {PARTITIONS} - (select count(*) from $gen.progress where definitions = {version})"
    );
    wait_for(
        SOON,
        "the definitions to be in force",
        async || match projections.number(&behind).await {
            0 => Ok(()),
            count => Err(format!("{count} customers and partitions are behind")),
        },
    )
    .await;
}
