//! The processor: Kafka in, Postgres out, exactly once behind a fence.
//!
//! - `service`: [`Processor`], the whole.
//! - `intake`: the poll thread; one partition's records to one task.
//! - `engine`: the task of a partition: fold, fire timers, commit.
//! - [`store`]: Postgres, the fence, migrations.
//! - `progress`: lag and standstill of the partitions owned, and their heartbeats.
//! - `credentials`: credentials that change while it runs.
//! - `follower`: definitions from their topic; `history`: where they came into force before.
//! - [`parking`]: what cannot be folded is kept.

pub mod clock;
mod clock_check;
mod config;
mod credentials;
mod engine;
mod error;
mod follower;
mod forwarder;
mod history;
mod intake;
mod log_identity;
mod memory;
mod metrics;
pub mod migrate;
pub mod parking;
mod progress;
mod record;
mod retention;
mod service;
pub mod store;
mod threads;

pub use config::{Config, HaltLimit, Limits};
pub use credentials::Credentials;
pub use error::ProcessorError;
pub use history::RecordedHistory;
pub use intake::Membership;
pub use metrics::Metrics;
pub use progress::{Progress, StalledPartition};
pub use service::Processor;
