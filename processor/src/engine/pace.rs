//! The size of batches and the time they linger: as configured, or more, depending on commit times. A
//! larger batch writes a customer once instead of twice; fewer batches cost less when the database is
//! slow. And the amount of background work in a batch, in timers that fire, records that are folded again and
//! customers that are re-evaluated: as much as its commit takes a moment for, because the next records wait
//! for it.

use std::time::Duration;

/// The commit time of a full batch below which the next batch may be twice as large.
const QUICK: Duration = Duration::from_millis(200);
/// The commit time above which the next batch is half as large.
const SLOW: Duration = Duration::from_millis(500);
const MOST: usize = 2;
/// The commit time below which the next batch does more background work if more is left.
const QUICK_WORK: Duration = Duration::from_millis(12);
/// The commit time above which the next batch does half as much.
const SLOW_WORK: Duration = Duration::from_millis(25);
const LEAST_WORK: usize = 50;
const MOST_WORK: usize = 2_000;
/// The longest time to linger, whatever commits take: published events must become visible.
const LONGEST_LINGER: Duration = Duration::from_millis(80);

/// The reason why a batch was no larger.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    /// It had the largest allowed size.
    pub(super) is_full: bool,
    /// More background work was due than it did.
    pub(super) leaves_work: bool,
    /// It holds records: more of them may be on their way.
    pub(super) has_records: bool,
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    times: usize,
    /// The amount of background work that a batch may do.
    work: usize,
    /// The moving average of commit times.
    took: Duration,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            times: 1,
            work: LEAST_WORK,
            took: Duration::ZERO,
        }
    }

    /// Returns the largest size of a batch, as a multiple of the configured size.
    pub(super) const fn times(self) -> usize {
        self.times
    }

    /// Returns the largest amount of background work of each kind in a batch with so many records: no more
    /// than these, where a batch is large.
    pub(super) fn background(self, records: usize) -> usize {
        self.work.max(records)
    }

    /// Returns the time that the first record of a batch lingers: twice the commit time, so that commits
    /// take at most a third of the time, but at least the configured time.
    pub(super) fn linger(self, configured: Duration) -> Duration {
        configured.max((self.took * 2).min(LONGEST_LINGER))
    }

    /// Records a commit.
    pub(super) fn landed(&mut self, took: Duration, load: Load) {
        self.took = (self.took * 3 + took) / 4;
        let full = load.is_full;
        if took > SLOW_WORK {
            self.work = (self.work / 2).max(LEAST_WORK);
        } else if took < QUICK_WORK && load.leaves_work {
            self.work = (self.work * 3 / 2).min(MOST_WORK);
        }
        if took > SLOW {
            self.times = (self.times / 2).max(1);
        } else if took < QUICK && full {
            self.times = (self.times * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Load = Load {
        is_full: true,
        leaves_work: false,
        has_records: true,
    };

    #[test]
    fn batches_grow_while_full_and_quick_and_shrink_when_slow() {
        let mut pace = Pace::new();
        pace.landed(QUICK / 2, Load::default());
        assert_eq!(pace.times(), 1, "nothing waits");
        for expected in [2, 2] {
            pace.landed(QUICK / 2, FULL);
            assert_eq!(pace.times(), expected);
        }
        pace.landed((QUICK + SLOW) / 2, FULL);
        assert_eq!(pace.times(), 2, "neither quick nor slow");
        for expected in [1, 1] {
            pace.landed(SLOW * 2, FULL);
            assert_eq!(pace.times(), expected);
        }
    }

    #[test]
    fn background_work_of_a_batch_follows_the_time_that_commits_take() {
        let crowded = Load {
            leaves_work: true,
            ..Load::default()
        };
        let mut pace = Pace::new();
        for _ in 0..20 {
            pace.landed(QUICK_WORK / 2, crowded);
        }
        assert_eq!(pace.background(0), MOST_WORK);
        pace.landed(QUICK_WORK, crowded);
        assert_eq!(pace.background(0), MOST_WORK, "neither quick nor slow");
        pace.landed(SLOW_WORK * 2, crowded);
        assert_eq!(pace.background(0), MOST_WORK / 2);
        for _ in 0..20 {
            pace.landed(SLOW_WORK * 2, crowded);
        }
        assert_eq!(pace.background(0), LEAST_WORK);
        assert_eq!(pace.background(4_000), 4_000, "as many as records");
        pace.landed(QUICK_WORK / 2, Load::default());
        assert_eq!(pace.background(0), LEAST_WORK, "none was left");
    }

    #[test]
    fn records_wait_longer_while_commits_take_longer() {
        let configured = Duration::from_millis(20);
        let mut pace = Pace::new();
        assert_eq!(pace.linger(configured), configured);
        let settled_at = |pace: &mut Pace, took| {
            for _ in 0..50 {
                pace.landed(Duration::from_millis(took), Load::default());
            }
            pace.linger(configured).as_millis()
        };
        assert_eq!(settled_at(&mut pace, 5), 20, "as configured at least");
        assert!((58..=60).contains(&settled_at(&mut pace, 30)));
        assert_eq!(settled_at(&mut pace, 900), 80, "and not for long");
        assert_eq!(
            pace.linger(LONGEST_LINGER * 2),
            LONGEST_LINGER * 2,
            "a longer configured time is kept"
        );
        assert_eq!(settled_at(&mut pace, 1), 20, "it is forgotten");
    }
}
