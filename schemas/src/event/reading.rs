//! Reads an event out of the fields of a record, and validates it.

use std::sync::Arc;

use super::CustomerEvent;
use super::fields::{Fields, Node, Unfit, Unreadable, missing};
use super::payloads::{Payload, PayloadKind};
use super::validate::InvalidEvent;
use crate::ids::{CustomerId, TenantId};

/// The reason why a tree is not an event.
#[derive(Debug)]
pub(crate) enum NotAnEvent {
    Invalid(Box<InvalidEvent>),
    Newer(String),
}

/// Reads and validates an event; `payload` tells which record the payload is.
pub(crate) fn read_event<N: Node>(
    mut fields: Fields<N>,
    payload: impl FnOnce(N) -> Result<(PayloadKind, Fields<N>), Unfit>,
) -> Result<CustomerEvent, NotAnEvent> {
    let tenant = fields.read::<TenantId>("tenant_id");
    let customer = fields.read::<CustomerId>("customer_id");
    let source = fields.read::<Arc<str>>("source");
    let (known_tenant, known_customer, known_source) = (
        tenant.as_ref().ok().cloned(),
        customer.as_ref().ok().cloned(),
        source.as_ref().ok().cloned(),
    );
    let event = tenant.and_then(|tenant| read_rest(fields, tenant, customer?, source, payload));
    let event = event.map_err(|Unreadable { field, why }| match why {
        Unfit::Newer(reason) => NotAnEvent::Newer(format!("{field}: {reason}")),
        Unfit::Invalid(reason) => NotAnEvent::Invalid(Box::new(InvalidEvent {
            field,
            reason,
            tenant: known_tenant,
            customer: known_customer,
            sent_by: known_source,
        })),
    })?;
    event
        .validate()
        .map_err(|invalid| NotAnEvent::Invalid(Box::new(invalid)))?;
    Ok(event)
}

const EVENT_FIELDS: &[&str] = &[
    "event_id",
    "tenant_id",
    "customer_id",
    "source",
    "occurred_at",
    "payload",
];

fn read_rest<N: Node>(
    mut fields: Fields<N>,
    tenant_id: TenantId,
    customer_id: CustomerId,
    source: Result<Arc<str>, Unreadable>,
    payload: impl FnOnce(N) -> Result<(PayloadKind, Fields<N>), Unfit>,
) -> Result<CustomerEvent, Unreadable> {
    let event_id = fields.read("event_id")?;
    let source = source?;
    let occurred_at = fields
        .take("occurred_at")
        .ok_or_else(|| missing("occurred_at"))?;
    let occurred_at = occurred_at.instant().map_err(|why| Unreadable {
        field: "occurred_at",
        why,
    })?;
    let node = fields.take("payload").ok_or_else(|| missing("payload"))?;
    let (kind, payload_fields) = payload(node).map_err(|why| Unreadable {
        field: "payload",
        why,
    })?;
    let payload = Payload::read(kind, payload_fields)?;
    fields.finish("event", EVENT_FIELDS)?;
    Ok(CustomerEvent {
        event_id,
        tenant_id,
        customer_id,
        source,
        occurred_at,
        payload,
    })
}
