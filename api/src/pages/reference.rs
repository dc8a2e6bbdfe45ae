//! `GET /docs`: the reference of the API as a page.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::http::StaticResponse;

static PAGE: LazyLock<StaticResponse> = LazyLock::new(|| {
    let style = include_str!("reference/page.css");
    let script = include_str!("reference/page.js");
    let page = include_str!("reference/page.html")
        .replace("{style}", style)
        .replace("{script}", script);
    // Style and script are inline and allowed by their hashes. Nothing else may run in the page,
    // and it may connect to this API alone.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source_hash(style),
        source_hash(script),
    );
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    StaticResponse::new(page.into(), html, HeaderValue::try_from(policy).ok())
});

/// This reference as a page
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "get_docs",
    tag = "service",
    responses((status = 200, description = "The page.", body = str, content_type = "text/html")),
)]
pub(crate) async fn page(headers: HeaderMap) -> Response {
    PAGE.respond(&headers)
}

/// Returns the hash of a source, as a content security policy names it.
fn source_hash(source: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(source.as_bytes()));
    format!("sha256-{hash}")
}
