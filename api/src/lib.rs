//! The read API over the projections.
//!
//! [`Service`] serves `/v1` from the tables of the active generation. The token of a request alone
//! determines its tenant. The API never writes a projection, never reads Kafka and never imports
//! the processor; the two meet only at the tables.
//!
//! - A composition root needs [`Config`] and [`Service`]. It serves [`metrics_router`] on a
//!   separate listener.
//! - [`auth`] defines the claims of a token, and issues tokens for development.
//! - Every error is an RFC 9457 problem document. The cause of a 5xx is logged, never sent.

pub mod auth;
mod config;
mod cursor;
mod database;
mod error;
mod freshness;
mod http;
mod layers;
mod openapi;
mod pages;
mod query;
mod rate_limits;
mod readiness;
mod response_cache;
mod routes;
mod service;

pub use config::{AuthConfig, CacheConfig, Config, KeySource, Limits};
pub use error::ApiError;
pub use http::{InvalidNetwork, Network, Rate, SmallBurst, metrics_router};
pub use routes::document as openapi;
pub use service::Service;
