//! Tests of the layers around every route, without a database: problems, headers, limits.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admission;
mod connections;
mod docs;
mod draining;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::auth::{Claims, Role, issue_token};
use crate::{AuthConfig, Config, Service};

const SECRET: &str = "a secret of 32 bytes, no shorter";

async fn service(change: impl FnOnce(&mut Config)) -> Service {
    let auth = AuthConfig::new("tidemark", "tidemark-api", SECRET);
    let mut config = Config::new("postgres://nowhere/nothing", auth);
    config.limits.acquire_timeout = Duration::from_millis(50);
    change(&mut config);
    Service::without_database(config).await.unwrap()
}

fn token() -> String {
    token_of("ada")
}

fn token_of(subject: &str) -> String {
    let now = jsonwebtoken::get_current_timestamp();
    let claims = Claims {
        iss: "tidemark".to_owned(),
        aud: "tidemark-api".to_owned(),
        sub: subject.to_owned(),
        iat: now,
        exp: now + 600,
        nbf: None,
        tenant: "acme".parse().unwrap(),
        role: Role::Admin,
    };
    issue_token(SECRET, &claims).unwrap()
}

fn request(method: &str, path: &str) -> Request<Body> {
    request_of(method, path, "ada")
}

fn request_of(method: &str, path: &str, subject: &str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    let builder = builder.header("authorization", format!("Bearer {}", token_of(subject)));
    builder
        .header("x-request-id", "the-request")
        .body(Body::empty())
        .unwrap()
}

async fn body(response: Response) -> (StatusCode, HeaderMap, Value) {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    (
        parts.status,
        parts.headers,
        serde_json::from_slice(&bytes).unwrap(),
    )
}

async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
    body(router.clone().oneshot(request).await.unwrap()).await
}

/// Sends the request to the real routes and expects a complete problem document.
async fn problem(request: Request<Body>, status: u16, kind: &str) -> (HeaderMap, Value) {
    let path = request.uri().path().to_owned();
    let (found, headers, document) = ask(&service(|_| {}).await.router(), request).await;
    assert_eq!(found.as_u16(), status, "{document}");
    assert_problem(&headers, &document, status, kind, &path);
    (headers, document)
}

#[track_caller]
fn assert_problem(headers: &HeaderMap, document: &Value, status: u16, kind: &str, path: &str) {
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["x-request-id"], "the-request");
    assert_eq!(document["type"], format!("urn:tidemark:problem:{kind}"));
    assert_eq!(document["status"], status);
    assert_eq!(document["instance"], path);
    assert_eq!(document["request_id"], "the-request");
    assert!(document["title"].is_string() && document["detail"].is_string());
}

#[tokio::test]
async fn an_unknown_path_is_answered_404_with_a_problem() {
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v2/customers",
        "/v1/customers/a/b",
        "/metrics",
    ] {
        problem(request("GET", path), 404, "no-such-route").await;
    }
}

