//! The wall clock, the only place that reads it.

use tidemark_schemas::Instant;

/// What time it is: the system's clock, or a fixed instant that stands in for it (`--clock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WallClock {
    /// The system's.
    #[default]
    System,
    /// Always this instant.
    Fixed(Instant),
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
        }
    }
}
