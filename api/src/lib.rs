//! What is asked: the read API over the projections.
//!
//! [`Service`] answers under `/v1` from the tables of the active generation, to whoever shows a
//! token: the tenant comes from the token and from nothing else. It never writes a projection,
//! never reads Kafka and never imports the processor; the two meet only at the tables.
//!
//! - [`Config`] and [`Service`] are what a composition root needs; [`metrics_router`] is served on
//!   a listener of its own.
//! - [`auth`] says what a token must hold and makes tokens for development.
//! - Every error is an RFC 9457 problem document; what caused a 5xx is logged, never answered.

pub mod auth;
mod config;
mod cursor;
mod database;
mod error;
mod freshness;
mod http;
mod layers;
mod limits;
mod metrics;
mod openapi;
mod query;
mod response_cache;
mod routes;
mod service;

pub use config::{AuthConfig, CacheConfig, Config, KeySource, Limits};
pub use error::ApiError;
pub use limits::{InvalidNetwork, Network, Rate};
pub use metrics::metrics_router;
pub use routes::document as openapi;
pub use service::Service;
