//! The progress of the partitions as the follower last saw it, and the commits since it looked
//! before.

use std::collections::BTreeMap;

use sqlx::FromRow;
use tidemark_projections::invalidation::{COMMITS_KEPT, Invalidation};
use tidemark_schemas::Instant;
use tokio::time;

use crate::database::clock;
use crate::freshness::Freshness;

/// The progress of one partition.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct PartitionProgress {
    pub(super) partition: i32,
    /// The epoch of the claim, which advances after a rewind.
    pub(super) epoch: i64,
    pub(super) commits: i64,
    /// The first offset that is not folded.
    pub(super) next_offset: i64,
    /// The last stable offset as last seen by the owner, and when, in microseconds.
    pub(super) log_end: Option<i64>,
    pub(super) log_end_at: Option<i64>,
    /// The instant by which every timer due has fired.
    pub(super) fired_to: i64,
    /// The version of the definitions in force.
    pub(super) definitions: i64,
}

/// The progress of all partitions, read in one snapshot.
#[derive(Debug, Clone)]
pub(super) struct Positions {
    pub(super) generation: i32,
    pub(super) topic: String,
    /// The number of partitions of the topic. Partitions without progress are absent below.
    pub(super) partition_count: i32,
    pub(super) partitions: BTreeMap<i32, PartitionProgress>,
    /// The last version of definitions that is recorded in the database.
    pub(super) recorded: Option<i64>,
    /// An instant before the snapshot was opened.
    pub(super) requested_at: time::Instant,
}

/// The invalidation between two looks of the follower.
#[derive(Debug)]
pub(super) enum Invalidated {
    /// Every response, because the commits in between are not known.
    Everything,
    /// The responses that depend on what these commits changed.
    By(Vec<Invalidation>),
}

impl Positions {
    /// Returns the partitions with new commits, each with the last commit that was seen; `None` if
    /// the commits in between cannot be known.
    pub(super) fn commits_since(&self, seen: Option<&Self>) -> Option<Vec<(i32, i64)>> {
        let seen = seen?;
        let is_comparable = self.generation == seen.generation
            && self.recorded == seen.recorded
            && self.partitions.keys().eq(seen.partitions.keys());
        if !is_comparable {
            return None;
        }
        let mut with_commits = Vec::new();
        for (now, then) in self.partitions.values().zip(seen.partitions.values()) {
            let commits = now.commits - then.commits;
            let is_known = now.epoch == then.epoch
                && now.definitions == then.definitions
                && (0..=COMMITS_KEPT).contains(&commits);
            if !is_known {
                return None;
            }
            if commits > 0 {
                with_commits.push((now.partition, then.commits));
            }
        }
        Some(with_commits)
    }

    /// Returns the freshness of a response that is valid at these positions: no commit up to here
    /// invalidated it, so it is as fresh as they are.
    pub(super) fn freshness_of(&self, read: &Freshness) -> Freshness {
        let is_complete = i64::try_from(self.partitions.len())
            .is_ok_and(|count| count >= i64::from(self.partition_count));
        let least = self
            .partitions
            .values()
            .map(|progress| progress.fired_to)
            .min();
        let watermark = least.filter(|_| is_complete).and_then(clock);
        let behind = |progress: &PartitionProgress| {
            let end = progress.log_end.unwrap_or(progress.next_offset);
            (end - progress.next_offset).max(0)
        };
        // `None` of one partition is less than any instant.
        let seen = self.partitions.values().map(|progress| progress.log_end_at);
        let seen = seen.min().flatten().filter(|_| is_complete);
        Freshness {
            generation: read.generation,
            // Where a deferred tenant stands is in its own rows alone.
            watermark: if read.is_deferred {
                read.watermark
            } else {
                watermark.max(read.watermark)
            },
            is_deferred: read.is_deferred,
            lag: self.partitions.values().map(behind).sum(),
            lag_as_of: seen.and_then(Instant::from_micros),
            definitions: read.definitions,
        }
    }

    /// Returns the first offset of a partition that is not folded.
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
        let partition = |partition| PartitionProgress {
            partition,
            epoch: 3,
            commits: 5_000,
            next_offset: 100,
            log_end: Some(107),
            log_end_at: Some(2_000_000 - i64::from(partition)),
            fired_to: 1_000_000 + i64::from(partition),
            definitions: 4,
        };
        Positions {
            generation: 1,
            topic: "customer-events".to_owned(),
            partition_count: 2,
            partitions: (0..2).map(|number| (number, partition(number))).collect(),
            recorded: Some(4),
            requested_at: time::Instant::now(),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Positions), expected: Option<&[(i32, i64)]>) {
        let (then, mut now) = (positions(), positions());
        change(&mut now);
        assert_eq!(now.commits_since(Some(&then)).as_deref(), expected);
    }

    fn second(positions: &mut Positions) -> &mut PartitionProgress {
        positions.partitions.get_mut(&1).unwrap()
    }

    #[test]
    fn consecutive_commits_are_known_and_any_other_difference_is_not() {
        check(|_| {}, Some(&[]));
        check(|now| second(now).fired_to += 1, Some(&[]));
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
        assert_eq!(positions().commits_since(None), None);
    }

    #[test]
    fn a_valid_response_is_as_fresh_as_the_later_of_its_read_and_the_last_look() {
        let watermark = |micros| Moment::from_micros(micros);
        let read = |micros| Freshness {
            generation: 1,
            watermark: watermark(micros),
            is_deferred: false,
            lag: 1,
            lag_as_of: None,
            definitions: Some(4),
        };
        let freshness = positions().freshness_of(&read(999_999));
        assert_eq!(
            (freshness.watermark, freshness.lag, freshness.lag_as_of),
            (watermark(1_000_000), 14, Moment::from_micros(1_999_999))
        );
        let freshness = positions().freshness_of(&read(1_000_007));
        assert_eq!(freshness.watermark, watermark(1_000_007));
        let mut unseen = positions();
        second(&mut unseen).log_end_at = None;
        assert_eq!(unseen.freshness_of(&read(0)).lag_as_of, None);
        let mut begun = positions();
        begun.partitions.remove(&0);
        let read = Freshness {
            watermark: None,
            ..read(0)
        };
        assert_eq!(begun.freshness_of(&read).watermark, None);
    }
}
