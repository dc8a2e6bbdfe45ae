//! Request ids: as sent by the client, or generated.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Builder, Uuid};
use xxhash_rust::xxh3::xxh3_128_with_seed;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_BYTES: usize = 128;

/// The id of a request, in the response header, problem documents, the log and the audit table.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// Returns the id that the client sent, if it is valid: letters, digits, `.`, `_` and `-`, which
    /// are harmless in a log line and in a header. Returns a new id otherwise.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        match headers.get(HEADER) {
            Some(sent) if sent.to_str().is_ok_and(is_valid) => Self(sent.clone()),
            _ => Self::generate(),
        }
    }

    /// Returns the hash of a counter, with a random key that is drawn once: a system call for each
    /// request would be slow.
    #[allow(
        clippy::disallowed_methods,
        reason = "ids of requests have no other effect"
    )]
    fn generate() -> Self {
        static KEY: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().0);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed).to_ne_bytes();
        let hash = xxh3_128_with_seed(&count, *KEY);
        let id = Builder::from_random_bytes(hash.to_ne_bytes()).into_uuid();
        let text = id
            .hyphenated()
            .encode_lower(&mut Uuid::encode_buffer())
            .to_owned();
        Self(HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn is_valid(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_BYTES).contains(&id.len()) && id.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[track_caller]
    fn check(sent: &str, kept: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(sent).unwrap());
        assert_eq!(
            RequestId::from_headers(&headers).as_str() == sent,
            kept,
            "{sent:?}"
        );
    }

    #[test]
    fn valid_ids_are_kept_and_invalid_ids_are_replaced() {
        check("6f1c2d3e-0000-4a5b-8c7d-9e0f1a2b3c4d", true);
        check("trace_1.retry-2", true);
        check(&"a".repeat(128), true);
        check("", false);
        check(&"a".repeat(129), false);
        check("two words", false);
        check("{\"json\": true}", false);
        check("ünïcode", false);
    }

    #[test]
    fn generated_ids_are_valid_and_unique() {
        let (first, second) = (RequestId::generate(), RequestId::generate());
        assert!(is_valid(first.as_str()));
        assert_ne!(first.as_str(), second.as_str());
    }
}
