//! Where the partitions are, as the follower last saw them, and what moved since it looked before.

use std::collections::BTreeMap;

use sqlx::FromRow;
use tidemark_projections::invalidation::{COMMITS_KEPT, Invalidation};
use tokio::time::Instant;

use crate::database::clock;
use crate::freshness::Freshness;

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Progress {
    pub(super) partition: i32,
    /// Of the claim; moves after any rewind.
    pub(super) epoch: i64,
    pub(super) commits: i64,
    /// First offset not folded.
    pub(super) next_offset: i64,
    pub(super) log_end: i64,
    pub(super) clock: i64,
    /// Version of the definitions in force.
    pub(super) definitions: i64,
}

/// Every partition, in one snapshot.
#[derive(Debug, Clone)]
pub(super) struct Positions {
    pub(super) generation: i32,
    pub(super) topic: String,
    /// How many the topic has; those not yet begun are absent below.
    pub(super) partition_count: i32,
    pub(super) partitions: BTreeMap<i32, Progress>,
    /// How far the definitions topic is recorded.
    pub(super) recorded: Option<i64>,
    /// Before the snapshot was opened.
    pub(super) asked_at: Instant,
}

/// What moved between two looks.
#[derive(Debug)]
pub(super) enum Moves {
    /// It cannot be known.
    Everything,
    /// What these commits touched.
    These(Vec<Invalidation>),
}

impl Positions {
    /// Partitions that committed since, with the last commit that was seen; `None` where it cannot
    /// be known what moved.
    pub(super) fn moved_since(&self, seen: Option<&Self>) -> Option<Vec<(i32, i64)>> {
        let seen = seen?;
        let is_comparable = self.generation == seen.generation
            && self.recorded == seen.recorded
            && self.partitions.keys().eq(seen.partitions.keys());
        if !is_comparable {
            return None;
        }
        let mut moved = Vec::new();
        for (now, then) in self.partitions.values().zip(seen.partitions.values()) {
            let commits = now.commits - then.commits;
            let is_known = now.epoch == then.epoch
                && now.definitions == then.definitions
                && (0..=COMMITS_KEPT).contains(&commits);
            if !is_known {
                return None;
            }
            if commits > 0 {
                moved.push((now.partition, then.commits));
            }
        }
        Some(moved)
    }

    /// Of an answer that holds at these positions: whatever was folded up to here and is not in it
    /// did not touch it.
    pub(super) fn freshness_of(&self, read: &Freshness) -> Freshness {
        let is_complete = i64::try_from(self.partitions.len())
            .is_ok_and(|begun| begun >= i64::from(self.partition_count));
        let least = self
            .partitions
            .values()
            .map(|progress| progress.clock)
            .min();
        let watermark = least.filter(|_| is_complete).and_then(clock);
        let behind = |progress: &Progress| (progress.log_end - progress.next_offset).max(0);
        Freshness {
            generation: read.generation,
            watermark: watermark.max(read.watermark),
            lag: self.partitions.values().map(behind).sum(),
            definitions: read.definitions,
        }
    }

    /// The first offset of a partition that is not folded.
    pub(super) fn next_offset(&self, partition: i32) -> i64 {
        self.partitions
            .get(&partition)
            .map_or(0, |progress| progress.next_offset)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use tidemark_schemas::Instant as Moment;

    use super::*;

    fn positions() -> Positions {
        let partition = |partition| Progress {
            partition,
            epoch: 3,
            commits: 5_000,
            next_offset: 100,
            log_end: 107,
            clock: 1_000_000 + i64::from(partition),
            definitions: 4,
        };
        Positions {
            generation: 1,
            topic: "customer-events".to_owned(),
            partition_count: 2,
            partitions: (0..2).map(|number| (number, partition(number))).collect(),
            recorded: Some(4),
            asked_at: Instant::now(),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Positions), moved: Option<&[(i32, i64)]>) {
        let (then, mut now) = (positions(), positions());
        change(&mut now);
        assert_eq!(now.moved_since(Some(&then)).as_deref(), moved);
    }

    fn second(positions: &mut Positions) -> &mut Progress {
        positions.partitions.get_mut(&1).unwrap()
    }

    #[test]
    fn commits_seen_in_order_are_known_and_all_else_is_not() {
        check(|_| {}, Some(&[]));
        check(|now| second(now).clock += 1, Some(&[]));
        check(|now| second(now).commits += 1, Some(&[(1, 5_000)]));
        check(
            |now| second(now).commits += COMMITS_KEPT,
            Some(&[(1, 5_000)]),
        );
        check(|now| second(now).commits += COMMITS_KEPT + 1, None);
        check(|now| second(now).commits -= 1, None);
        check(|now| second(now).epoch += 1, None);
        check(|now| second(now).definitions += 1, None);
        check(|now| now.recorded = Some(5), None);
        check(|now| now.generation = 2, None);
        check(|now| now.partitions.retain(|number, _| *number == 0), None);
        assert_eq!(positions().moved_since(None), None);
    }

    #[test]
    fn an_answer_is_as_fresh_as_the_later_of_its_reading_and_the_last_look() {
        let watermark = |micros| Moment::from_micros(micros);
        let read = |micros| Freshness {
            generation: 1,
            watermark: watermark(micros),
            lag: 1,
            definitions: Some(4),
        };
        let freshness = positions().freshness_of(&read(999_999));
        assert_eq!(
            (freshness.watermark, freshness.lag),
            (watermark(1_000_000), 14)
        );
        let freshness = positions().freshness_of(&read(1_000_007));
        assert_eq!(freshness.watermark, watermark(1_000_007));
        let mut begun = positions();
        begun.partitions.remove(&0);
        let read = Freshness {
            watermark: None,
            ..read(0)
        };
        assert_eq!(begun.freshness_of(&read).watermark, None);
    }
}
