//! Definition documents as trees, in which every node has its position.
//!
//! One reader serves two sources: files people wrote, where a place is a line and a column, and
//! records of the topic, where it is a path such as `segments[2].when.all[0]`.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// The position of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A position in a file.
    File {
        /// The file's name, as given.
        file: Arc<str>,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A position in a record: the path of keys and indexes.
    Record(String),
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

/// The content of the node.
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

    /// Describes the content, for an error.
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
