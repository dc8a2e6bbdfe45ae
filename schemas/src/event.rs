//! The customer event, as a CRM reports it, unique by its id.
//!
//! One set of types serves both forms. Serde formats that people read (JSON) show instants in
//! RFC 3339 and a payload as `{"type": "order_placed", …}`; binary ones (Avro) show microseconds
//! and a union. [`CustomerEvent::from_json`] is the way in for people: its errors name the field.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, CustomerKey, EventId, TenantId};
use crate::time::Instant;

pub(crate) mod fields;
mod json;
mod payloads;
pub(crate) mod reading;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod validate;
mod words;

pub use crate::value::AttributeMap;
pub use json::JsonError;
pub use payloads::{
    ActionAnswered, ActionOffered, ActivityTracked, CampaignTouched, ConsentChanged,
    ConversationClosed, CustomerErased, IdentityMerged, IdentityUnmerged, MessageExchanged,
    OrderItem, OrderPlaced, OrderRefunded, Payload, PayloadKind, ProfileUpdated, StageEntered,
    SubscriptionChanged, TicketChanged,
};
pub use validate::{
    EARLIEST, InvalidEvent, MAX_AMOUNT_MINOR, MAX_ATTRIBUTES, MAX_ITEMS, MAX_NAME_BYTES,
    MAX_TEXT_BYTES,
};
pub use words::{Channel, Direction, Outcome, SubscriptionStatus};

/// One event of one customer. Every value of this type has passed [`CustomerEvent::validate`]
/// when it came from a decoder of this crate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerEvent {
    /// The id, chosen by the producer; the same id is the same event.
    #[serde(with = "event_id_as_text")]
    pub event_id: EventId,
    /// The tenant of the customer.
    pub tenant_id: TenantId,
    /// The customer, within the tenant.
    pub customer_id: CustomerId,
    /// The CRM that reports the event, for example `hubspot`.
    #[serde(deserialize_with = "crate::names::deserialize")]
    pub source: Arc<str>,
    /// The instant at which the event happened, not at which it was sent.
    pub occurred_at: Instant,
    /// The content of the event.
    pub payload: Payload,
}

impl CustomerEvent {
    /// Returns the customer with its tenant.
    pub fn key(&self) -> CustomerKey {
        CustomerKey {
            tenant: self.tenant_id.clone(),
            customer: self.customer_id.clone(),
        }
    }
}

/// Avro's uuid is text, while `Uuid` itself becomes bytes in binary formats.
mod event_id_as_text {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};
    use uuid::Uuid;

    use crate::ids::EventId;

    pub(super) fn serialize<S: Serializer>(id: &EventId, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        serializer.serialize_str(id.0.hyphenated().encode_lower(&mut buffer))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<EventId, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = EventId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a UUID")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<EventId, E> {
                Uuid::try_parse(text).map(EventId).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}
