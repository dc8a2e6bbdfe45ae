//! Entries of the response cache.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

use super::dependency::Subject;
use super::version::Version;
use crate::auth::Caller;
use crate::freshness::{Freshness, Staleness};
use crate::http::Problem;

/// The memory of an entry beside its key and its body.
const OVERHEAD_BYTES: usize = 512;

/// The key of a response: the request, and as much of its caller as the response depends on. Keys
/// are compared whole, never by a hash alone, because they keep tenants apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Arc<str>);

impl Key {
    /// Returns the key of a request. Neither tenant nor path contains a line feed, so different
    /// requests have different keys.
    pub(crate) fn new(caller: &Caller, path_and_query: &str) -> Self {
        let sight = if caller.role.sees_personal_attributes() {
            "\nall\n"
        } else {
            "\nmasked\n"
        };
        let key = [caller.tenant.as_str(), sight, path_and_query].concat();
        Self(key.into())
    }
}

/// A response as it is sent.
#[derive(Debug)]
pub(crate) struct CachedResponse {
    body: Bytes,
    etag: HeaderValue,
    pub(super) freshness: Freshness,
    /// The read was audited, so no cache may replace it.
    pub(super) is_audited: bool,
    pub(super) read_at: Instant,
}

impl CachedResponse {
    /// Returns the response with this body. Its `ETag` is made of the generation and a hash of the
    /// body, so responses that differ never share one, whichever process sent them, even after a
    /// rewind. It is weak, because a later layer may compress the body.
    pub(crate) fn new(
        body: Vec<u8>,
        freshness: Freshness,
        is_audited: bool,
        read_at: Instant,
    ) -> Result<Self, Problem> {
        let etag = format!("W/\"{}-{:032x}\"", freshness.generation, xxh3_128(&body));
        Ok(Self {
            etag: HeaderValue::try_from(etag).map_err(Problem::internal)?,
            body: body.into(),
            freshness,
            is_audited,
            read_at,
        })
    }

    /// Returns the response as it was read.
    pub(crate) fn to_response(&self) -> Response {
        self.with_freshness(&self.freshness, None)
    }

    /// Returns the response with headers that state how fresh it is now.
    pub(super) fn with_freshness(
        &self,
        freshness: &Freshness,
        stale: Option<Staleness>,
    ) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        let headers = response.headers_mut();
        headers.reserve(16);
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::ETAG, self.etag.clone());
        // Set here, because the compression layer decides by the length, which a 304 lacks.
        let encoded = HeaderValue::from_static("accept-encoding");
        headers.insert(header::VARY, encoded);
        if !self.is_audited {
            // A browser may store the response, but must revalidate it before each use.
            let revalidate = HeaderValue::from_static("private, no-cache");
            headers.insert(header::CACHE_CONTROL, revalidate);
        }
        freshness.write(headers);
        if let Some(stale) = stale {
            stale.write(headers);
        }
        response
    }
}

/// A response, the subject it depends on, and the version of the subject before the read.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) response: Arc<CachedResponse>,
    pub(super) subject: Subject,
    pub(super) version: Version,
}

impl Entry {
    pub(super) fn weight(&self, key: &Key) -> u32 {
        let bytes = key.0.len() + self.response.body.len() + OVERHEAD_BYTES;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}
