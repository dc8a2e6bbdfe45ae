//! The request middleware, around every route: request id, security headers, log and metrics, and
//! problem documents as the bodies of errors.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::metrics::HttpMetrics;
use super::problem::{self, Problem};
use super::request_id::{self, RequestId};

/// Security headers for responses that are data of a tenant. A page sets its own.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    ),
];
/// HSTS for a year. It is sent only behind TLS, because browsers do not forget it.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// The label of requests without a matching route. Their paths are unbounded, so they are no label.
const UNMATCHED: &str = "unmatched";

/// The state of [`request_middleware`].
#[derive(Debug, Clone)]
pub(crate) struct RequestMiddleware {
    is_behind_tls: bool,
    metrics: HttpMetrics,
}

impl RequestMiddleware {
    pub(crate) fn new(is_behind_tls: bool, metrics: HttpMetrics) -> Self {
        Self {
            is_behind_tls,
            metrics,
        }
    }
}

/// The outermost layer of a request.
pub(crate) async fn request_middleware(
    State(state): State<RequestMiddleware>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = RequestId::from_headers(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    let uri = request.uri().clone();
    let span = span(&request, route, &request_id);
    request.extensions_mut().insert(request_id.clone());

    let started = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let (mut response, problem) = problem::render(response, uri.path(), &request_id);

    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        // A route may have set its own value, such as how long a response may be cached.
        headers.entry(name).or_insert(value);
    }
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    if state.is_behind_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    headers.insert(request_id::HEADER, request_id.header_value());
    let elapsed = started.elapsed();
    state.metrics.record(route, response.status(), elapsed);
    span.in_scope(|| log(response.status(), elapsed, problem.as_ref()));
    response
}

fn span(request: &Request, route: &str, request_id: &RequestId) -> Span {
    let trace = trace_id(request.headers());
    // As an error, so that a filter keeps it wherever it keeps the line of a failure.
    tracing::error_span!(
        "request",
        method = %request.method(),
        route,
        request_id = request_id.as_str(),
        trace_id = trace,
        tenant = tracing::field::Empty,
    )
}

/// Logs one line for each request. The cause of a 5xx is logged here alone.
fn log(status: StatusCode, elapsed: Duration, problem: Option<&Problem>) {
    let status = status.as_u16();
    if let Some(cause) = problem.and_then(Problem::cause) {
        let cause = chain(cause);
        tracing::error!(status, ?elapsed, cause, "failed");
    } else if status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
        // Refusals are counted, so that a flood of requests does not flood the log.
        tracing::debug!(status, ?elapsed, "refused");
    } else {
        tracing::info!(status, ?elapsed, "answered");
    }
}

/// Returns an error and its sources, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let source_text = error.to_string();
        if !text.contains(&source_text) {
            text.push_str(": ");
            text.push_str(&source_text);
        }
        source = error.source();
    }
    text
}

/// Returns the trace id of a W3C `traceparent`, which connects log lines with the caller's trace.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = value.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let is_valid = is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && !is_zero(trace)
        && is_hex(span, 16)
        && !is_zero(span)
        && is_hex(flags, 2)
        && (version != "00" || parts.next().is_none());
    is_valid.then_some(trace)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[track_caller]
    fn check(sent: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(sent).unwrap());
        assert_eq!(trace_id(&headers), expected, "{sent:?}");
    }

    #[test]
    fn only_a_valid_traceparent_has_a_trace_id() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Some(trace),
        );
        check(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            Some(trace),
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            None,
        );
        check(
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            None,
        );
        check(
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            None,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            None,
        );
        check(
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            None,
        );
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-01", None);
        check("", None);
    }
}
