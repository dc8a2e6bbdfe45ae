//! Parking: an event that cannot be folded is kept whole, with the reason.

/// The reason why an event is parked. Faults of the system (an unavailable database) are not reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The value is not in the Confluent wire format, or not data of its schema.
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
    /// Found in another partition than its expected one, and not forwarded.
    Misrouted,
    /// The tenant is not defined, and too many others are not: the event is redriven once it is.
    UnknownTenant,
    /// Folding it panicked: a bug of ours, kept for when it is mended.
    Panic,
    /// The customer's id is one that producers send where they know no customer.
    PlaceholderId,
    /// The customer has reached the bound of its tenant's definitions.
    CustomerTooLarge,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Undecodable,
        Self::UnknownSchema,
        Self::Incompatible,
        Self::Invalid,
        Self::Late,
        Self::Misrouted,
        Self::UnknownTenant,
        Self::Panic,
        Self::PlaceholderId,
        Self::CustomerTooLarge,
    ];

    /// Returns the name in tables, metrics and commands.
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
            Self::PlaceholderId => "placeholder_id",
            Self::CustomerTooLarge => "customer_too_large",
        }
    }

    /// The reason stored under a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Returns whether the fault is one customer's: the tenant's other customers have no such events.
    pub(crate) const fn is_of_one_customer(self) -> bool {
        matches!(self, Self::PlaceholderId | Self::CustomerTooLarge)
    }

    /// Returns whether the reason counts towards the tenant's halt. Late and misrouted events do not,
    /// because they need not be a fault; nor do those of placeholder ids and of customers that are too large,
    /// which stop no others, and events of tenants that are undefined.
    pub(crate) const fn counts_towards_halt(self) -> bool {
        match self {
            Self::Undecodable
            | Self::UnknownSchema
            | Self::Incompatible
            | Self::Invalid
            | Self::Panic => true,
            Self::Misrouted
            | Self::Late
            | Self::UnknownTenant
            | Self::PlaceholderId
            | Self::CustomerTooLarge => false,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
