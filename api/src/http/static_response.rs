//! Responses that never change while the process runs, such as pages.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use xxhash_rust::xxh3::xxh3_128;

use super::conditional::Condition;

/// Short, because another version of the program may respond differently.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// A response that is the same for every request, with an `ETag`.
#[derive(Debug)]
pub(crate) struct StaticResponse {
    body: Bytes,
    etag: Option<HeaderValue>,
    content_type: HeaderValue,
    /// The content security policy of a page; `None` for the strictest policy.
    policy: Option<HeaderValue>,
}

impl StaticResponse {
    pub(crate) fn new(body: Bytes, content_type: HeaderValue, policy: Option<HeaderValue>) -> Self {
        // Weak, because a later layer may compress the body.
        let etag = format!("W/\"{:032x}\"", xxh3_128(&body));
        Self {
            body,
            etag: HeaderValue::try_from(etag).ok(),
            content_type,
            policy,
        }
    }

    /// Responds to a request with these headers.
    pub(crate) fn respond(&self, request_headers: &HeaderMap) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
        let accept_encoding = HeaderValue::from_static("accept-encoding");
        headers.insert(header::VARY, accept_encoding);
        if let Some(etag) = &self.etag {
            headers.insert(header::ETAG, etag.clone());
        }
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        Condition::from_headers(request_headers).apply(response)
    }
}
