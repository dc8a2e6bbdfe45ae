//! The customer event: its ids, its Avro and JSON forms, and the schema registry.
//!
//! The meaning of events is the subject of `tidemark-projections`. Without features this crate is
//! the event and its ids alone: no Avro, no I/O, no clock, no randomness.

#[cfg(feature = "codec")]
pub mod codec;
#[cfg(feature = "development-registry")]
pub mod development_registry;
pub mod event;
pub mod ids;
pub mod names;
#[cfg(feature = "openapi")]
mod openapi;
pub mod partitioner;
#[cfg(feature = "registry")]
pub mod registry;
pub mod time;
pub mod value;

pub use event::{CustomerEvent, Payload};
pub use ids::{CustomerId, CustomerKey, EventId, InvalidId, TenantId};
pub use partitioner::Partitioner;
pub use time::Instant;
pub use value::{AttributeValue, Currency, Double};
