//! `GET /v1/openapi.json`: the reference of the API as an `OpenAPI` document.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::http::StaticResponse;

static DOCUMENT: LazyLock<StaticResponse> = LazyLock::new(|| {
    let json = HeaderValue::from_static("application/json");
    StaticResponse::new(super::document().into(), json, None)
});

/// This reference as JSON
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
    DOCUMENT.respond(&headers)
}
