//! Changes of discrete outputs, and their ids.

use std::sync::Arc;

use tidemark_schemas::{CustomerKey, EventId, Instant};
use xxhash_rust::xxh3::Xxh3;

/// What made an output change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An event.
    Event(EventId),
    /// Time alone.
    Timer,
    /// New definitions.
    Definition,
}

/// Which kind of output changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A segment was entered (`to` = the segment's name) or left (`from`).
    Segment,
    /// A journey's stage.
    Stage,
    /// The churn band.
    Band,
}

/// One discrete output changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which kind.
    pub kind: ChangeKind,
    /// Segment or journey; `churn` for a band.
    pub name: Arc<str>,
    /// Before.
    pub from: Option<Arc<str>>,
    /// After.
    pub to: Option<Arc<str>>,
    /// When it took effect.
    pub effective_at: Instant,
    /// Why.
    pub cause: Cause,
    /// Version of the definitions in force.
    pub definition_version: i64,
}

impl ChangeKind {
    /// As stored and published.
    pub fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Stage => "stage",
            Self::Band => "band",
        }
    }
}

impl Cause {
    /// As stored and published; which event is said beside it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::Timer => "timer",
            Self::Definition => "definition",
        }
    }
}

impl Change {
    /// The id of this change, derived from its content alone: folding again after a crash gives the
    /// same. A UUID of version 8.
    pub fn id(&self, customer: &CustomerKey) -> u128 {
        let Self {
            kind,
            name,
            from,
            to,
            effective_at,
            cause,
            definition_version,
        } = self;
        let mut hasher = Xxh3::new();
        // Lengths go in front, so that no two contents run together to the same bytes.
        let mut text = |text: Option<&str>| {
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            hasher.update(&length.to_le_bytes());
            hasher.update(text.unwrap_or_default().as_bytes());
        };
        text(Some("tidemark change 1"));
        text(Some(customer.tenant.as_str()));
        text(Some(customer.customer.as_str()));
        text(Some(kind.name()));
        text(Some(name));
        text(from.as_deref());
        text(to.as_deref());
        text(Some(cause.name()));
        let event = match cause {
            Cause::Event(id) => *id.0.as_bytes(),
            Cause::Timer | Cause::Definition => [0; 16],
        };
        hasher.update(&event);
        hasher.update(&effective_at.micros().to_le_bytes());
        hasher.update(&definition_version.to_le_bytes());
        as_uuid(hasher.digest128())
    }
}

/// Marks 122 bits of a hash as a UUID of version 8 (RFC 9562: made by the application).
fn as_uuid(hash: u128) -> u128 {
    const VERSION_MASK: u128 = 0xf << 76;
    const VERSION_8: u128 = 8 << 76;
    const VARIANT_MASK: u128 = 0b11 << 62;
    const VARIANT: u128 = 0b10 << 62;
    hash & !VERSION_MASK & !VARIANT_MASK | VERSION_8 | VARIANT
}
