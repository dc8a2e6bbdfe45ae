//! The rules of every event beyond its types.
//!
//! Bounds are generous for people and finite for machines: an event that passes can be folded
//! without overflow, kept in Postgres `text` and `jsonb`, and printed on a line.

use std::sync::Arc;

use super::payloads::Payload;
use super::{AttributeMap, CustomerEvent};
use crate::ids::{CustomerId, TenantId, has_control_character};
use crate::time::Instant;
use crate::value::AttributeValue;

/// The longest name or business key (an order id, a stage, an attribute's name), in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// The longest text value of an attribute, and the longest reason of an erasure, in bytes.
pub const MAX_TEXT_BYTES: usize = 32 * 1024;
/// The most attributes or properties of one event.
pub const MAX_ATTRIBUTES: usize = 1_000;
/// The most lines of one order.
pub const MAX_ITEMS: usize = 1_000;
/// The largest amount of one event: ten trillion of a currency with cents. Nine thousand of
/// them still fit the 64-bit sums that folds keep.
pub const MAX_AMOUNT_MINOR: i64 = 1_000_000_000_000_000;
/// 1900-01-01T00:00:00Z. No CRM's customer did anything before; such times are unset fields and
/// wrong units.
pub const EARLIEST: Instant = match Instant::from_micros(-2_208_988_800_000_000) {
    Some(instant) => instant,
    None => Instant::MIN,
};

/// An event that is not valid: what parking and people are told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidEvent {
    /// The field, with a dot before a payload's own: `occurred_at`, `payload.amount_minor`.
    pub field: &'static str,
    /// The violated rule.
    pub reason: String,
    /// The tenant of the event, where readable.
    pub tenant: Option<TenantId>,
    /// The customer of the event, where readable.
    pub customer: Option<CustomerId>,
    /// The source of the event, where readable.
    pub sent_by: Option<Arc<str>>,
}

type Fault = (&'static str, String);

impl CustomerEvent {
    /// Checks what the types do not.
    ///
    /// Times in the future are not checked here: what is future depends on when the record was
    /// appended.
    pub fn validate(&self) -> Result<(), InvalidEvent> {
        self.fault().map_err(|(field, reason)| InvalidEvent {
            field,
            reason,
            tenant: Some(self.tenant_id.clone()),
            customer: Some(self.customer_id.clone()),
            sent_by: Some(Arc::clone(&self.source)),
        })
    }

    fn fault(&self) -> Result<(), Fault> {
        name("source", &self.source)?;
        if self.occurred_at < EARLIEST {
            return Err((
                "occurred_at",
                format!("{} is before 1900", self.occurred_at),
            ));
        }
        self.payload_fault()
    }

    fn payload_fault(&self) -> Result<(), Fault> {
        match &self.payload {
            Payload::ProfileUpdated(event) => attributes("payload.attributes", &event.attributes),
            Payload::ActivityTracked(event) => {
                name("payload.name", &event.name)?;
                attributes("payload.properties", &event.properties)
            }
            Payload::OrderPlaced(_) | Payload::OrderRefunded(_) => self.order_fault(),
            Payload::SubscriptionChanged(event) => {
                name("payload.subscription_id", &event.subscription_id)?;
                name("payload.plan", &event.plan)?;
                amount("payload.mrr_minor", event.mrr_minor)
            }
            Payload::StageEntered(event) => {
                name("payload.journey", &event.journey)?;
                name("payload.stage", &event.stage)
            }
            Payload::MessageExchanged(_) | Payload::ConversationClosed(_) => {
                self.conversation_fault()
            }
            Payload::TicketChanged(event) => {
                name("payload.ticket_id", &event.ticket_id)?;
                name("payload.status", &event.status)?;
                name("payload.priority", &event.priority)
            }
            Payload::CampaignTouched(event) => {
                name("payload.campaign", &event.campaign)?;
                name("payload.channel", &event.channel)?;
                cost(event.cost_minor, event.currency.is_some())
            }
            Payload::ActionOffered(event) => {
                name("payload.action", &event.action)?;
                name("payload.offer_id", &event.offer_id)
            }
            Payload::ActionAnswered(event) => name("payload.offer_id", &event.offer_id),
            Payload::ConsentChanged(event) => name("payload.purpose", &event.purpose),
            Payload::IdentityMerged(event) => {
                self.another("payload.into_customer_id", &event.into_customer_id)
            }
            Payload::IdentityUnmerged(event) => {
                self.another("payload.from_customer_id", &event.from_customer_id)
            }
            // An erasure is never refused for want of a reason.
            Payload::CustomerErased(event) => text("payload.reason", &event.reason),
        }
    }

    fn order_fault(&self) -> Result<(), Fault> {
        match &self.payload {
            Payload::OrderPlaced(event) => {
                name("payload.order_id", &event.order_id)?;
                amount("payload.amount_minor", event.amount_minor)?;
                optional_name("payload.channel", event.channel.as_deref())?;
                let items = event.items.as_deref().unwrap_or_default();
                at_most("payload.items", items.len(), MAX_ITEMS)?;
                for item in items {
                    name("payload.items.sku", &item.sku)?;
                    amount("payload.items.unit_amount_minor", item.unit_amount_minor)?;
                    if item.quantity <= 0 {
                        let reason = format!("{} is not a positive number", item.quantity);
                        return Err(("payload.items.quantity", reason));
                    }
                }
                Ok(())
            }
            Payload::OrderRefunded(event) => {
                name("payload.order_id", &event.order_id)?;
                amount("payload.amount_minor", event.amount_minor)
            }
            _ => Ok(()),
        }
    }

    fn conversation_fault(&self) -> Result<(), Fault> {
        match &self.payload {
            Payload::MessageExchanged(event) => {
                name("payload.conversation_id", &event.conversation_id)?;
                optional_name("payload.agent", event.agent.as_deref())?;
                optional_name("payload.intent", event.intent.as_deref())?;
                if let Some(sentiment) = event.sentiment
                    && !(-1.0..=1.0).contains(&sentiment.get())
                {
                    let reason = format!("{} is not between -1 and 1", sentiment.get());
                    return Err(("payload.sentiment", reason));
                }
                match event.response_ms {
                    Some(ms) if ms < 0 => Err(("payload.response_ms", format!("{ms} is negative"))),
                    _ => Ok(()),
                }
            }
            Payload::ConversationClosed(event) => {
                name("payload.conversation_id", &event.conversation_id)?;
                optional_name("payload.agent", event.agent.as_deref())
            }
            _ => Ok(()),
        }
    }

    fn another(&self, field: &'static str, other: &CustomerId) -> Result<(), Fault> {
        if *other == self.customer_id {
            return Err((field, "is the event's own customer".to_owned()));
        }
        Ok(())
    }
}

fn at_most(field: &'static str, count: usize, most: usize) -> Result<(), Fault> {
    if count > most {
        return Err((
            field,
            format!("has {count} entries; at most {most} are allowed"),
        ));
    }
    Ok(())
}

fn name(field: &'static str, text: &str) -> Result<(), Fault> {
    name_reason(text).map_or(Ok(()), |reason| Err((field, reason)))
}

fn name_reason(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("is empty".to_owned());
    }
    if text.len() > MAX_NAME_BYTES {
        return Some(format!("is longer than {MAX_NAME_BYTES} bytes"));
    }
    has_control_character(text).then(|| "contains a control character".to_owned())
}

