//! Listing and showing parked events: writes nothing but the audit.

use std::sync::Arc;

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::{Value, json};
use tidemark_kafka::headers::Header;
use tidemark_processor::store::{OperatorStore, ParkedEvent, ParkedFilter};
use tidemark_schemas::Instant;
use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::registry::RegistryClient;

use super::selection::{Position, Selection};
use crate::config::{Config, user_name};
use crate::kafka::events::registry_config;
use crate::output;

/// A parked event without its bytes.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    partition: i32,
    offset: i64,
    tenant: Option<&'a str>,
    customer: Option<&'a str>,
    source: Option<&'a str>,
    reason: &'a str,
    detail: &'a str,
    field: Option<&'a str>,
    appended_at: Instant,
    parked_at: Instant,
}

impl<'a> From<&'a ParkedEvent> for Listed<'a> {
    fn from(parked: &'a ParkedEvent) -> Self {
        let event = &parked.event;
        Self {
            partition: parked.partition,
            offset: event.offset,
            tenant: event
                .tenant
                .as_ref()
                .map(tidemark_schemas::TenantId::as_str),
            customer: event.customer.as_deref(),
            source: event.source.as_deref(),
            reason: event.reason.as_str(),
            detail: &event.detail,
            field: event.field.as_deref(),
            appended_at: event.appended_at,
            parked_at: parked.parked_at,
        }
    }
}

pub(super) async fn list(
    store: &OperatorStore,
    selection: &Selection,
    limit: i64,
    json: bool,
) -> anyhow::Result<()> {
    let filter = selection.filter();
    let events = store.list_parked(&filter, (-1, -1), limit.max(0)).await?;
    let listed: Vec<Listed<'_>> = events.iter().map(Listed::from).collect();
    if json {
        return output::json(&listed);
    }
    for event in &listed {
        let customer = match (event.tenant, event.customer) {
            (Some(tenant), Some(customer)) => format!("{tenant}/{customer}"),
            (Some(tenant), None) => tenant.to_owned(),
            (None, _) => "unknown tenant".to_owned(),
        };
        output::line(format!(
            "{}@{}  {}  {customer}  {}: {}",
            event.partition, event.offset, event.parked_at, event.reason, event.detail
        ));
    }
    let all: i64 = store
        .count_parked(&filter)
        .await?
        .iter()
        .map(|count| count.events)
        .sum();
    output::line(match all {
        0 => "no parked event matches".to_owned(),
        all => format!("{} of {all} events", listed.len()),
    });
    Ok(())
}

pub(super) async fn show(
    store: &OperatorStore,
    config: &Config,
    position: Position,
    json: bool,
) -> anyhow::Result<()> {
    let filter = ParkedFilter {
        positions: vec![(position.partition, position.offset)],
        ..ParkedFilter::default()
    };
    let Some(parked) = store.list_parked(&filter, (-1, -1), 1).await?.pop() else {
        bail!("no event is parked at {position}: `tidemark parked list` prints the positions");
    };
    let tenant = parked.event.tenant.as_ref();
    let tenant = tenant.map_or("", tidemark_schemas::TenantId::as_str);
    let target = format!("{}/{position}", store.generation().topic);
    store
        .database()
        .audit_operator(tenant, &user_name(), "parked.show", &target)
        .await?;
    let shown = describe(&parked, decode(config, &parked).await);
    if json {
        return output::json(&shown);
    }
    output::line(serde_json::to_string_pretty(&shown)?);
    Ok(())
}

/// Decodes the event by its writer's schema, or returns why it cannot be decoded.
async fn decode(config: &Config, parked: &ParkedEvent) -> Result<Value, String> {
    let Some(value) = &parked.event.value else {
        return Err("the record has no value".to_owned());
    };
    let client = RegistryClient::new(&registry_config(&config.registry));
    let decoder = Decoder::new(Arc::new(client.map_err(|error| error.to_string())?));
    match decoder.describe(value) {
        Err(DecodeError::SchemaNeeded { id }) => {
            decoder.fetch(id).await.map_err(|error| error.to_string())?;
            decoder.describe(value).map_err(|error| error.to_string())
        }
        event => event.map_err(|error| error.to_string()),
    }
}

fn describe(parked: &ParkedEvent, decoded: Result<Value, String>) -> Value {
    let event = &parked.event;
    let headers: Vec<Value> = event
        .headers
        .iter()
        .map(|header| {
            let bytes = header.value.as_deref();
            json!({
                "name": name(header),
                "text": bytes.and_then(text),
                "base64": bytes.map(|b| BASE64.encode(b)),
            })
        })
        .collect();
    let (decoded, not_decoded) = match decoded {
        Ok(decoded) => (Some(decoded), None),
        Err(why) => (None, Some(why)),
    };
    json!({
        "event": Listed::from(parked),
        "decoded": decoded,
        "not_decoded": not_decoded,
        "headers": headers,
        "key": event.key.as_deref().map(bytes),
        "value": event.value.as_deref().map(bytes),
    })
}

/// Returns a header's name as text, or as `{"base64": …}` if it is not UTF-8.
fn name(header: &Header) -> Value {
    header.name_as_text().map_or_else(
        || json!({ "base64": BASE64.encode(&header.name) }),
        Value::from,
    )
}

/// Returns bytes as text where they are UTF-8, as hexadecimal and as Base64.
fn bytes(bytes: &[u8]) -> Value {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "text": text(bytes), "hex": hex.concat(), "base64": BASE64.encode(bytes) })
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
