//! Tests of the reference: the `OpenAPI` document and the page that shows it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::Rate;
use crate::http::Peer;
use crate::rate_limits::priced_routes;
use crate::routes::description;

/// Returns a request without a token.
fn anonymous(method: &str, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(Body::empty()).unwrap()
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn every_described_path_is_routed() {
    let router = service(|_| {}).await.router();
    for path in description().paths.paths.keys() {
        let path = path.replace(['{', '}'], "");
        let response = router.clone().oneshot(request("DELETE", &path)).await;
        let status = response.unwrap().status();
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[test]
fn every_authenticated_route_has_a_rate_limit_cost() {
    let described = description();
    let tenants = described.paths.paths.iter().filter(|(_, item)| {
        let operation = item.get.as_ref().unwrap();
        operation
            .security
            .as_ref()
            .is_some_and(|schemes| !schemes.is_empty())
    });
    let tenants: BTreeSet<_> = tenants.map(|(path, _)| path.as_str()).collect();
    assert_eq!(tenants, priced_routes().collect());
}

#[tokio::test]
async fn the_reference_is_public_and_cacheable() {
    let router = service(|_| {}).await.router();
    for (path, content_type) in [
        ("/v1/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
    ] {
        let first = router
            .clone()
            .oneshot(anonymous("GET", path))
            .await
            .unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()["content-type"], content_type);
        assert_eq!(first.headers()["cache-control"], "public, max-age=300");
        let etag = first.headers()["etag"].clone();
        let body = text(first).await;
        assert!(path == "/docs" || body == crate::openapi());

        let mut again = anonymous("GET", path);
        again.headers_mut().insert("if-none-match", etag.clone());
        let again = router.clone().oneshot(again).await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()["etag"], etag);
        assert_eq!(text(again).await, "");
    }
}

/// Returns the text between two marks; the first must occur exactly once.
#[track_caller]
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap();
    assert!(!rest.contains(begin), "{begin} is there twice");
    rest.split_once(end).unwrap().0
}

#[tokio::test]
async fn the_page_runs_only_its_own_script() {
    let router = service(|_| {}).await.router();
    let response = router.oneshot(anonymous("GET", "/docs")).await.unwrap();
    let policy = response.headers()["content-security-policy"].clone();
    let policy = policy.to_str().unwrap().to_owned();
    let page = text(response).await;
    let hash = |source: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(source)));
    let style = hash(between(&page, "<style>", "</style>"));
    let script = hash(between(&page, "<script>", "</script>"));
    let expected = format!(
        "default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(policy, expected);
    for foreign in [
        "http://",
        "https://",
        "//cdn",
        "src=",
        "style=",
        "innerHTML",
        "eval(",
    ] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[tokio::test]
async fn reads_of_the_reference_are_limited_per_peer() {
    let service = service(|config| {
        config.limits.peer_rate = Rate {
            per_second: 1,
            burst: 5,
        };
    });
    let router = service.await.router();
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let mut request = anonymous("GET", "/v1/openapi.json");
        request.extensions_mut().insert(Peer([10, 0, 0, 1].into()));
        statuses.push(router.clone().oneshot(request).await.unwrap().status());
    }
    assert_eq!(statuses[..5], [StatusCode::OK; 5]);
    assert_eq!(statuses[5], StatusCode::TOO_MANY_REQUESTS);
}
