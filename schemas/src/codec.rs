//! Events as bytes: Avro in the Confluent wire format (magic byte 0, the writer schema's id in
//! four bytes, big endian, the datum).
//!
//! [`Encoder`] writes with [`schema()`], the newest version. [`Decoder`] reads whatever version a
//! producer used, by one of two paths:
//!
//! - *direct*: the writer's schema is proven equivalent to ours, so the datum deserialises straight
//!   into a [`CustomerEvent`](crate::CustomerEvent). An event that fails here is read once more by
//!   the other path, which can say which field is wrong.
//! - *resolved*: any other compatible schema. The datum is read as a tree with the writer's schema
//!   and then matched with our fields by name.
//!
//! Nothing here does I/O, except that a decoder can ask its registry for a schema.

use std::sync::LazyLock;

use apache_avro::Schema;

mod decoder;
mod encoder;
mod resolve;
#[cfg(test)]
mod tests;
mod writer;

pub use decoder::{DecodeError, Decoder};
pub use encoder::Encoder;

/// The text of every version of the schema; the first is version 1.
pub const SCHEMAS: &[&str] = &[include_str!("../avro/customer_event.v1.avsc")];
/// The text of the newest version of the schema, to register under [`SUBJECT`].
pub const SCHEMA: &str = SCHEMAS[SCHEMAS.len() - 1];
/// The subject of the value of the topic `customer-events`, as Confluent's clients name it.
pub const SUBJECT: &str = "customer-events-value";
/// The longest value read, in bytes: Kafka's default limit of a record.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// The bound of an allocation for one length inside a datum. A length is read before its data, so
/// without a bound five bytes could request gigabytes.
const MAX_ALLOCATION_BYTES: usize = 4 * 1024 * 1024;
const MAGIC: u8 = 0;
const HEADER_BYTES: usize = 5;

/// The newest version of the schema.
pub fn schema() -> &'static Schema {
    static PARSED: LazyLock<Schema> = LazyLock::new(|| {
        apache_avro::util::max_allocation_bytes(MAX_ALLOCATION_BYTES);
        Schema::parse_str(SCHEMA).expect("the schema in the source is valid Avro")
    });
    &PARSED
}
