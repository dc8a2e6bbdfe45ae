//! The earliest instant at which an output changes by itself.

use tidemark_schemas::Instant;

/// The earliest later instant at which one of the conditions examined may change by itself.
///
/// It is the minimum over the conditions that were examined. Conditions that were skipped, because
/// another one already decided, need not be noted: as long as the examined ones stay as they are, the
/// same ones are skipped again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextChange {
    after: Instant,
    earliest: Option<Instant>,
}

impl NextChange {
    /// Returns a collector of changes after an instant, with none noted.
    pub(crate) fn after(after: Instant) -> Self {
        Self {
            after,
            earliest: None,
        }
    }

    /// Notes that something may change at an instant, if that is still to come.
    pub(crate) fn note(&mut self, instant: Option<Instant>) {
        let Some(instant) = instant.filter(|instant| *instant > self.after) else {
            return;
        };
        if self.earliest.is_none_or(|earliest| instant < earliest) {
            self.earliest = Some(instant);
        }
    }

    /// Returns the earliest instant noted.
    pub(crate) fn earliest(self) -> Option<Instant> {
        self.earliest
    }
}
