//! How large a batch may become: as configured, or a few times that while commits are quick and
//! records wait. A larger batch writes a customer once that a smaller one would write twice.

use std::time::Duration;

/// A full batch that landed faster than this may be followed by one twice as large.
const QUICK: Duration = Duration::from_millis(200);
/// One that took longer is followed by one half as large.
const SLOW: Duration = Duration::from_millis(500);
const MOST: usize = 4;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    times: usize,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { times: 1 }
    }

    /// How many times the configured size a batch may have.
    pub(super) const fn times(self) -> usize {
        self.times
    }

    /// Learns from a commit. `full`: the batch was as large as it might be.
    pub(super) fn landed(&mut self, took: Duration, full: bool) {
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
        for expected in [2, 4, 4] {
            pace.landed(QUICK / 2, true);
            assert_eq!(pace.times(), expected);
        }
        pace.landed((QUICK + SLOW) / 2, true);
        assert_eq!(pace.times(), 4, "neither quick nor slow");
        for expected in [2, 1, 1] {
            pace.landed(SLOW * 2, true);
            assert_eq!(pace.times(), expected);
        }
    }
}
