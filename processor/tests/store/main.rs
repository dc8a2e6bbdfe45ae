//! The Postgres half of the processor, on a real Postgres.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod batches;
mod changes;
mod cluster;
mod database;
mod fence;
mod heartbeat;
mod invalidation;
mod isolation;
mod large;
mod layout;
mod lost_answer;
mod offboarding;
mod outage;
mod plans;
mod preparing;
mod proxy;
mod records;
mod rollups;
mod round_trip;
mod tracked;
