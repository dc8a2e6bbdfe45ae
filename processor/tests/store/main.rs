//! The Postgres half of the processor, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod batches;
mod cluster;
mod database;
mod fence;
mod lost_answer;
mod outage;
mod proxy;
