//! Reads fields by name out of a tree of values, so that every error names its field.
//!
//! JSON and Avro of another schema version both arrive as such trees ([`Node`]). Avro with a writer
//! schema that equals ours does not pass here: see `codec`.

use std::sync::Arc;

use uuid::Uuid;

use crate::ids::{CustomerId, EventId, TenantId};
use crate::time::Instant;
use crate::value::{AttributeMap, AttributeValue, Currency, Double};

/// A value of a tree, opened.
pub(crate) enum Shape<N> {
    Null,
    Boolean(bool),
    Long(i64),
    Double(f64),
    Text(String),
    List(Vec<N>),
    Record(Vec<(String, N)>),
    /// A value of a type that events do not hold, with the name of that type.
    Other(&'static str),
}

/// A tree of values: JSON, or an Avro value read with its writer's schema.
pub(crate) trait Node: Sized {
    /// Whether a writer's schema may be newer than ours, so that fields and words unknown here
    /// are evolution. Without one they are mistakes.
    const HAS_WRITER: bool;

    fn is_null(&self) -> bool;

    fn open(self) -> Shape<Self>;

    /// Returns the date or time that a value is by its writer's schema, as RFC 3339.
    fn date_or_time(&self) -> Option<String> {
        None
    }

    /// The instant in the form's own notation.
    fn instant(self) -> Result<Instant, Unfit>;
}

/// The reason why a value does not fit its field.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The value is wrong.
    Invalid(String),
    /// The writer's schema is newer than this program.
    Newer(String),
}

impl Unfit {
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }

    /// A word or record that this version does not know.
    pub(crate) fn unknown<N: Node>(reason: String) -> Self {
        if N::HAS_WRITER {
            Self::Newer(reason)
        } else {
            Self::Invalid(reason)
        }
    }
}

/// A field that could not be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) field: &'static str,
    pub(crate) why: Unfit,
}

/// A type that a field can have.
pub(crate) trait Read: Sized {
    fn read<N: Node>(node: N) -> Result<Self, Unfit>;

    /// The value of a field that is not there, if it may be missing.
    fn missing() -> Option<Self> {
        None
    }
}

/// The fields of a record that are not yet read.
pub(crate) struct Fields<N>(Vec<(String, Option<N>)>);

impl<N: Node> Fields<N> {
    pub(crate) fn new(fields: Vec<(String, N)>) -> Self {
        Self(
            fields
                .into_iter()
                .map(|(name, value)| (name, Some(value)))
                .collect(),
        )
    }

    /// The value of that field, the last part of `path`.
    pub(crate) fn take(&mut self, path: &'static str) -> Option<N> {
        let name = path.rsplit('.').next().unwrap_or(path);
        self.0
            .iter_mut()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.take())
    }

    pub(crate) fn read<T: Read>(&mut self, path: &'static str) -> Result<T, Unreadable> {
        let value = self.take(path).map(T::read).transpose();
        let value = value.map_err(|why| Unreadable { field: path, why })?;
        value.or_else(T::missing).ok_or_else(|| missing(path))
    }

    pub(crate) fn read_or<T: Read>(
        &mut self,
        path: &'static str,
        default: T,
    ) -> Result<T, Unreadable> {
        let value = self.take(path).map(T::read).transpose();
        Ok(value
            .map_err(|why| Unreadable { field: path, why })?
            .unwrap_or(default))
    }

    /// Refuses unknown fields, unless a newer writer may have added them.
    pub(crate) fn finish(&self, path: &'static str, known: &[&str]) -> Result<(), Unreadable> {
        let unknown = self.0.iter().find(|(_, value)| value.is_some());
        match unknown {
            Some((name, _)) if !N::HAS_WRITER => Err(Unreadable {
                field: path,
                why: Unfit::Invalid(format!(
                    "has an unknown field {name:?}; its fields are {}",
                    known.join(", ")
                )),
            }),
            _ => Ok(()),
        }
    }
}