#[tokio::test]
async fn a_method_not_allowed_is_answered_405_with_the_allowed_methods() {
    for path in ["/v1/customers", "/v1/status", "/healthz", "/readyz"] {
        let (headers, _) = problem(request("DELETE", path), 405, "method-not-allowed").await;
        assert_eq!(headers["allow"], "GET,HEAD", "{path}");
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_answered_401_with_a_challenge() {
    let mut request = request("GET", "/v1/customers?nonsense");
    request.headers_mut().remove("authorization");
    let (headers, _) = problem(request, 401, "unauthenticated").await;
    assert_eq!(headers["www-authenticate"], "Bearer realm=\"tidemark\"");
}

#[tokio::test]
async fn malformed_parameters_are_400_and_unacceptable_values_422() {
    let malformed = [
        "/v1/customers?limit=ten",
        "/v1/customers?limit=1&limit=2",
        "/v1/customers?offset=5",
        "/v1/customers?cursor=!",
        "/v1/customers?segment=%FF",
        "/v1/customers/%FF",
        "/v1/customers/a?fields=b",
        "/v1/status?x",
        "/v1/segments?limit=5",
    ];
    for path in malformed {
        problem(request("GET", path), 400, "malformed").await;
    }
    let wrong = [
        ("/v1/customers?limit=0", "limit"),
        ("/v1/customers?limit=501", "limit"),
        ("/v1/customers?band=huge", "band"),
        ("/v1/customers?stage=lead", "stage"),
        ("/v1/customers?journey=sales", "journey"),
        ("/v1/customers/%00", "id"),
        ("/v1/segments/x/members?limit=501", "limit"),
    ];
    for (path, parameter) in wrong {
        let (_, document) = problem(request("GET", path), 422, "unprocessable").await;
        assert_eq!(document["parameter"], parameter);
    }
}

#[tokio::test]
async fn an_unknown_parameter_is_named_in_the_problem() {
    let (_, document) = problem(request("GET", "/v1/customers?segmant=x"), 400, "malformed").await;
    insta::assert_json_snapshot!(document);
}

#[tokio::test]
async fn an_unavailable_database_is_answered_503_with_retry_after() {
    for path in ["/v1/customers", "/v1/status", "/readyz"] {
        let (headers, document) = problem(request("GET", path), 503, "unavailable").await;
        assert_eq!(headers["retry-after"], "1");
        let said = document.to_string();
        assert!(
            !said.contains("127.0.0.1") && !said.contains("pool"),
            "{said}"
        );
    }
    let (status, _, document) =
        ask(&service(|_| {}).await.router(), request("GET", "/healthz")).await;
    assert_eq!(
        (status, &document["status"]),
        (StatusCode::OK, &Value::from("ok"))
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_413_without_being_read() {
    let mut request = request("GET", "/v1/customers");
    request
        .headers_mut()
        .insert("content-length", "70000".parse().unwrap());
    problem(request, 413, "too-large").await;
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    for path in ["/healthz", "/nothing", "/v1/status"] {
        let (_, headers, _) = ask(&service(|_| {}).await.router(), request("GET", path)).await;
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["cache-control"], "private, no-store");
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("'none'")
        );
    }
}

#[tokio::test]
async fn an_invalid_request_id_is_replaced() {
    let mut request = request("GET", "/healthz");
    request
        .headers_mut()
        .insert("x-request-id", "a b".parse().unwrap());
    let (_, headers, _) = ask(&service(|_| {}).await.router(), request).await;
    assert_eq!(headers["x-request-id"].len(), 36);
}

/// Returns routes that panic, hang or read a body, behind the real middleware.
fn misbehaving(service: &Service) -> Router {
    let never = std::sync::Arc::new(Notify::new());
    let routes = Router::new()
        .route(
            "/panic",
            get(async || -> &'static str { panic!("the secret is 42") }),
        )
        .route(
            "/json",
            post(async |axum::Json(_): axum::Json<Value>| "read"),
        )
        .route(
            "/hang",
            get(async move || {
                never.notified().await;
                "never"
            }),
        );
    let layers = service.layers();
    layers.all(layers.guarded(routes))
}

#[tokio::test]
async fn a_panic_is_answered_500_without_its_message() {
    let router = misbehaving(&service(|_| {}).await);
    let (status, headers, document) = ask(&router, request("GET", "/panic")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_problem(&headers, &document, 500, "internal", "/panic");
    assert!(!document.to_string().contains("42"));
}

#[tokio::test]
async fn a_request_over_the_time_limit_is_answered_503() {
    let service = service(|config| config.limits.request_timeout = Duration::from_millis(20)).await;
    let (status, headers, document) = ask(&misbehaving(&service), request("GET", "/hang")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_problem(&headers, &document, 503, "timed-out", "/hang");
    assert_eq!(service.http_metrics().timed_out.get(), 1);
    // The work itself is not cancelled: it still counts as in flight.
    assert_eq!(service.http_metrics().in_flight.get(), 1);
}

#[tokio::test]
async fn requests_over_the_concurrency_limit_are_shed_at_once() {
    let service = service(|config| config.limits.concurrent_requests = 1).await;
    let router = misbehaving(&service);
    let hanging = service
        .layers()
        .guard
        .tasks()
        .spawn(router.clone().oneshot(request("GET", "/hang")));
    while service.http_metrics().in_flight.get() == 0 {
        tokio::task::yield_now().await;
    }
    let (_, headers, document) = ask(&router, request("GET", "/hang")).await;
    assert_problem(&headers, &document, 503, "overloaded", "/hang");
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(service.http_metrics().shed.get(), 1);
    hanging.abort();
}

#[tokio::test]
async fn rejections_by_axum_are_rendered_as_problems() {
    let router = misbehaving(&service(|config| config.limits.body_bytes = 16).await);
    let post = |body: &'static str, content_type: &str| {
        let mut request = request("POST", "/json");
        request
            .headers_mut()
            .insert("content-type", content_type.parse().unwrap());
        *request.body_mut() = Body::from(body);
        request
    };
    let (_, headers, document) = ask(&router, post("{}", "text/plain")).await;
    assert_problem(&headers, &document, 415, "unsupported-media-type", "/json");
    let long = r#"{"a": "longer than sixteen bytes"}"#;
    let (_, headers, document) = ask(&router, post(long, "application/json")).await;
    assert_problem(&headers, &document, 413, "too-large", "/json");
    let (_, headers, document) = ask(&router, post("{", "application/json")).await;
    assert_problem(&headers, &document, 400, "malformed", "/json");
}
