//! What a client is told when it gets no answer: problem documents (RFC 9457).
//!
//! Handlers return a [`Problem`]; as a response it is a status, headers and the problem itself as
//! an extension. The [envelope](crate::http::middleware), which knows the request id, writes the body with
//! [`render`], also for errors that are not ours (a method not allowed, a body too large), so that
//! no error leaves in another form.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Unauthenticated;
use crate::freshness::Freshness;
use crate::http::RequestId;
use crate::limits::{Quotas, Refusal};

/// Why a request got no answer. The text of each variant is what the client reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// 400: the request itself is broken; no data could make it right.
    #[error("{detail}")]
    Malformed {
        parameter: Option<&'static str>,
        detail: String,
    },
    /// 401.
    #[error("{0}")]
    Unauthenticated(#[from] Unauthenticated),
    /// 404: no route has this path.
    #[error("there is nothing at this path")]
    NoSuchRoute,
    /// 404: the route exists, the thing it names does not, at least not for this tenant.
    #[error("there is no {kind} {name:?}")]
    NotFound { kind: &'static str, name: String },
    /// 413.
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: usize },
    /// 422: well-formed, but wrong for this tenant or beyond a limit.
    #[error("{detail}")]
    Unprocessable {
        parameter: &'static str,
        detail: String,
    },
    /// 429: asked too much, by one of its limits.
    #[error("too much was asked: the limit of the {} is reached", .refusal.limit)]
    RateLimited { refusal: Refusal, quotas: Quotas },
    /// 429: too many requests of the tenant are under way, and too many wait for those.
    #[error("too many requests of this tenant are under way")]
    TenantBusy,
    /// 503: something we need is away; waiting helps.
    #[error("{detail}")]
    Unavailable {
        detail: &'static str,
        cause: Option<Cause>,
    },
    /// 503: more requests are under way than we take on.
    #[error("too many requests are under way")]
    Overloaded,
    /// 503: the answer took too long.
    #[error("the answer took too long")]
    TimedOut,
    /// 500: our fault. The cause is logged, not answered.
    #[error("an internal error; the log has the cause under this request id")]
    Internal(Cause),
    /// Any status that axum answered by itself.
    #[error("{}", .0.canonical_reason().unwrap_or("the request cannot be answered"))]
    Status(StatusCode),
    /// 503: what the request waits for is not folded yet.
    #[error("what Tidemark-Wait names was not folded within {} s", limit.as_secs_f32())]
    NotFolded { limit: Duration },
    /// Of a read that several requests waited for.
    #[error("{0}")]
    Shared(Arc<Self>),
    /// Another problem, found in a snapshot whose freshness is known.
    #[error("{0}")]
    Read(Box<Self>, Freshness),
}

