//! What it means: pure folds over events, the segment language and the models.
//!
//! Never does any I/O, never reads a clock, never draws a random number: everything here is data
//! in, data out. Depends on neither tokio, rdkafka, sqlx nor axum (a tidy test asserts it).
//!
//! - [`customer`]: one customer: how events, time and definitions move its state and outputs.
//! - [`state`]: core state, a function of the *set* of a customer's events.
//! - [`definitions`]: tenants, segments and journeys, as files and as records of a topic.
//! - [`outputs`]: `derive(state, definitions, at)` and `next_change`.
//! - [`explain`]: why a customer is in a segment, and which actions it may be offered.
//! - [`change`]: changes of discrete outputs.
//! - [`evaluated`]: what was last known of a customer and since when; yields changes.
//! - [`rollups`]: what dashboards add up, as the deltas that each step of folding makes.
//! - [`counter`]: kinds of counters: how many customers, offers and parked events there are now.
//! - [`journeys`]: the paths customers take through a journey, and what is counted of them.
//! - [`buckets`]: durations counted in fixed buckets.
//! - [`digest`]: the sum of hashes by which two projections are compared.
//! - [`models`]: what is to come; [`training`]: how models are fitted to a tenant's own customers.
//! - [`invalidation`]: what a commit touched, by which answers kept elsewhere learn that they are old.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod buckets;
pub mod change;
pub mod counter;
pub mod customer;
mod days;
pub mod definitions;
pub mod digest;
pub mod evaluated;
pub mod explain;
pub mod invalidation;
pub mod journeys;
pub mod models;
mod number;
pub mod outputs;
pub mod rollups;
pub mod state;
pub mod training;

/// Version of the layout of a generation's tables: the names of tables and columns, and what they
/// hold. The processor writes and the API reads only generations of this layout.
pub const LAYOUT_VERSION: i32 = 4;
