//! The read API's routes over a real database, filled through the processor's own store: statuses,
//! bodies, headers. What needs no database is tested beside the routes themselves.

mod answers;
pub(crate) mod client;
mod customer;
mod customers;
mod generations;
mod journeys;
mod revenue;
mod rollups;
mod scores;
mod segments;
mod serving;
pub(crate) mod shop;
mod status;
mod timeline;
pub(crate) mod world;
