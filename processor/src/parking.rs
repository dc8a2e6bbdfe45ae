//! Parking: an event that cannot be folded is kept whole, with the reason.

use tidemark_projections::state::Late;
use tidemark_schemas::{Instant, TenantId};

use crate::record::Record;
use crate::store::ParkedRow;

/// Why an event is parked. A fault of ours (database away, registry away) is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Not an event in the Confluent wire format, or not one of its schema.
    Undecodable,
    /// The registry says that the schema does not exist.
    UnknownSchema,
    /// The writer's schema cannot be read as ours.
    Incompatible,
    /// Decoded, but a field makes no sense.
    Invalid,
    /// Too far behind the customer's newest event to be told from a duplicate; redriven by itself
    /// once it is accepted.
    Late,
    /// Found in a partition that is not its customer's home.
    Misrouted,
    /// Of a tenant that is not defined; redriven by itself once it is.
    UnknownTenant,
    /// Folding it panicked: a bug of ours, kept for when it is mended.
    Panic,
    /// Of a tenant that is halted in this partition; redriven by itself when it is resumed.
    Halted,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Undecodable,
        Self::UnknownSchema,
        Self::Incompatible,
        Self::Invalid,
        Self::Late,
        Self::Misrouted,
        Self::UnknownTenant,
        Self::Panic,
        Self::Halted,
    ];

    /// As stored and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnknownSchema => "unknown_schema",
            Self::Incompatible => "incompatible",
            Self::Invalid => "invalid",
            Self::Late => "late",
            Self::Misrouted => "misrouted",
            Self::UnknownTenant => "unknown_tenant",
            Self::Panic => "panic",
            Self::Halted => "halted",
        }
    }

    /// The reason stored under a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Whether it speaks against the tenant's producers. A late event may be nobody's fault, and a
    /// tenant that is not defined, or halted already, has nothing left to halt.
    pub(crate) const fn counts_towards_halt(self) -> bool {
        match self {
            Self::Undecodable
            | Self::UnknownSchema
            | Self::Incompatible
            | Self::Invalid
            | Self::Misrouted
            | Self::Panic => true,
            Self::Late | Self::UnknownTenant | Self::Halted => false,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The decision to park, with what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Park {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) customer: Option<String>,
}

impl Park {
    /// Of a record of which nothing could be read.
    pub(crate) fn unread(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            field: None,
            tenant: None,
            customer: None,
        }
    }

    /// Of an event.
    pub(crate) fn event(
        event: &tidemark_schemas::CustomerEvent,
        reason: Reason,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            detail: detail.into(),
            field: None,
            tenant: Some(event.tenant_id.clone()),
            customer: Some(event.customer_id.as_str().to_owned()),
        }
    }

    /// Of an event that came too late.
    pub(crate) fn late(event: &tidemark_schemas::CustomerEvent, late: &Late) -> Self {
        Self::event(event, Reason::Late, late.to_string())
    }

    /// Of an event whose tenant is halted.
    pub(crate) fn halted(event: &tidemark_schemas::CustomerEvent) -> Self {
        let detail = format!(
            "tenant {} is halted in this partition: it is folded when the tenant is resumed",
            event.tenant_id
        );
        Self::event(event, Reason::Halted, detail)
    }

    /// The row that keeps the record.
    pub(crate) fn row(self, record: &Record, appended_at: Instant) -> ParkedRow {
        // Postgres text holds no NUL; the detail may quote what a producer sent.
        let clean = |text: String| text.replace('\0', "\u{fffd}");
        ParkedRow {
            offset: record.offset,
            tenant: self.tenant,
            customer: self.customer,
            reason: self.reason,
            detail: clean(self.detail),
            field: self.field.map(clean),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
            appended_at,
        }
    }
}
