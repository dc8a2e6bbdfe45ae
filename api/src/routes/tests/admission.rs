//! Tests of admission: rate limits, peers, proxies, origins.

use axum::http::{HeaderValue, header};

use super::*;
use crate::http::Peer;
use crate::{Network, Rate};

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate { per_second, burst }
}

/// The tests have no database: a request that passes the limits is answered 503.
const PAST: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

#[tokio::test]
async fn a_list_costs_more_than_a_read_and_the_remaining_quota_is_returned() {
    let service = service(|config| config.limits.token_rate = rate(1, 12)).await;
    let router = service.router();
    let (status, headers, _) = ask(&router, request("GET", "/v1/customers")).await;
    assert_eq!(status, PAST);
    assert_eq!(
        headers["ratelimit-policy"],
        "\"token\";q=12;w=12, \"tenant\";q=2500;w=5"
    );
    let header = headers["ratelimit"].to_str().unwrap().to_owned();
    assert!(
        header.starts_with("\"token\";r=7;t=5, \"tenant\";r="),
        "{header}"
    );
    // With another token of the tenant.
    let other = request_of("GET", "/v1/customers/a", "grace");
    let (_, headers, _) = ask(&router, other).await;
    let header = headers["ratelimit"].to_str().unwrap().to_owned();
    assert!(header.starts_with("\"token\";r=11;t=1"), "{header}");
}

#[tokio::test]
async fn a_request_over_the_rate_limit_is_answered_429_with_retry_after() {
    let service = service(|config| config.limits.tenant_rate = rate(1, 5)).await;
    let router = service.router();
    let (status, _, _) = ask(&router, request("GET", "/v1/customers")).await;
    assert_eq!(status, PAST);
    let (status, headers, document) = ask(&router, request("GET", "/v1/customers")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_problem(&headers, &document, 429, "rate-limited", "/v1/customers");
    assert_eq!(document["violated-policies"], serde_json::json!(["tenant"]));
    let seconds: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=5).contains(&seconds), "{seconds}");
    let header = headers["ratelimit"].to_str().unwrap();
    assert!(header.ends_with("\"tenant\";r=0;t=5"), "{header}");
}

/// Returns a request from this address with this token.
fn from(peer: [u8; 4], token: &str) -> Request<Body> {
    let mut request = request("GET", "/v1/customers/a");
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, value);
    request.extensions_mut().insert(Peer(peer.into()));
    request
}

