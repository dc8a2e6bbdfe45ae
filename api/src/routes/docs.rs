//! `GET /v1/openapi.json` and `GET /docs`: the reference of the API, as JSON and as a page. Both
//! are the same for every caller, and built once.

use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_128;

use crate::http::Condition;

/// Short, because a new version of the program may answer differently.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

static DOCUMENT: LazyLock<Fixed> = LazyLock::new(|| {
    let json = HeaderValue::from_static("application/json");
    Fixed::new(super::document().into(), json, None)
});

static PAGE: LazyLock<Fixed> = LazyLock::new(|| {
    let (style, script) = (include_str!("docs/page.css"), include_str!("docs/page.js"));
    let page = include_str!("docs/page.html")
        .replace("{style}", style)
        .replace("{script}", script);
    // One file, and hashes in the policy: the page runs nothing else and sends requests nowhere else.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source_hash(style),
        source_hash(script),
    );
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Fixed::new(page.into(), html, HeaderValue::try_from(policy).ok())
});

/// Returns this document
///
/// The `OpenAPI` 3.1 document, generated from the code. `/docs` shows it as a page.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "get_openapi",
    tag = "service",
    responses((status = 200, description = "The document.", body = Object)),
)]
pub(crate) async fn document(headers: HeaderMap) -> Response {
    DOCUMENT.answer(&headers)
}

/// Returns a page that shows this document
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "get_docs",
    tag = "service",
    responses((status = 200, description = "The page.", body = str, content_type = "text/html")),
)]
pub(crate) async fn page(headers: HeaderMap) -> Response {
    PAGE.answer(&headers)
}

/// Returns the hash of a source, as a content security policy names it.
fn source_hash(source: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(source.as_bytes()));
    format!("sha256-{hash}")
}

/// An answer that never changes.
struct Fixed {
    body: Bytes,
    etag: Option<HeaderValue>,
    content_type: HeaderValue,
    /// The content security policy, if the strictest one does not suffice.
    policy: Option<HeaderValue>,
}

impl Fixed {
    fn new(body: Bytes, content_type: HeaderValue, policy: Option<HeaderValue>) -> Self {
        // Weak, because compression comes after us.
        let etag = format!("W/\"{:032x}\"", xxh3_128(&body));
        Self {
            body,
            etag: HeaderValue::try_from(etag).ok(),
            content_type,
            policy,
        }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::CACHE_CONTROL, CACHE);
        let encoded = HeaderValue::from_static("accept-encoding");
        headers.insert(header::VARY, encoded);
        if let Some(etag) = &self.etag {
            headers.insert(header::ETAG, etag.clone());
        }
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        Condition::of(request).apply(response)
    }
}
