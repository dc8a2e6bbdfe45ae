//! One answer, as it is sent and as it is kept.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

use super::version::{Subject, Version};
use crate::auth::Caller;
use crate::freshness::{Freshness, Staleness};
use crate::problem::Problem;

/// What an entry costs beside its key and its body.
const OVERHEAD_BYTES: usize = 512;

/// What was asked, and by whom as far as the answer depends on it. Compared whole, never by a hash
/// alone: it keeps tenants apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Arc<str>);

impl Key {
    /// A path has no line feed, so no two questions of whomever have one key.
    pub(super) fn new(caller: &Caller, path_and_query: &str) -> Self {
        let sight = if caller.role.sees_personal_attributes() {
            "\nall\n"
        } else {
            "\nmasked\n"
        };
        let key = [caller.tenant.as_str(), sight, path_and_query].concat();
        Self(key.into())
    }
}

/// An answer as it is sent.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Bytes,
    etag: HeaderValue,
    pub(super) freshness: Freshness,
    /// Reading it left a record: nobody's cache may answer in our place.
    pub(super) is_recorded: bool,
    pub(super) read_at: Instant,
}

impl Answer {
    /// The `ETag` is a hash of the very bytes, and the generation: two answers that differ never
    /// share one, whichever process gave them and whatever was rewound in between. Weak, because
    /// compression comes after us.
    pub(crate) fn new(
        body: Vec<u8>,
        freshness: Freshness,
        is_recorded: bool,
        read_at: Instant,
    ) -> Result<Self, Problem> {
        let etag = format!("W/\"{}-{:032x}\"", freshness.generation, xxh3_128(&body));
        Ok(Self {
            etag: HeaderValue::try_from(etag).map_err(Problem::internal)?,
            body: body.into(),
            freshness,
            is_recorded,
            read_at,
        })
    }

    /// As just read.
    pub(crate) fn response(&self) -> Response {
        self.respond(&self.freshness, None)
    }

    /// As it stands now.
    pub(super) fn respond(&self, freshness: &Freshness, stale: Option<Staleness>) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        let headers = response.headers_mut();
        headers.reserve(16);
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::ETAG, self.etag.clone());
        // Said here, because whether it is compressed is decided by the length, which a 304 lacks.
        let encoded = HeaderValue::from_static("accept-encoding");
        headers.insert(header::VARY, encoded);
        if !self.is_recorded {
            // A browser may keep it, and asks us each time whether it still holds.
            let ask_first = HeaderValue::from_static("private, no-cache");
            headers.insert(header::CACHE_CONTROL, ask_first);
        }
        freshness.write(headers);
        if let Some(stale) = stale {
            stale.write(headers);
        }
        response
    }
}

/// An answer, what it depends on, and how that stood before it was read.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) answer: Arc<Answer>,
    pub(super) subject: Subject,
    pub(super) version: Version,
}

impl Entry {
    pub(super) fn weight(&self, key: &Key) -> u32 {
        let bytes = key.0.len() + self.answer.body.len() + OVERHEAD_BYTES;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}
