//! Changes of discrete outputs.

use std::sync::Arc;

use tidemark_schemas::{EventId, Instant};

/// The cause of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An event.
    Event(EventId),
    /// Time alone.
    Timer,
    /// New definitions.
    Definition,
    /// A version of Tidemark that evaluates otherwise ([`EVALUATION_VERSION`](crate::evaluated)).
    Evaluation,
}

/// The kind of output that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A segment was entered (`to` = the segment's name) or left (`from`).
    Segment,
    /// A journey's stage.
    Stage,
    /// The churn band.
    Band,
    /// The RFM cell, as three digits: recency, frequency, monetary.
    Rfm,
    /// The cluster, from 1.
    Cluster,
    /// The band of a subscriber: how likely it is to cancel.
    RenewalBand,
    /// A trigger fired: its name, and the action to take (`to`), or else its name again.
    Trigger,
}

/// One discrete output changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind.
    pub kind: ChangeKind,
    /// Segment or journey; `churn` for a band; of where models place a customer the kind's own; of a
    /// trigger its name.
    pub name: Arc<str>,
    /// The value before the change.
    pub from: Option<Arc<str>>,
    /// The value after the change.
    pub to: Option<Arc<str>>,
    /// The effective time.
    pub effective_at: Instant,
    /// The cause.
    pub cause: Cause,
    /// Version of the definitions in force.
    pub definition_version: i64,
}

impl ChangeKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Segment,
        Self::Stage,
        Self::Band,
        Self::Rfm,
        Self::Cluster,
        Self::RenewalBand,
        Self::Trigger,
    ];

    /// Returns the stored and published name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Stage => "stage",
            Self::Band => "band",
            Self::Rfm => "rfm",
            Self::Cluster => "cluster",
            Self::RenewalBand => "renewal_band",
            Self::Trigger => "trigger",
        }
    }
}

impl Cause {
    /// Returns the stored and published name; the id of an event is stored beside it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::Timer => "timer",
            Self::Definition => "definition",
            Self::Evaluation => "evaluation",
        }
    }
}
