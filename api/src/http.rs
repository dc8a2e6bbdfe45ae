//! HTTP plumbing: sockets, request middleware, admission, problem documents and extractors.
//!
//! Nothing here knows the routes or the tables of this API.

mod conditional;
mod extract;
pub(crate) mod guard;
pub(crate) mod middleware;
pub(crate) mod problem;
pub(crate) mod request_id;
pub(crate) mod server;

pub(crate) use self::conditional::Condition;
pub(crate) use self::extract::{NoParams, Path, QueryParams};
pub(crate) use self::problem::Problem;
pub(crate) use self::request_id::RequestId;
