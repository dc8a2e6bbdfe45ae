//! Definition documents as trees whose every node knows its place.
//!
//! One reader serves two sources: files people wrote, where a place is a line and a column, and
//! records of the topic, where it is a path such as `segments[2].when.all[0]`.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::DefinitionError;

/// Where a node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file somebody wrote.
    File {
        /// As the user named it.
        file: Arc<str>,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// In a record: the path of keys and indexes.
    Record(String),
}

impl Place {
    fn in_file(file: &Arc<str>, location: Location) -> Self {
        // Values that came by a merge key have no place of their own.
        let from_one = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Self::File {
            file: Arc::clone(file),
            line: from_one(location.line()),
            column: from_one(location.column()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Record(path) => f.write_str(path),
        }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Null,
    Boolean(bool),
    Long(i64),
    Double(f64),
    Text(Arc<str>),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map with its place.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: Arc<str>,
}

impl Node {
    /// The documents of a file. A document that cannot be parsed ends the file.
    pub(crate) fn documents(file: &str, text: &str) -> Result<Vec<Self>, DefinitionError> {
        let file: Arc<str> = Arc::from(file);
        let options = serde_saphyr::options! {
            // `country: no` is Norway, not false.
            strict_booleans: true,
            with_snippet: false,
        };
        serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options)
            .map(|documents| {
                documents
                    .into_iter()
                    .map(|document| Self::of_file(&file, document))
                    .collect()
            })
            .map_err(|error| syntax_error(&file, &error))
    }

    fn of_file(file: &Arc<str>, spanned: Spanned<Raw>) -> Self {
        let content = match spanned.value {
            Raw::Null => Content::Null,
            Raw::Boolean(value) => Content::Boolean(value),
            Raw::Long(value) => Content::Long(value),
            Raw::Double(value) => Content::Double(value),
            Raw::Text(value) => Content::Text(value),
            Raw::List(items) => Content::List(
                items
                    .into_iter()
                    .map(|item| Self::of_file(file, item))
                    .collect(),
            ),
            Raw::Map(entries) => Content::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let place = Place::in_file(file, key.referenced);
                        (
                            Key {
                                place,
                                text: key.value,
                            },
                            Self::of_file(file, value),
                        )
                    })
                    .collect(),
            ),
        };
        Self {
            place: Place::in_file(file, spanned.referenced),
            content,
        }
    }

    /// The tree of a value of a record that stands at `path`.
    pub(crate) fn of_record(path: String, value: &Value) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(value) => Content::Boolean(*value),
            Value::Number(number) => number.as_i64().map_or_else(
                || Content::Double(number.as_f64().unwrap_or(f64::NAN)),
                Content::Long,
            ),
            Value::String(text) => Content::Text(Arc::from(text.as_str())),
            Value::Array(items) => Content::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::of_record(format!("{path}[{index}]"), item))
                    .collect(),
            ),
            Value::Object(entries) => Content::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let path = if path.is_empty() {
                            key.clone()
                        } else {
                            format!("{path}.{key}")
                        };
                        let place = Place::Record(path.clone());
                        let key = Key {
                            place,
                            text: Arc::from(key.as_str()),
                        };
                        (key, Self::of_record(path, value))
                    })
                    .collect(),
            ),
        };
        Self {
            place: Place::Record(path),
            content,
        }
    }

    /// The same data without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(value) => Value::Bool(*value),
            Content::Long(value) => Value::from(*value),
            Content::Double(value) => Value::from(*value),
            Content::Text(value) => Value::from(&**value),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => entries
                .iter()
                .map(|(key, value)| (String::from(&*key.text), value.to_json()))
                .collect(),
        }
    }

    /// What stands here, for an error.
    pub(crate) fn found(&self) -> String {
        match &self.content {
            Content::Null => "nothing".to_owned(),
            Content::Boolean(value) => format!("{value}"),
            Content::Long(value) => format!("the number {value}"),
            Content::Double(value) => format!("the number {value}"),
            Content::Text(text) => format!("the text {text:?}"),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        }
    }
}

fn syntax_error(file: &Arc<str>, error: &serde_saphyr::Error) -> DefinitionError {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let (line, column) = match Place::in_file(file, location) {
        Place::File { line, column, .. } => (line, column),
        Place::Record(_) => (1, 1),
    };
    let message = error
        .without_snippet()
        .render_with_formatter(&serde_saphyr::UserMessageFormatter)
        .trim()
        .to_owned();
    DefinitionError {
        file: String::from(&**file),
        line,
        column,
        message,
    }
}

/// A value as the YAML parser hands it over.
enum Raw {
    Null,
    Boolean(bool),
    Long(i64),
    Double(f64),
    Text(Arc<str>),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Arc<str>>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list, a text, a number, true or false")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Long(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Raw, E> {
        i64::try_from(value).map(Raw::Long).map_err(|_| {
            E::custom(format_args!(
                "{value} is too large: whole numbers end at {}",
                i64::MAX
            ))
        })
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        if value.is_finite() {
            Ok(Raw::Double(value))
        } else {
            Err(E::custom("not a finite number"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(Arc::from(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries: Vec<(Spanned<Arc<str>>, Spanned<Raw>)> = Vec::new();
        while let Some(entry) = access.next_entry::<Spanned<Arc<str>>, Spanned<Raw>>()? {
            if entries
                .iter()
                .any(|(known, _)| known.value == entry.0.value)
            {
                return Err(A::Error::custom(format_args!(
                    "{:?} stands twice",
                    entry.0.value
                )));
            }
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
