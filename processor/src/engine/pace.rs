//! The size of batches and the time they linger: as configured, or more, depending on commit times. A
//! larger batch writes a customer once instead of twice; fewer batches cost less when the database is
//! slow.

use std::time::Duration;

/// The commit time of a full batch below which the next batch may be twice as large.
const QUICK: Duration = Duration::from_millis(200);
/// The commit time above which the next batch is half as large.
const SLOW: Duration = Duration::from_millis(500);
const MOST: usize = 2;
/// The longest time to linger, whatever commits take: published events must become visible.
const LONGEST_LINGER: Duration = Duration::from_millis(80);

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    times: usize,
    /// The moving average of commit times.
    took: Duration,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            times: 1,
            took: Duration::ZERO,
        }
    }

    /// Returns the largest size of a batch, as a multiple of the configured size.
    pub(super) const fn times(self) -> usize {
        self.times
    }

    /// Returns the time that the first record of a batch lingers: twice the commit time, so that commits
    /// take at most a third of the time, but at least the configured time.
    pub(super) fn linger(self, configured: Duration) -> Duration {
        configured.max((self.took * 2).min(LONGEST_LINGER))
    }

    /// Records a commit. `full`: the batch had the largest allowed size.
    pub(super) fn landed(&mut self, took: Duration, full: bool) {
        self.took = (self.took * 3 + took) / 4;
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

    #[test]
    fn batches_grow_while_full_and_quick_and_shrink_when_slow() {
        let mut pace = Pace::new();
        pace.landed(QUICK / 2, false);
        assert_eq!(pace.times(), 1, "nothing waits");
        for expected in [2, 2] {
            pace.landed(QUICK / 2, true);
            assert_eq!(pace.times(), expected);
        }
        pace.landed((QUICK + SLOW) / 2, true);
        assert_eq!(pace.times(), 2, "neither quick nor slow");
        for expected in [1, 1] {
            pace.landed(SLOW * 2, true);
            assert_eq!(pace.times(), expected);
        }
    }
    #[test]
    fn records_wait_longer_while_commits_take_longer() {
        let configured = Duration::from_millis(20);
        let mut pace = Pace::new();
        assert_eq!(pace.linger(configured), configured);
        let settled_at = |pace: &mut Pace, took| {
            for _ in 0..50 {
                pace.landed(Duration::from_millis(took), false);
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
