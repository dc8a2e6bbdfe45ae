//! `GET /v1/openapi.json` and `GET /docs`: what can be asked, for programs and for people. They are
//! the same for everybody, and made once.

use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_128;

use crate::answers::Condition;

/// A new version of the program may say something else, so it is not believed for long.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

static DOCUMENT: LazyLock<Fixed> = LazyLock::new(|| {
    let json = HeaderValue::from_static("application/json");
    Fixed::new(crate::openapi().into(), json, None)
});

static PAGE: LazyLock<Fixed> = LazyLock::new(|| {
    let (style, script) = (include_str!("docs/page.css"), include_str!("docs/page.js"));
    let page = include_str!("docs/page.html")
        .replace("{style}", style)
        .replace("{script}", script);
    // In one file, and by their hashes: nothing else may run in it, and it may ask nobody but us.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source_hash(style),
        source_hash(script),
    );
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Fixed::new(page.into(), html, HeaderValue::try_from(policy).ok())
});

/// This document
///
/// `OpenAPI` 3.1, as the code has it. `/docs` shows it to people.
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

/// A page that shows this document
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

/// As a policy of content security names it.
fn source_hash(source: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(source.as_bytes()));
    format!("sha256-{hash}")
}

/// An answer that never changes.
struct Fixed {
    body: Bytes,
    etag: Option<HeaderValue>,
    content_type: HeaderValue,
    /// Where the strictest one would not do.
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

    fn answer(&self, asked: &HeaderMap) -> Response {
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
        Condition::of(asked).apply(response)
    }
}
