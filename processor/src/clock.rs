//! The wall clock, the only place that reads it.

use rdkafka::Timestamp;
use tidemark_schemas::Instant;

/// The source of the current time: the system's clock, or a fixed instant in its place (`--clock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WallClock {
    /// The system's.
    #[default]
    System,
    /// Always this instant.
    Fixed(Instant),
    /// The system's, wrong by so many microseconds: the clock of a host that is not synchronised.
    Skewed(i64),
}

impl WallClock {
    /// Now.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one reader of the wall clock"
    )]
    pub fn now(self) -> Instant {
        match self {
            Self::System => Instant::from_jiff(jiff::Timestamp::now()),
            Self::Fixed(instant) => instant,
            Self::Skewed(micros) => Self::System.now().plus_micros(micros),
        }
    }

    /// Returns whether the clock stands still.
    pub const fn is_fixed(self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// Returns the time of a record. The broker's own is taken as it is; a producer's, and every time
    /// under a fixed clock, is capped by this clock, which also replaces a missing one.
    pub(crate) fn time_of(self, timestamp: Timestamp) -> Instant {
        let at = timestamp.to_millis().map(Instant::from_millis_clamped);
        match (timestamp, at) {
            (Timestamp::LogAppendTime(_), Some(at)) if !self.is_fixed() => at,
            (_, at) => at.map_or_else(|| self.now(), |at| at.min(self.now())),
        }
    }
}
