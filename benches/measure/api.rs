//! Cached answers of the read API beside axum answering a constant.

use serde::Serialize;

/// What the API bench found.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ApiFigures {
    /// Cached answers a second by constant answers a second.
    pub(crate) cached_ratio: f64,
    pub(crate) cached_per_second: f64,
    pub(crate) constant_per_second: f64,
}

/// Nothing is measured yet.
#[expect(clippy::unused_async, reason = "will ask over HTTP")]
pub(crate) async fn measure(_database_url: &str, _seconds: u64) -> Option<ApiFigures> {
    None
}
