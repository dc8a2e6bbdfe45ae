//! How Kafka is spoken to. The processor and the command line use it; the API does not depend on it.
//!
//! - [`config`]: the configuration of clients, and the clients made from it.
//! - [`credentials`]: passwords, certificates and keys that change while clients run.
//! - [`diagnostics`]: the reason why a broker refuses a client.
//! - [`topics`]: partition counts, and the creation of topics.
//! - [`log_ends`]: the ends of partitions.
//! - [`arrivals`]: the search of a topic for a record that arrived lately.
//! - [`retention`]: whether topics keep their records for good.
//! - [`producer`]: publishing with a known result for every record.
//! - [`forwarder`]: publishing records again to another partition; [`forwarded`]: the mark of such records.
//! - [`headers`]: a record's headers, byte for byte.
//! - [`broker`]: the embedded broker.
//!
//! It reads no configuration files, knows no database, and no thread of its own outlives a call.

pub mod arrivals;
pub mod broker;
pub mod config;
pub mod credentials;
pub mod diagnostics;
mod error;
pub mod forwarded;
pub mod forwarder;
pub mod headers;
pub mod log_ends;
pub mod producer;
pub mod retention;
pub mod topics;

pub use config::KafkaConfig;
pub use credentials::Credentials;
pub use error::ConnectError;
