//! The laws of core state: a function of the *set* of a customer's events, byte for byte.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot make its input must fail"
)]

#[path = "laws/bounds.rs"]
mod bounds;
#[path = "laws/counting.rs"]
mod counting;
#[path = "laws/damage.rs"]
mod damage;
#[path = "laws/damaged_records.rs"]
mod damaged_records;
#[path = "laws/digest.rs"]
mod digest;
#[path = "laws/encoding.rs"]
mod encoding;
#[path = "laws/late.rs"]
mod late;
#[path = "laws/merge.rs"]
mod merge;
#[path = "laws/order.rs"]
mod order;
#[path = "laws/reading.rs"]
mod reading;
#[path = "laws/records.rs"]
mod records;
#[path = "laws/rollups.rs"]
mod rollups;
#[path = "laws/size.rs"]
mod size;
#[path = "support/events.rs"]
mod support;
#[path = "laws/tracked.rs"]
mod tracked;
