//! The formats of bundles, and what every version of Tidemark can tell of a record in any of them.
//!
//! Whether a record is in force follows from the log alone, the same for every version. What is valid
//! in a format is therefore fixed for good: `projections/tests/meaning/frozen.rs` holds it, and whatever
//! is to be valid, or invalid, besides is a new format. A version that does not know a record's format
//! can neither apply nor reject it.

use serde::Deserialize;
use tidemark_schemas::Currency;

use super::source::TenantSource;
use super::{NotApplied, Rejected};

/// The largest record of the definitions topic, in every format.
pub const MAX_BUNDLE_BYTES: usize = 1024 * 1024;
/// The newest format that this version reads. It writes the oldest that holds what a bundle contains, so
/// that older versions can go on with it.
pub const NEWEST_FORMAT: u32 = 4;
/// The format that brought the settings `name`, `placeholder_ids` and `max_customer_kib`.
const NAMES_AND_BOUNDS: u32 = 2;
/// The format that brought offboarding.
const OFFBOARDING: u32 = 3;
/// The format that brought the types of attributes, and retired currencies.
const ATTRIBUTE_TYPES: u32 = 4;
/// The format from which on a record names the version that wrote it.
pub(super) const WRITER: u32 = 2;

/// A record of a format that this version does not know. Nothing behind it can be applied or rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "definitions version {version} has format {format}, and this is tidemark {}, which reads formats up \
     to {NEWEST_FORMAT}: run tidemark {} or newer",
    env!("CARGO_PKG_VERSION"),
    .writer.as_deref().unwrap_or("of the version that wrote it")
)]
pub struct UnknownFormat {
    /// The record's version (offset).
    pub version: i64,
    /// The record's format.
    pub format: u32,
    /// The version of Tidemark that wrote the record, if it says so.
    pub writer: Option<String>,
}

impl UnknownFormat {
    /// Returns what a record says of its format, whether or not it is unknown; `None` where it says
    /// nothing.
    pub fn of_record(version: i64, record: &[u8]) -> Option<Self> {
        let Envelope { format, writer, .. } = serde_json::from_slice(record).ok()?;
        Some(Self {
            version,
            format,
            writer,
        })
    }

    /// Returns an error if a format that was kept with definitions is not known.
    pub(super) fn check(format: i32, version: i64) -> Result<(), Self> {
        let format = u32::try_from(format).unwrap_or_default();
        if format <= NEWEST_FORMAT {
            return Ok(());
        }
        Err(Self {
            version,
            format,
            writer: None,
        })
    }
}

/// The members that mean the same in every format; a format may have any others.
#[derive(Debug, Deserialize)]
struct Envelope {
    format: u32,
    based_on: Option<i64>,
    /// Written from format 2 on.
    #[serde(default)]
    writer: Option<String>,
}

/// Returns the oldest format that holds these definitions, and offboardings if there are any.
pub(super) fn needed(tenants: &[TenantSource], has_offboardings: bool) -> u32 {
    let is_newer = |TenantSource { tenant, .. }: &TenantSource| {
        tenant.name.is_some()
            || tenant.placeholder_ids.is_some()
            || tenant.max_customer_kib.is_some()
    };
    let has_types = |TenantSource { tenant, .. }: &TenantSource| {
        let mut attributes = tenant.attributes.values();
        attributes.any(|declared| {
            declared.kind.is_some() || declared.decimal.is_some() || declared.unit.is_some()
        })
    };
    let has_retired = |TenantSource { tenant, .. }: &TenantSource| {
        let mut codes = tenant.rates.keys().chain([&tenant.currency]);
        codes.any(|code| Currency::new(code).is_some_and(Currency::is_retired))
    };
    if tenants.iter().any(|of| has_types(of) || has_retired(of)) {
        ATTRIBUTE_TYPES
    } else if has_offboardings {
        OFFBOARDING
    } else if tenants.iter().any(is_newer) {
        NAMES_AND_BOUNDS
    } else {
        1
    }
}

/// Checks of a record what holds for every format: its size, its envelope, and that it is based on the
/// newest version.
pub(super) fn check_envelope(
    record: &[u8],
    version: i64,
    newest: Option<i64>,
) -> Result<(), NotApplied> {
    let invalid = |reason: String| Err(Rejected::Invalid(reason).into());
    if record.len() > MAX_BUNDLE_BYTES {
        return invalid(format!(
            "{} bytes are more than {MAX_BUNDLE_BYTES}",
            record.len()
        ));
    }
    let envelope: Envelope = match serde_json::from_slice(record) {
        Ok(envelope) => envelope,
        Err(error) => return invalid(error.to_string()),
    };
    let Envelope {
        format,
        based_on,
        writer,
    } = envelope;
    if format == 0 {
        return invalid("format 0 does not exist: the first is 1".to_owned());
    }
    if based_on != newest {
        return Err(Rejected::Conflict { based_on, newest }.into());
    }
    if format > NEWEST_FORMAT {
        return Err(UnknownFormat {
            version,
            format,
            writer,
        }
        .into());
    }
    Ok(())
}