/// What made a 5xx; for the log alone.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Problem {
    /// 500 for this cause.
    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// 422 for this parameter.
    pub(crate) fn unprocessable(parameter: &'static str, detail: impl Into<String>) -> Self {
        Self::Unprocessable {
            parameter,
            detail: detail.into(),
        }
    }

    /// This problem, found in a snapshot: the client learns how fresh the refusal is.
    pub(crate) fn read_at(self, freshness: Freshness) -> Self {
        Self::Read(Box::new(self), freshness)
    }

    /// Whether something we need is away.
    pub(crate) fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Shared(problem) => problem.is_unavailable(),
            Self::Read(problem, _) => problem.is_unavailable(),
            _ => false,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::NoSuchRoute | Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited { .. } | Self::TenantBusy => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. }
            | Self::Overloaded
            | Self::TimedOut
            | Self::NotFolded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Status(status) => *status,
            Self::Shared(problem) => problem.status(),
            Self::Read(problem, _) => problem.status(),
        }
    }

    /// The last part of `type`, stable for programs to match on, and the `title`.
    fn kind(&self) -> (Cow<'static, str>, &'static str) {
        let (kind, title) = match self {
            Self::Malformed { .. } | Self::Status(StatusCode::BAD_REQUEST) => {
                ("malformed", "Malformed request")
            }
            Self::Unauthenticated(_) => ("unauthenticated", "Not authenticated"),
            Self::NoSuchRoute => ("no-such-route", "No such route"),
            Self::NotFound { kind, .. } => {
                return (Cow::Owned(format!("{kind}-not-found")), "Not found");
            }
            Self::TooLarge { .. } | Self::Status(StatusCode::PAYLOAD_TOO_LARGE) => {
                ("too-large", "Request too large")
            }
            Self::Unprocessable { .. } => ("unprocessable", "Cannot be processed"),
            Self::RateLimited { .. } => ("rate-limited", "Too much asked"),
            Self::TenantBusy => ("tenant-busy", "Too many requests of the tenant under way"),
            Self::Unavailable { .. } => ("unavailable", "Temporarily unavailable"),
            Self::Overloaded => ("overloaded", "Too many requests under way"),
            Self::TimedOut => ("timed-out", "Took too long"),
            Self::NotFolded { .. } => ("not-folded", "Not folded yet"),
            Self::Shared(problem) => return problem.kind(),
            Self::Internal(_) => ("internal", "Internal error"),
            Self::Status(StatusCode::METHOD_NOT_ALLOWED) => {
                ("method-not-allowed", "Method not allowed")
            }
            Self::Status(StatusCode::UNSUPPORTED_MEDIA_TYPE) => {
                ("unsupported-media-type", "Unsupported media type")
            }
            Self::Status(status) => {
                let title = status.canonical_reason().unwrap_or("Error");
                return (Cow::Owned(format!("status-{}", status.as_u16())), title);
            }
            Self::Read(problem, _) => return problem.kind(),
        };
        (Cow::Borrowed(kind), title)
    }

    fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { parameter, .. } => *parameter,
            Self::Unprocessable { parameter, .. } => Some(parameter),
            Self::Shared(problem) => problem.parameter(),
            Self::Read(problem, _) => problem.parameter(),
            _ => None,
        }
    }

    /// By the name that the draft of the IETF gives it.
    fn violated_policies(&self) -> Option<[&'static str; 1]> {
        match self {
            Self::RateLimited { refusal, .. } => Some([refusal.limit]),
            Self::Read(problem, _) => problem.violated_policies(),
            _ => None,
        }
    }

    /// What the log should say; `None` where the client's own fault is no news.
    pub(crate) fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Internal(cause) => Some(cause),
            Self::Unavailable { cause, .. } => cause.as_ref(),
            Self::Shared(problem) => problem.cause(),
            Self::Read(problem, _) => problem.cause(),
            _ => None,
        }
    }

    fn headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::Unauthenticated(reason) => {
                if let Ok(challenge) = HeaderValue::try_from(reason.challenge()) {
                    headers.insert(header::WWW_AUTHENTICATE, challenge);
                }
            }
            Self::RateLimited { refusal, quotas } => {
                quotas.write(headers);
                // Rounded up: who comes back a moment too early is refused again.
                let seconds = refusal.wait.as_millis().div_ceil(1_000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::Unavailable { .. }
            | Self::Overloaded
            | Self::TimedOut
            | Self::NotFolded { .. }
            | Self::TenantBusy => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Shared(problem) => problem.headers(headers),
            Self::Read(problem, freshness) => {
                problem.headers(headers);
                freshness.write(headers);
            }
            _ => {}
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        self.headers(response.headers_mut());
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Why there is no answer (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// `urn:tidemark:problem:` and a word that stays the same, for programs to match on.
    r#type: String,
    /// The type, for people.
    title: &'a str,
    /// As in the status line.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// Which parameter of the request is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<&'a str>,
    /// Which limits are reached: `token`, `tenant` or `peer`.
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    violated_policies: Option<[&'a str; 1]>,
    /// The path that was asked for.
    instance: &'a str,
    /// As in the header `x-request-id`, and in our log.
    request_id: &'a str,
}

const OF_ANOTHER_BODY: [HeaderName; 3] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
];

/// Makes the response of an error a problem document; leaves every other response alone.
///
/// Returns the problem too, so that its cause can be logged.
pub(crate) fn render(
    mut response: Response,
    path: &str,
    request_id: &RequestId,
) -> (Response, Option<Arc<Problem>>) {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return (response, None);
    }
    let problem = response.extensions_mut().remove::<Arc<Problem>>();
    let problem = problem.unwrap_or_else(|| Arc::new(Problem::Status(status)));
    let (kind, title) = problem.kind();
    let document = Document {
        r#type: format!("urn:tidemark:problem:{kind}"),
        title,
        status: status.as_u16(),
        detail: problem.to_string(),
        parameter: problem.parameter(),
        violated_policies: problem.violated_policies(),
        instance: path,
        request_id: request_id.as_str(),
    };
    // A document of strings cannot fail to serialise; an empty body would still have the status.
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    for name in OF_ANOTHER_BODY {
        parts.headers.remove(name);
    }
    let problem_json = HeaderValue::from_static("application/problem+json");
    parts.headers.insert(header::CONTENT_TYPE, problem_json);
    (Response::from_parts(parts, body.into()), Some(problem))
}
