//! The name of one request: the client's if it sent a sane one, else ours.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_BYTES: usize = 128;

/// In the answer's header, in every problem document, in the log and in the audit table.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// The client's, if it is one value of letters, digits, `.`, `_` and `-`: it must be harmless
    /// in a log line and in a header. Else a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(HEADER).and_then(|value| value.to_str().ok());
        match sent {
            Some(id) if is_sane(id) => Self(id.to_owned()),
            _ => Self::generate(),
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "names a request, decides nothing"
    )]
    fn generate() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn header_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

fn is_sane(id: &str) -> bool {
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
        assert_eq!(RequestId::of(&headers).as_str() == sent, kept, "{sent:?}");
    }

    #[test]
    fn sane_ids_are_kept_and_others_replaced() {
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
    fn ids_we_make_are_sane_and_differ() {
        let (first, second) = (RequestId::generate(), RequestId::generate());
        assert!(is_sane(first.as_str()));
        assert_ne!(first.as_str(), second.as_str());
    }
}
