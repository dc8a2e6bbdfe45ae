//! The integration tests: the real binary between a real Apache Kafka and a real `PostgreSQL`.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot do its work fails there"
)]
#![allow(
    clippy::print_stdout,
    reason = "a failed test shows the output of its processes"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "names are fresh, processes inherit an environment, and tasks end with their test"
)]

mod support;

mod activity;
mod bad_input;
mod chaos;
mod cli;
mod clocks;
mod customer_bound;
mod deferred_headroom;
mod define_diff;
mod definitions;
mod definitions_format;
mod demo;
mod deploy;
mod exactly_once;
mod first_use;
mod fixed_partitions;
mod flood;
mod foreign_records;
mod forwarding;
mod generate;
mod halt;
mod harness;
mod interop;
mod journeys;
mod lag;
mod log_identity;
mod memory;
mod midnight;
mod offboard;
mod openapi;
mod operators;
mod outage;
mod parked;
mod parked_quota;
mod paused;
mod pipeline;
mod placeholders;
mod poll_panic;
mod quarantine;
mod registry_faults;
mod retention;
mod routes;
mod tenancy;
mod tenants;
mod time;
mod tls;
mod train;
mod up;
mod why;
