//! Events to bytes.

use std::sync::LazyLock;

use apache_avro::writer::datum::GenericDatumWriter;

use super::{HEADER_BYTES, MAGIC, schema};
use crate::event::CustomerEvent;

static WRITER: LazyLock<GenericDatumWriter<'static>> = LazyLock::new(|| {
    GenericDatumWriter::builder(schema())
        .human_readable(false)
        .build()
        .expect("the schema in the source refers to nothing outside it")
});

/// Writes events with the newest schema, as the registry numbered it.
#[derive(Debug, Clone, Copy)]
pub struct Encoder {
    schema_id: u32,
}

impl Encoder {
    /// Returns an encoder; `schema_id` is the registry's id of [`super::SCHEMA`].
    pub fn new(schema_id: u32) -> Self {
        Self { schema_id }
    }

    /// Returns the value of the event's record.
    pub fn encode(&self, event: &CustomerEvent) -> Vec<u8> {
        const TYPICAL_BYTES: usize = 192;
        let mut value = Vec::with_capacity(TYPICAL_BYTES);
        self.encode_into(event, &mut value);
        value
    }

    /// Appends the value of the event's record to a buffer.
    pub fn encode_into(&self, event: &CustomerEvent, value: &mut Vec<u8>) {
        value.reserve(HEADER_BYTES);
        value.push(MAGIC);
        value.extend_from_slice(&self.schema_id.to_be_bytes());
        // Fails only where the types and the schema disagree, which the contract tests rule out.
        WRITER
            .write_ser(value, event)
            .expect("every event fits the schema in the source");
    }
}