pub(crate) fn missing(field: &'static str) -> Unreadable {
    Unreadable {
        field,
        why: Unfit::invalid("is missing"),
    }
}

fn text<N: Node>(node: N) -> Result<String, Unfit> {
    match node.open() {
        Shape::Text(text) => Ok(text),
        other => Err(unlike("text", &other)),
    }
}

pub(crate) fn unlike<N>(expected: &str, found: &Shape<N>) -> Unfit {
    let found = match found {
        Shape::Null => "null",
        Shape::Boolean(_) => "true or false",
        Shape::Long(_) => "a whole number",
        Shape::Double(_) => "a number with a fraction",
        Shape::Text(_) => "text",
        Shape::List(_) => "a list",
        Shape::Record(_) => "a record",
        Shape::Other(what) => what,
    };
    Unfit::Invalid(format!("is {found} where {expected} is expected"))
}

impl Read for Arc<str> {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        text(node).map(Self::from)
    }
}

impl Read for TenantId {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        Self::new(text(node)?).map_err(|error| Unfit::Invalid(error.to_string()))
    }
}

impl Read for CustomerId {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        Self::new(text(node)?).map_err(|error| Unfit::Invalid(error.to_string()))
    }
}

impl Read for EventId {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        let text = text(node)?;
        let id = Uuid::try_parse(&text);
        id.map(Self)
            .map_err(|error| Unfit::Invalid(format!("{text:?} is not a UUID: {error}")))
    }
}

impl Read for Currency {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        let code = text(node)?;
        Self::new(&code).ok_or_else(|| Unfit::Invalid(Self::refusal(&code)))
    }
}

impl Read for bool {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        match node.open() {
            Shape::Boolean(value) => Ok(value),
            other => Err(unlike("true or false", &other)),
        }
    }
}

impl Read for i64 {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        match node.open() {
            Shape::Long(value) => Ok(value),
            other => Err(unlike("a whole number", &other)),
        }
    }
}

impl Read for i32 {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        let value = i64::read(node)?;
        Self::try_from(value).map_err(|_| Unfit::Invalid(format!("{value} is out of range")))
    }
}

impl Read for Double {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        let value = match node.open() {
            // Numbers above 2^53 lose digits here, as Avro's promotion of long to double has it.
            #[expect(clippy::cast_precision_loss, reason = "Avro promotes so")]
            Shape::Long(value) => value as f64,
            Shape::Double(value) => value,
            other => return Err(unlike("a number", &other)),
        };
        Self::new(value).ok_or_else(|| Unfit::invalid("is NaN"))
    }
}

impl Read for AttributeValue {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        if let Some(text) = node.date_or_time() {
            return Ok(Self::String(text.into()));
        }
        match node.open() {
            Shape::Null => Ok(Self::Null),
            Shape::Boolean(value) => Ok(Self::Boolean(value)),
            Shape::Long(value) => Ok(Self::Long(value)),
            Shape::Double(value) => Double::new(value)
                .map(Self::Double)
                .ok_or_else(|| Unfit::invalid("is NaN")),
            Shape::Text(value) => Ok(Self::String(value.into())),
            other @ (Shape::List(_) | Shape::Record(_) | Shape::Other(_)) => {
                Err(unlike("null, true, false, a number or text", &other))
            }
        }
    }
}

impl Read for AttributeMap {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        let entries = match node.open() {
            Shape::Record(entries) => entries,
            other => return Err(unlike("a map", &other)),
        };
        let mut map = Self::new();
        for (name, value) in entries {
            let value = AttributeValue::read(value).map_err(|why| match why {
                Unfit::Invalid(reason) => Unfit::Invalid(format!("{name:?} {reason}")),
                newer @ Unfit::Newer(_) => newer,
            })?;
            map.insert(name.into(), value);
        }
        Ok(map)
    }
}

impl<T: Read> Read for Option<T> {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        if node.is_null() {
            Ok(None)
        } else {
            T::read(node).map(Some)
        }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}
