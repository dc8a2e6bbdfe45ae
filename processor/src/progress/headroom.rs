//! The headroom of deferred scopes: how far the log still reaches back before the first record that they need.
//! Once that record is deleted, the scope cannot catch up.

use std::sync::atomic::Ordering;

use tidemark_schemas::Instant;

use super::Progress;

/// The first record that a deferred scope of a partition needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NeededRecord {
    /// Its offset, or the one after which it comes.
    pub(crate) offset: i64,
    /// An instant before which it was not appended; `Instant::MIN` if none is known.
    pub(crate) appended_after: Instant,
}

impl Progress {
    /// Sets the time for which the topic keeps a record, in milliseconds; `None`: for good.
    pub(crate) fn set_retention(&self, millis: Option<i64>) {
        self.retention
            .store(millis.unwrap_or(-1), Ordering::Relaxed);
    }

    /// Notes the first record that the deferred scopes of a partition need; `None` if nothing is deferred.
    pub(crate) fn note_needed(&self, partition: i32, needed: Option<NeededRecord>) {
        let mut partitions = self.lock();
        let Some(found) = partitions.get_mut(&partition) else {
            return;
        };
        found.needed = needed;
        if needed.is_none() {
            let partition = partition.to_string();
            for gauges in [
                &self.metrics.headroom_records,
                &self.metrics.headroom_seconds,
            ] {
                // Refused where nothing was shown.
                gauges.remove_label_values(&[&partition]).ok();
            }
        }
    }

    /// Returns the partitions with deferred scopes.
    pub(crate) fn partitions_with_deferrals(&self) -> Vec<i32> {
        let partitions = self.lock();
        let deferred = partitions.iter().filter(|(_, it)| it.needed.is_some());
        deferred.map(|(partition, _)| *partition).collect()
    }

    /// Notes where the log of a partition begins, and shows how far that is from what deferred scopes need. A
    /// log that begins at 0 has lost nothing, and only time can take records from it.
    pub(crate) fn observe_beginning(&self, partition: i32, beginning: i64, now: Instant) {
        let partitions = self.lock();
        let needed = partitions.get(&partition).and_then(|found| found.needed);
        let Some(needed) = needed else { return };
        let partition = partition.to_string();
        if beginning > 0 {
            let records = (needed.offset - beginning).max(0);
            let gauge = &self.metrics.headroom_records;
            gauge.with_label_values(&[&partition]).set(records);
        }
        let retention = self.retention.load(Ordering::Relaxed);
        if retention >= 0 && needed.appended_after > Instant::MIN {
            let until = needed.appended_after.micros() / 1_000 + retention;
            let seconds = (until - now.micros() / 1_000).max(0) / 1_000;
            let gauge = &self.metrics.headroom_seconds;
            gauge.with_label_values(&[&partition]).set(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;
    use std::time::{Duration, Instant as Elapsed};

    use prometheus::core::Collector;

    use super::*;
    use crate::metrics::Metrics;

    fn at(text: &str) -> Instant {
        text.parse().expect("an instant")
    }

    fn shown(gauges: &prometheus::IntGaugeVec) -> Option<i64> {
        let families = gauges.collect();
        let metric = families.first()?.get_metric().first()?;
        #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
        let value = metric.get_gauge().get_value() as i64;
        Some(value)
    }

    #[test]
    fn headroom_is_shown_in_records_once_the_log_has_lost_some_and_in_time_where_retention_has_a_limit()
     {
        let metrics = Metrics::register(&prometheus::Registry::new()).expect("distinct names");
        let progress = Progress::new(metrics.clone(), Duration::from_mins(5));
        let committed = Arc::new(AtomicI64::new(100));
        let _listed = progress.list(3, 7, committed, Elapsed::now());
        let both = || {
            (
                shown(&metrics.headroom_records),
                shown(&metrics.headroom_seconds),
            )
        };
        let now = at("2026-03-01T12:00:00Z");
        progress.observe_beginning(3, 10, now);
        assert_eq!(both(), (None, None), "nothing is deferred");
        progress.note_needed(
            3,
            Some(NeededRecord {
                offset: 40,
                appended_after: at("2026-03-01T11:00:00Z"),
            }),
        );
        assert_eq!(progress.partitions_with_deferrals(), [3]);
        progress.observe_beginning(3, 0, now);
        assert_eq!(
            both(),
            (None, None),
            "the log has lost nothing, and keeps all"
        );
        progress.set_retention(Some(2 * 3_600_000));
        progress.observe_beginning(3, 25, now);
        assert_eq!(both(), (Some(15), Some(3_600)));
        progress.observe_beginning(3, 50, at("2026-03-01T14:00:00Z"));
        assert_eq!(both(), (Some(0), Some(0)), "gone");
        progress.note_needed(3, None);
        assert_eq!(both(), (None, None), "caught up");
    }
}
