//! Bytes to events.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use apache_avro::reader::datum::GenericDatumReader;
use arc_swap::ArcSwap;

use super::resolve::resolve;
use super::writer::{Unreadable, Writer, brief};
use super::{HEADER_BYTES, MAGIC, MAX_VALUE_BYTES, schema};
use crate::event::reading::NotAnEvent;
use crate::event::{CustomerEvent, InvalidEvent};
#[cfg(feature = "registry")]
use crate::registry::{RegistryClient, RegistryError};

/// The reason why a value does not decode to an event, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The writer's schema is not cached: await [`Decoder::fetch`] and decode again.
    #[error("the schema {id} is not cached")]
    SchemaNeeded {
        /// The writer's schema.
        id: u32,
    },
    /// The registry answered that it has no such schema.
    #[error("the registry has no schema {id}")]
    UnknownSchema {
        /// The writer's schema.
        id: u32,
    },
    /// The registry returned no valid answer. The value is not at fault: wait, then retry.
    #[error("the schema registry is unavailable: {0}")]
    RegistryUnavailable(String),
    /// The value is not in the wire format, or not data of its own schema.
    #[error("undecodable: {0}")]
    Undecodable(String),
    /// Our schema cannot read what was written.
    #[error("schema {id} is incompatible: {reason}")]
    Incompatible {
        /// The writer's schema.
        id: u32,
        /// The difference that prevents reading.
        reason: String,
    },
    /// Read, but not a valid event.
    #[error("invalid event: {0}")]
    Invalid(Box<InvalidEvent>),
}

type Writers = BTreeMap<u32, Arc<Result<Writer, String>>>;

/// Reads events of every compatible writer schema. Cheap to share; [`decode`](Self::decode) takes
/// no lock.
pub struct Decoder {
    writers: ArcSwap<Writers>,
    #[cfg(feature = "registry")]
    registry: Option<Arc<RegistryClient>>,
}

/// One reader for every writer schema that is equivalent to ours.
static DIRECT: LazyLock<GenericDatumReader<'static>> = LazyLock::new(|| {
    GenericDatumReader::builder(schema())
        .human_readable(false)
        .build()
        .expect("the schema in the source refers to nothing outside it")
});

impl Decoder {
    /// Returns a decoder that requests schemas from this registry.
    #[cfg(feature = "registry")]
    pub fn new(registry: Arc<RegistryClient>) -> Self {
        Self {
            registry: Some(registry),
            ..Self::without_registry()
        }
    }

    /// Returns a decoder for the schemas that [`Self::add_schema`] adds, and no others.
    pub fn without_registry() -> Self {
        Self {
            writers: ArcSwap::default(),
            #[cfg(feature = "registry")]
            registry: None,
        }
    }

    /// Caches a writer schema for good: an id never changes its schema.
    pub fn add_schema(&self, id: u32, text: &str) {
        self.add(id, Writer::prepare(text));
    }

    fn add(&self, id: u32, writer: Result<Writer, String>) {
        let prepared = Arc::new(writer);
        self.writers.rcu(|known| {
            let mut known = Writers::clone(known);
            known.entry(id).or_insert_with(|| Arc::clone(&prepared));
            known
        });
    }

    /// Requests a schema from the registry and caches it; afterwards `decode` can read its values.
    #[cfg(feature = "registry")]
    pub async fn fetch(&self, id: u32) -> Result<(), DecodeError> {
        if self.writers.load().contains_key(&id) {
            return Ok(());
        }
        let Some(registry) = &self.registry else {
            return Err(DecodeError::UnknownSchema { id });
        };
        match registry.schema_by_id(id).await {
            Ok(text) => {
                self.add_schema(id, &text);
                Ok(())
            }
            Err(RegistryError::NotFound { id }) => Err(DecodeError::UnknownSchema { id }),
            Err(RegistryError::Unsupported { id, reason }) => {
                self.add(id, Err(reason));
                Ok(())
            }
            Err(error) => Err(DecodeError::RegistryUnavailable(error.to_string())),
        }
    }

