//! Problem documents (RFC 9457): the response to every request that fails.
//!
//! A [`Problem`] is plain data. Each part of the API turns its own errors into problems. As a
//! response, a problem is a status and headers, with the problem itself as an extension. The
//! [request middleware](super::middleware), which knows the request id, writes the body with
//! [`render`]. It does the same for errors of the framework (a method not allowed, a body too
//! large), so that every error has the same form.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::request_id::RequestId;

/// The error behind a 5xx. It is logged, never sent.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// The reason why a request fails, as it is sent to the client.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    kind: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: Cow<'static, str>,
    parameter: Option<Cow<'static, str>>,
    violated_policy: Option<&'static str>,
    headers: HeaderMap,
    cause: Option<Cause>,
}

impl Problem {
    /// Returns a problem of this kind. The kind is the last part of `type`: programs match on it,
    /// so it never changes.
    pub(crate) fn new(
        status: StatusCode,
        kind: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            kind: kind.into(),
            title: title.into(),
            detail: detail.into(),
            parameter: None,
            violated_policy: None,
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// 400: the request is malformed, whatever the data.
    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "Malformed request",
            detail,
        )
    }

    /// 403: the caller's role may not see the answer.
    pub(crate) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    /// 404: no route has this path.
    pub(crate) fn no_such_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-route",
            "No such route",
            "there is nothing at this path",
        )
    }

    /// 404: the route exists, but the resource that it names does not.
    pub(crate) fn not_found(resource: &str, name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("{resource}-not-found"),
            "Not found",
            format!("there is no {resource} {name:?}"),
        )
    }

    /// 413: the body has more bytes than allowed.
    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Request too large",
            format!("the body has more than {limit} bytes"),
        )
    }

    /// 422: this parameter is well-formed, but its value is wrong.
    pub(crate) fn unprocessable(
        parameter: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable",
            "Cannot be processed",
            detail,
        )
        .with_parameter(parameter)
    }

    /// 503: a dependency is unavailable, and the client should retry.
    pub(crate) fn unavailable(detail: &'static str) -> Self {
        Self::retryable("unavailable", "Temporarily unavailable", detail)
    }

    /// 503 with this kind, to be retried after a second.
    pub(crate) fn retryable(
        kind: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, title, detail).with_retry_after(1)
    }

    /// 500: a fault of the service. The cause is logged, not sent.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
            "an internal error; the log has the cause under this request id",
        )
        .with_cause(cause)
    }

    /// An error that the framework answered with this status.
    fn from_status(status: StatusCode) -> Self {
        let reason = status.canonical_reason();
        let detail = reason.unwrap_or("the request cannot be answered");
        let (kind, title) = match status {
            StatusCode::BAD_REQUEST => ("malformed", "Malformed request"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "Request too large"),
            StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "Method not allowed"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported-media-type", "Unsupported media type")
            }
            _ => {
                let kind = format!("status-{}", status.as_u16());
                return Self::new(status, kind, reason.unwrap_or("Error"), detail);
            }
        };
        Self::new(status, kind, title, detail)
    }

    /// Names the parameter that is wrong.
    pub(crate) fn with_parameter(mut self, parameter: impl Into<Cow<'static, str>>) -> Self {
        self.0.parameter = Some(parameter.into());
        self
    }

    /// Names the rate limit that is exceeded.
    pub(crate) fn with_violated_policy(mut self, policy: &'static str) -> Self {
        self.0.violated_policy = Some(policy);
        self
    }

    /// Adds the error behind the problem, for the log.
    pub(crate) fn with_cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into().into());
        self
    }

    /// Asks the client to retry after this many seconds.
    pub(crate) fn with_retry_after(mut self, seconds: u64) -> Self {
        let seconds = HeaderValue::from(seconds);
        self.0.headers.insert(header::RETRY_AFTER, seconds);
        self
    }

    /// The headers of the response.
    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.0.headers
    }

    /// The last part of `type`.
    pub(crate) fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The parameter that is wrong.
    #[cfg(test)]
    pub(crate) fn parameter(&self) -> Option<&str> {
        self.0.parameter.as_deref()
    }

    /// Returns true if a dependency of the service is unavailable.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.kind() == "unavailable"
    }

    /// The error to be logged; `None` if the request itself is at fault.
    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.0.cause.as_ref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let mut response = self.0.status.into_response();
        *response.headers_mut() = mem::take(&mut self.0.headers);
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of every error response (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// `urn:tidemark:problem:` and a stable identifier of the kind of problem.
    r#type: String,
    /// A short summary of the kind of problem.
    title: &'a str,
    /// The HTTP status code.
    status: u16,
    /// An explanation of this occurrence.
    detail: &'a str,
    /// The parameter of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<&'a str>,
    /// The rate limits that are exceeded: `token`, `tenant` or `peer`.
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    violated_policies: Option<[&'a str; 1]>,
    /// The path of the request.
    instance: &'a str,
    /// The id of the request, as in the `x-request-id` header and in the log.
    request_id: &'a str,
}

/// The headers that describe the body which the problem document replaces.
const REPLACED_HEADERS: [HeaderName; 3] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
];

/// Turns an error response into a problem document, and returns every other response as it is.
///
/// The problem is returned too, so that its cause can be logged.
pub(crate) fn render(
    mut response: Response,
    path: &str,
    request_id: &RequestId,
) -> (Response, Option<Problem>) {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return (response, None);
    }
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = problem.unwrap_or_else(|| Problem::from_status(status));
    let inner = &problem.0;
    let document = Document {
        r#type: format!("urn:tidemark:problem:{}", inner.kind),
        title: &inner.title,
        status: status.as_u16(),
        detail: &inner.detail,
        parameter: inner.parameter.as_deref(),
        violated_policies: inner.violated_policy.map(|policy| [policy]),
        instance: path,
        request_id: request_id.as_str(),
    };
    // A document of strings cannot fail to serialise; an empty body would still have the status.
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    for name in REPLACED_HEADERS {
        parts.headers.remove(name);
    }
    let problem_json = HeaderValue::from_static("application/problem+json");
    parts.headers.insert(header::CONTENT_TYPE, problem_json);
    (Response::from_parts(parts, body.into()), Some(problem))
}
