//! Ids as types of their own, so that a customer is never passed where a tenant is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The longest id accepted, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 255;

/// The reason why a string is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// Control characters (line feeds, NUL) break logs, headers and Postgres text.
    #[error("contains a control character")]
    ControlCharacter,
    /// A tenant id ends at the first `/` of a record key.
    #[error("contains a '/'")]
    Slash,
}

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong);
    }
    if has_control_character(text) {
        return Err(InvalidId::ControlCharacter);
    }
    Ok(())
}

/// Returns whether a text contains a control character.
///
/// Runs for every id and name of every event. Nearly all are plain ASCII, which is recognised by its
/// bytes without an early exit, so that the compiler vectorises the loop.
pub(crate) fn has_control_character(text: &str) -> bool {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte);
    let plain = text.bytes().fold(true, |all, byte| all & plain(byte));
    !plain && text.chars().any(char::is_control)
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr, $make:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns an id of the text, or the rule that it violates.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                $check(text)?;
                Ok(Self($make(text)))
            }

            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn check_tenant(text: &str) -> Result<(), InvalidId> {
    if text.as_bytes().contains(&b'/') {
        return Err(InvalidId::Slash);
    }
    check(text)
}

text_id!(
    /// A tenant: one company, isolated from all other tenants.
    TenantId,
    check_tenant,
    crate::names::name
);
text_id!(
    /// A customer of one tenant, unique only within its tenant: see [`CustomerKey`].
    CustomerId,
    check,
    Arc::from
);

/// The id of one event, the unit of deduplication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A customer with its tenant: the owner of one state, and the key of its records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's customer.
    pub customer: CustomerId,
}

impl CustomerKey {
    /// Returns the key of this customer's records on the topic: `tenant_id/customer_id`.
    pub fn record_key(&self) -> String {
        format!("{}/{}", self.tenant, self.customer)
    }

    /// Returns the customer that the key of a record names, if it has the form of
    /// [`CustomerKey::record_key`].
    pub fn from_record_key(key: &[u8]) -> Option<Self> {
        let (tenant, customer) = std::str::from_utf8(key).ok()?.split_once('/')?;
        Some(Self {
            tenant: TenantId::new(tenant).ok()?,
            customer: CustomerId::new(customer).ok()?,
        })
    }
}