    /// Requests a schema from the registry again, whose earlier answer may have been wrong, and caches
    /// what it answers now. Until it answers, and if it has no such schema, what is cached stays.
    #[cfg(feature = "registry")]
    pub async fn refresh(&self, id: u32) -> Result<(), DecodeError> {
        let Some(registry) = &self.registry else {
            return Err(DecodeError::UnknownSchema { id });
        };
        registry.forget(id).await;
        let writer = match registry.schema_by_id(id).await {
            Ok(text) => Writer::prepare(&text),
            Err(RegistryError::NotFound { id }) => return Err(DecodeError::UnknownSchema { id }),
            Err(RegistryError::Unsupported { reason, .. }) => Err(reason),
            Err(error) => return Err(DecodeError::RegistryUnavailable(error.to_string())),
        };
        let prepared = Arc::new(writer);
        self.writers.rcu(|known| {
            let mut known = Writers::clone(known);
            known.insert(id, Arc::clone(&prepared));
            known
        });
        Ok(())
    }

    /// Returns the id of the writer's schema that a value names, if it is in the wire format.
    pub fn schema_id(value: &[u8]) -> Option<u32> {
        split(value).ok().map(|(id, _)| id)
    }

    /// Returns the JSON form of a value by its writer's schema alone, also if that is no event.
    pub fn describe(&self, value: &[u8]) -> Result<serde_json::Value, DecodeError> {
        let (id, datum) = split(value)?;
        let writers = self.writers.load();
        let writer = writers.get(&id).ok_or(DecodeError::SchemaNeeded { id })?;
        let writer = match &**writer {
            Ok(writer) => writer,
            Err(reason) => {
                return Err(DecodeError::Incompatible {
                    id,
                    reason: reason.clone(),
                });
            }
        };
        let tree = writer.read(datum).map_err(undecodable)?;
        tree.try_into()
            .map_err(|error| DecodeError::Undecodable(brief(&error)))
    }

    /// Decodes the event in a record's value.
    pub fn decode(&self, value: &[u8]) -> Result<CustomerEvent, DecodeError> {
        let (id, datum) = split(value)?;
        let writers = self.writers.load();
        let writer = writers.get(&id).ok_or(DecodeError::SchemaNeeded { id })?;
        let writer = match &**writer {
            Ok(writer) => writer,
            Err(reason) => {
                return Err(DecodeError::Incompatible {
                    id,
                    reason: reason.clone(),
                });
            }
        };
        if writer.is_equivalent()
            && let Some(event) = read_directly(datum)
        {
            return match event.validate() {
                Ok(()) => Ok(event),
                Err(invalid) => Err(DecodeError::Invalid(Box::new(invalid))),
            };
        }
        read_resolved(writer, id, datum)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u32> = self.writers.load().keys().copied().collect();
        f.debug_struct("Decoder")
            .field("schemas", &ids)
            .finish_non_exhaustive()
    }
}

fn split(value: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
    let undecodable = |reason: String| Err(DecodeError::Undecodable(reason));
    if value.len() > MAX_VALUE_BYTES {
        let size = value.len();
        return undecodable(format!("{size} bytes; at most {MAX_VALUE_BYTES} are read"));
    }
    let Some((header, datum)) = value.split_first_chunk::<HEADER_BYTES>() else {
        return undecodable(format!(
            "{} bytes are too few for the wire format",
            value.len()
        ));
    };
    let [magic, id @ ..] = *header;
    if magic != MAGIC {
        return undecodable(format!(
            "the first byte is {magic}, not the magic byte {MAGIC}"
        ));
    }
    Ok((u32::from_be_bytes(id), datum))
}

/// Returns `None` for everything but a whole event; the other path finds the reason.
pub(super) fn read_directly(mut datum: &[u8]) -> Option<CustomerEvent> {
    let event = DIRECT.read_deser(&mut datum).ok()?;
    datum.is_empty().then_some(event)
}

pub(super) fn read_resolved(
    writer: &Writer,
    id: u32,
    datum: &[u8],
) -> Result<CustomerEvent, DecodeError> {
    let tree = writer.read(datum).map_err(undecodable)?;
    resolve(writer, tree).map_err(|error| match error {
        NotAnEvent::Invalid(invalid) => DecodeError::Invalid(invalid),
        NotAnEvent::Newer(reason) => DecodeError::Incompatible { id, reason },
    })
}

fn undecodable(unreadable: Unreadable) -> DecodeError {
    DecodeError::Undecodable(match unreadable {
        Unreadable::Truncated => "the value ends too early".to_owned(),
        Unreadable::Trailing(bytes) => format!("{bytes} bytes follow the event"),
        Unreadable::Malformed(error) => brief(&error),
    })
}