#[tokio::test]
async fn a_peer_over_its_limit_is_refused_before_its_token_is_verified() {
    let service = service(|config| config.limits.peer_rate = rate(1, 5)).await;
    let (router, good) = (service.router(), token());
    let (status, _, _) = ask(&router, from([192, 0, 2, 1], &good)).await;
    assert_eq!(status, PAST);
    let mut guesses = 0;
    let (headers, document) = loop {
        let checked = service.auth_metrics().tokens_checked.get();
        let guess = from([192, 0, 2, 1], &format!("{good}{guesses}"));
        let (status, headers, document) = ask(&router, guess).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            let checked_now = service.auth_metrics().tokens_checked.get();
            assert_eq!(checked_now, checked);
            break (headers, document);
        }
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        guesses += 1;
        assert!(guesses < 1_000, "the peer is never limited");
    };
    assert!(guesses >= 4, "{guesses}");
    assert_problem(&headers, &document, 429, "rate-limited", "/v1/customers/a");
    // A known token from the same address passes, and another address has its own limit.
    let (status, _, _) = ask(&router, from([192, 0, 2, 1], &good)).await;
    assert_eq!(status, PAST);
    let (status, _, _) = ask(&router, from([192, 0, 2, 2], "another")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_peer_is_the_forwarded_client() {
    let service = service(|config| {
        config.limits.peer_rate = rate(1, 5);
        config.limits.trusted_proxies = vec!["192.0.2.0/24".parse::<Network>().unwrap()];
    })
    .await;
    let router = service.router();
    for client in 0..20 {
        let mut request = from([192, 0, 2, 1], "nonsense");
        let client = HeaderValue::try_from(format!("198.51.100.{client}")).unwrap();
        request.headers_mut().insert("x-forwarded-for", client);
        let (status, _, _) = ask(&router, request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_invalid_authorization_header_is_answered_401() {
    let router = service(|_| {}).await.router();
    let long = "x".repeat(20_000);
    let values: [&[u8]; 8] = [
        b"",
        b"Bearer",
        b"Bearer \xff\xfe",
        b"Bearer ...",
        b"Bearer eyJhbGciOiJub25lIn0.e30.",
        b"Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6bnVsbH0.e30.AAAA",
        b"Negotiate abc",
        long.as_bytes(),
    ];
    for value in values {
        let mut request = request("GET", "/v1/status");
        let header = HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, header);
        let (status, _, document) = ask(&router, request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{document}");
    }
}

#[tokio::test]
async fn only_configured_origins_pass_cors() {
    const OURS: &str = "https://dashboard.example.com";
    let preflight = |origin: &str| {
        let mut request = request("OPTIONS", "/v1/customers");
        let headers = request.headers_mut();
        headers.remove(header::AUTHORIZATION);
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        headers.insert(
            header::ACCESS_CONTROL_REQUEST_METHOD,
            HeaderValue::from_static("GET"),
        );
        request
    };
    let open = service(|config| config.allowed_origins = vec![OURS.to_owned()]).await;
    let answer = open.router().oneshot(preflight(OURS)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["access-control-allow-origin"], OURS);
    let other = preflight("https://elsewhere.example.com");
    let answer = open.router().oneshot(other).await.unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    let closed = service(|_| {}).await;
    let answer = closed.router().oneshot(preflight(OURS)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    for wrong in ["*", "dashboard.example.com", "https://a/b", "https://*.a"] {
        let auth = AuthConfig::new("tidemark", "tidemark-api", SECRET);
        let mut config = Config::new("postgres://nowhere/nothing", auth);
        config.allowed_origins = vec![wrong.to_owned()];
        assert!(Service::without_database(config).await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn hsts_is_sent_if_tls_is_configured() {
    let (_, headers, _) = ask(&service(|_| {}).await.router(), request("GET", "/healthz")).await;
    assert!(!headers.contains_key("strict-transport-security"));
    let service = service(|config| config.is_behind_tls = true).await;
    let (_, headers, _) = ask(&service.router(), request("GET", "/healthz")).await;
    let header = headers["strict-transport-security"].to_str().unwrap();
    assert!(header.starts_with("max-age=31536000"), "{header}");
}

#[tokio::test]
async fn large_responses_are_compressed_as_accepted() {
    let service = service(|_| {}).await;
    let sizes = Router::new()
        .route("/large", get(async || "x".repeat(10_000)))
        .route("/small", get(async || "x".repeat(100)));
    let router = service.layers().all(sizes);
    let answer = async |path: &str, accepted: &'static str| {
        let mut request = request("GET", path);
        let accepted = HeaderValue::from_static(accepted);
        request
            .headers_mut()
            .insert(header::ACCEPT_ENCODING, accepted);
        router.clone().oneshot(request).await.unwrap()
    };
    for (accepted, encoding) in [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("br, zstd, gzip", "zstd"),
    ] {
        let answer = answer("/large", accepted).await;
        assert_eq!(answer.headers()["content-encoding"], encoding);
        let varies: Vec<_> = answer.headers().get_all("vary").iter().collect();
        assert_eq!(varies, ["accept-encoding", "authorization"]);
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert!(bytes.len() < 500, "{}", bytes.len());
    }
    for (path, accepted) in [("/small", "gzip"), ("/large", "identity"), ("/large", "br")] {
        let answer = answer(path, accepted).await;
        assert!(
            !answer.headers().contains_key("content-encoding"),
            "{path} {accepted}"
        );
    }
}

#[tokio::test]
async fn pages_of_other_origins_can_read_the_age_of_a_stale_response() {
    let origin = "https://dashboard.example.com";
    let service = service(|config| config.allowed_origins = vec![origin.to_owned()]).await;
    let mut request = request("GET", "/v1/customers");
    let value = HeaderValue::from_static("https://dashboard.example.com");
    request.headers_mut().insert(header::ORIGIN, value);
    let (_, headers, _) = ask(&service.router(), request).await;
    let exposed = headers["access-control-expose-headers"].to_str().unwrap();
    let exposed: Vec<_> = exposed.split(',').map(str::trim).collect();
    for name in ["age", "tidemark-stale"] {
        assert!(exposed.contains(&name), "{name}: {exposed:?}");
    }
}
