//! The wall clock, the only place that reads it.

use tidemark_schemas::Instant;

/// The source of the current time: the system's clock, or a fixed instant in its place (`--clock`).
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
