//! What happens: Kafka in, Postgres out, exactly once behind a fence.

pub mod clock;
pub mod migrate;
pub mod store;
