//! The steps of a customer's processing that are guarded: a panic in one of them quarantines the customer.

use tidemark_schemas::CustomerKey;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A timer that fires.
    Timer,
    /// A re-evaluation by other definitions, by itself.
    Evaluation,
    /// The same before an event is folded.
    EvaluationBeforeEvent,
    /// The fold of an event. Its first panic parks the event.
    Event,
    /// The encoding of the customer's rows.
    Rows,
}

impl Step {
    /// Returns the name in messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "a timer",
            Self::Evaluation => "an evaluation",
            Self::EvaluationBeforeEvent => "an evaluation before an event",
            Self::Event => "the fold of an event",
            Self::Rows => "the encoding of its rows",
        }
    }

    /// Begins the step for a customer. Panics where a test wants it: the file named by `TEST_FAULTS` has a line
    /// with the step and the customer. No release build contains this.
    #[cfg(feature = "test-faults")]
    #[expect(clippy::disallowed_methods, reason = "no setting of a processor")]
    pub(super) fn begin(self, key: &CustomerKey) {
        use std::path::PathBuf;
        use std::sync::LazyLock;

        static FILE: LazyLock<Option<PathBuf>> =
            LazyLock::new(|| std::env::var_os("TEST_FAULTS").map(PathBuf::from));
        let Some(file) = &*FILE else { return };
        let faults = std::fs::read_to_string(file).unwrap_or_default();
        let this = format!("{} of {}/{}", self.as_str(), key.tenant, key.customer);
        assert!(
            !faults.lines().any(|fault| fault == this),
            "a fault that a test causes"
        );
    }

    /// Begins the step for a customer.
    #[cfg(not(feature = "test-faults"))]
    #[expect(clippy::unused_self, reason = "as in a build for tests")]
    pub(super) const fn begin(self, _: &CustomerKey) {}
}