fn optional_name(field: &'static str, text: Option<&str>) -> Result<(), Fault> {
    text.map_or(Ok(()), |text| name(field, text))
}

fn text(field: &'static str, text: &str) -> Result<(), Fault> {
    text_reason(text).map_or(Ok(()), |reason| Err((field, reason)))
}

fn text_reason(text: &str) -> Option<String> {
    if text.len() > MAX_TEXT_BYTES {
        return Some(format!("is longer than {MAX_TEXT_BYTES} bytes"));
    }
    text.contains('\0')
        .then(|| "contains a NUL character, which Postgres cannot keep".to_owned())
}

fn amount(field: &'static str, minor: i64) -> Result<(), Fault> {
    if minor < 0 {
        return Err((field, format!("{minor} is negative")));
    }
    if minor > MAX_AMOUNT_MINOR {
        return Err((field, format!("{minor} is larger than {MAX_AMOUNT_MINOR}")));
    }
    Ok(())
}

fn cost(minor: Option<i64>, has_currency: bool) -> Result<(), Fault> {
    let Some(minor) = minor else {
        return Ok(());
    };
    amount("payload.cost_minor", minor)?;
    if !has_currency {
        return Err((
            "payload.currency",
            "is missing though a cost is given".to_owned(),
        ));
    }
    Ok(())
}

fn attributes(field: &'static str, map: &AttributeMap) -> Result<(), Fault> {
    at_most(field, map.len(), MAX_ATTRIBUTES)?;
    for (key, value) in map {
        if let Some(reason) = name_reason(key) {
            return Err((field, format!("the name {key:.40?} {reason}")));
        }
        let reason = match value {
            AttributeValue::String(text) => text_reason(text),
            AttributeValue::Double(double) if !double.get().is_finite() => {
                Some("is not a finite number".to_owned())
            }
            AttributeValue::Double(_)
            | AttributeValue::Null
            | AttributeValue::Boolean(_)
            | AttributeValue::Long(_) => None,
        };
        if let Some(reason) = reason {
            return Err((field, format!("{key:?} {reason}")));
        }
    }
    Ok(())
}
