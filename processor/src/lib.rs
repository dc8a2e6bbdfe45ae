//! What happens: Kafka in, Postgres out, exactly once behind a fence.
//!
//! - `service`: [`Processor`], the whole.
//! - `intake`: the poll thread; one partition's records to one task.
//! - `engine`: the task of a partition: fold, fire timers, commit.
//! - [`store`]: Postgres, the fence, migrations.
//! - `access`: secrets that change while we run.
//! - `follower`: definitions from their topic.
//! - [`parking`]: what cannot be folded is kept.

mod access;
pub mod clock;
mod config;
mod engine;
mod error;
mod follower;
mod headers;
mod intake;
mod memory;
mod metrics;
pub mod migrate;
pub mod parking;
mod record;
pub mod refusal;
mod service;
pub mod store;
mod threads;

pub use access::Access;
pub use config::{Config, HaltLimit, KafkaConfig, Limits, RESERVED_PROPERTIES};
pub use error::ProcessorError;
pub use metrics::Metrics;
pub use service::Processor;
