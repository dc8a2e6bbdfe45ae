//! The JSON form of an event: one object, for `tidemark publish`, tests and people.

use serde_json::{Map, Value};

use super::fields::{Fields, Node, Shape, Unfit};
use super::payloads::PayloadKind;
use super::reading::{NotAnEvent, read_event};
use super::{CustomerEvent, InvalidEvent};
use crate::time::Instant;

/// The reason why a text is not an event.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON; the message names the column.
    #[error("not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// JSON, but not a valid event; names the field.
    #[error(transparent)]
    Invalid(#[from] Box<InvalidEvent>),
}

impl CustomerEvent {
    /// Reads and validates the JSON form.
    ///
    /// ```
    /// use tidemark_schemas::CustomerEvent;
    ///
    /// let text = r#"{
    ///     "event_id": "5f0c4bd6-6d47-4f3c-9f0e-0c9cf5e0f4a1",
    ///     "tenant_id": "acme", "customer_id": "42", "source": "hubspot",
    ///     "occurred_at": "2026-03-01T12:00:00Z",
    ///     "payload": {"type": "stage_entered", "journey": "purchase", "stage": "lead"}
    /// }"#;
    /// let event = CustomerEvent::from_json(text)?;
    /// assert_eq!(event.key().record_key(), "acme/42");
    ///
    /// let error = CustomerEvent::from_json(&text.replace("lead", "")).unwrap_err();
    /// assert_eq!(error.to_string(), "payload.stage: is empty");
    /// # Ok::<(), tidemark_schemas::event::JsonError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let value: Value = serde_json::from_str(text)?;
        let Value::Object(object) = value else {
            return Err(JsonError::Invalid(Box::new(InvalidEvent {
                field: "event",
                reason: "is not a JSON object".to_owned(),
                tenant: None,
                customer: None,
                sent_by: None,
            })));
        };
        read_event(fields_of(object), payload_fields).map_err(|error| match error {
            NotAnEvent::Invalid(invalid) => JsonError::Invalid(invalid),
            NotAnEvent::Newer(reason) => JsonError::Invalid(Box::new(InvalidEvent {
                field: "event",
                reason,
                tenant: None,
                customer: None,
                sent_by: None,
            })),
        })
    }

    /// The JSON form, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has text keys and finite numbers alone")
    }
}

fn fields_of(object: Map<String, Value>) -> Fields<Value> {
    Fields::new(object.into_iter().collect())
}

fn payload_fields(payload: Value) -> Result<(PayloadKind, Fields<Value>), Unfit> {
    let Value::Object(mut object) = payload else {
        return Err(Unfit::invalid("is not a JSON object"));
    };
    let known = || {
        PayloadKind::ALL
            .iter()
            .map(|kind| kind.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let word = match object.remove("type") {
        Some(Value::String(word)) => word,
        Some(_) => return Err(Unfit::invalid("has a type that is not text")),
        None => {
            return Err(Unfit::Invalid(format!(
                "has no type; the types are {}",
                known()
            )));
        }
    };
    let kind = PayloadKind::ALL.iter().find(|kind| kind.as_str() == word);
    let unknown = || {
        Unfit::Invalid(format!(
            "has an unknown type {word:?}; the types are {}",
            known()
        ))
    };
    Ok((*kind.ok_or_else(unknown)?, fields_of(object)))
}

impl Node for Value {
    const HAS_WRITER: bool = false;

    fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    fn open(self) -> Shape<Self> {
        match self {
            Self::Null => Shape::Null,
            Self::Bool(value) => Shape::Boolean(value),
            Self::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(long), _) => Shape::Long(long),
                (None, Some(double)) if number.is_f64() => Shape::Double(double),
                _ => Shape::Other("a whole number beyond 64 bits"),
            },
            Self::String(text) => Shape::Text(text),
            Self::Array(items) => Shape::List(items),
            Self::Object(object) => Shape::Record(object.into_iter().collect()),
        }
    }

    fn instant(self) -> Result<Instant, Unfit> {
        let Self::String(text) = self else {
            return Err(Unfit::invalid(
                "is not text; write a time such as 2026-03-01T12:00:00Z",
            ));
        };
        text.parse()
            .map_err(|error| Unfit::Invalid(format!("{text:?} is not an RFC 3339 time: {error}")))
    }
}
