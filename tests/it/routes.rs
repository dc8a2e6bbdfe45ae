//! The routes of the read API over a real database that the processor's own store fills: statuses,
//! bodies and headers. Tests without a database are beside the routes themselves.

pub(crate) mod client;
mod customer;
mod customers;
mod generations;
mod journeys;
mod parked;
mod personal;
mod response_cache;
mod revenue;
mod rollups;
mod scores;
mod segments;
mod serving;
pub(crate) mod shop;
mod status;
mod timeline;
pub(crate) mod world;
