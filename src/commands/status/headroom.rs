//! How far the log reaches back before the records that deferred tenants and customers need.

use serde::Serialize;
use tidemark_processor::clock::WallClock;

use super::Deferred;
use crate::lag::Brokers;

/// The records from which on a deferred scope is far enough from the beginning of the log.
const FAR_RECORDS: i64 = 10_000;
/// The same in seconds: a day.
const FAR_SECONDS: i64 = 86_400;

/// The distance of a deferred scope from the beginning of its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Headroom {
    scope: String,
    partition: i32,
    /// The first record that the scope needs.
    next_offset: i64,
    /// The first record that the log has.
    beginning: i64,
    /// The records between the two; `None` while the log has lost none.
    records: Option<i64>,
    /// The time until retention may delete the first record that is needed; `None` if there is no such limit.
    seconds: Option<i64>,
}

/// Returns the headroom of every deferred scope with a log that loses records, or has lost some. `retention` is
/// the time for which the topic keeps a record, in milliseconds. Brokers that do not answer are told with the
/// lag.
pub(super) async fn load(
    brokers: &Brokers,
    deferred: &[Deferred],
    retention: Option<i64>,
) -> anyhow::Result<Vec<Headroom>> {
    let mut partitions: Vec<i32> = deferred.iter().map(Deferred::partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let beginnings = brokers.beginnings(partitions).await?;
    let now = WallClock::System.now().micros() / 1_000;
    let found = deferred.iter().filter_map(|deferred| {
        let beginning = *beginnings.get(&deferred.partition())?;
        let (next_offset, clock) = deferred.stands_at();
        let until = clock
            .zip(retention)
            .map(|(at, kept)| at.micros() / 1_000 + kept);
        let headroom = Headroom {
            scope: deferred.scope(),
            partition: deferred.partition(),
            next_offset,
            beginning,
            records: (beginning > 0).then_some((next_offset - beginning).max(0)),
            seconds: until.map(|until| (until - now).max(0) / 1_000),
        };
        (headroom.records.is_some() || headroom.seconds.is_some()).then_some(headroom)
    });
    Ok(found.collect())
}

impl Headroom {
    /// Returns a line for people where the records needed are gone, or may be soon.
    pub(super) fn warning(&self) -> Option<String> {
        let Self {
            scope,
            partition,
            next_offset,
            beginning,
            records,
            seconds,
        } = self;
        if beginning > next_offset {
            return Some(format!(
                "records that deferred {scope} needs are gone from the log: it needs offset {next_offset} of \
                 partition {partition}, which begins at {beginning} now; see \"is not in the log any more\" in \
                 docs/OPERATIONS.md"
            ));
        }
        let records = records.filter(|records| *records < FAR_RECORDS);
        let seconds = seconds.filter(|seconds| *seconds < FAR_SECONDS);
        if records.is_none() && seconds.is_none() {
            return None;
        }
        let records = records.map(|records| format!("{records} records before it are left"));
        let seconds =
            seconds.map(|seconds| format!("retention may delete it in {} minutes", seconds / 60));
        let left: Vec<String> = records.into_iter().chain(seconds).collect();
        Some(format!(
            "deferred {scope} needs the records from offset {next_offset} of partition {partition} on, and {}: \
             raise the retention of the topic, or let it catch up before (`tidemark deferred list`)",
            left.join(", and ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(beginning: i64, records: Option<i64>, seconds: Option<i64>) -> Option<String> {
        let headroom = Headroom {
            scope: "acme".to_owned(),
            partition: 3,
            next_offset: 20_000,
            beginning,
            records,
            seconds,
        };
        headroom.warning()
    }

    #[test]
    fn scope_near_the_beginning_of_its_log_is_told_and_one_far_from_it_is_not() {
        assert_eq!(warning(1, Some(19_999), None), None);
        assert_eq!(warning(0, None, Some(FAR_SECONDS)), None);
        let near = warning(19_990, Some(10), Some(3_600)).expect("it is near");
        assert!(near.contains("10 records before it are left, and retention may delete it in 60"));
        let near = warning(0, None, Some(59)).expect("it is near");
        assert!(near.contains("offset 20000 of partition 3 on, and retention may delete it in 0"));
        let gone = warning(20_001, Some(0), None).expect("it is gone");
        assert!(gone.contains("gone from the log"), "{gone}");
    }
}
