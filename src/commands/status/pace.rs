//! The pace of folding between two looks of `status --watch`, and the time that the rest will take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::lag::Lag;

/// The time over which the pace is taken.
const WINDOW: Duration = Duration::from_secs(20);

/// The looks of the last moments.
#[derive(Debug, Default)]
pub(super) struct Looks(VecDeque<Look>);

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    /// The sum of all positions.
    folded: i64,
    lag: i64,
}

/// The pace of folding.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Pace {
    /// Records folded in a second.
    records_per_second: f64,
    /// The seconds until nothing is left, at the rate at which the lag becomes less; `None` if it does
    /// not.
    seconds_left: Option<f64>,
}

impl Looks {
    /// Adds a look. Returns the pace since the oldest one kept; `None` at the first.
    pub(super) fn add(&mut self, lag: &Lag, at: Instant) -> Option<Pace> {
        let positions = lag.partitions.iter();
        let look = Look {
            at,
            folded: positions.map(|found| found.progress.next_offset).sum(),
            lag: lag.total,
        };
        while self.0.len() > 1 && at.duration_since(self.0[0].at) > WINDOW {
            self.0.pop_front();
        }
        let pace = self.0.front().map(|first| Pace::between(first, &look));
        self.0.push_back(look);
        pace
    }
}

impl Pace {
    fn between(first: &Look, last: &Look) -> Self {
        let seconds = last.at.duration_since(first.at).as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
        let per_second = |count: i64| count as f64 / seconds;
        let less = per_second(first.lag - last.lag);
        #[expect(clippy::cast_precision_loss, reason = "nor is a time left")]
        let seconds_left = match last.lag {
            0 => Some(0.0),
            lag => (less > 0.0).then(|| lag as f64 / less),
        };
        Self {
            records_per_second: per_second(last.folded - first.folded),
            seconds_left,
        }
    }

    pub(super) fn to_text(self) -> String {
        let rate = format!("{:.0} records/s", self.records_per_second);
        match self.seconds_left {
            Some(0.0) => format!("{rate}, nothing waits"),
            Some(seconds) => format!("{rate}, about {} left", duration(seconds)),
            None => format!("{rate}, the lag does not become less"),
        }
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{seconds:.0} s"),
        90.0..5_400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(folded: i64, lags: (i64, i64)) -> String {
        let at = Instant::now();
        let first = Look {
            at,
            folded: 0,
            lag: lags.0,
        };
        let last = Look {
            at: at + Duration::from_secs(10),
            folded,
            lag: lags.1,
        };
        Pace::between(&first, &last).to_text()
    }

    #[test]
    fn time_left_is_that_of_the_rate_at_which_the_lag_becomes_less() {
        assert_eq!(
            pace(10_000, (5_000, 3_000)),
            "1000 records/s, about 15 s left"
        );
        assert_eq!(
            pace(10_000, (340_000, 330_000)),
            "1000 records/s, about 6 min left"
        );
        assert_eq!(
            pace(0, (5_000, 5_000)),
            "0 records/s, the lag does not become less"
        );
        assert_eq!(pace(0, (0, 0)), "0 records/s, nothing waits");
    }
}
