//! `If-None-Match`: who has the answer already is told so, not sent it again.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

/// The entity tags a client has; none for most requests.
#[derive(Debug)]
pub(crate) struct Condition(Vec<HeaderValue>);

impl Condition {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH);
        Self(values.iter().cloned().collect())
    }

    /// 304 in the place of a 200 that the client has; its headers stay, for they say how fresh it
    /// is.
    pub(crate) fn apply(&self, mut response: Response) -> Response {
        if self.0.is_empty() || response.status() != StatusCode::OK {
            return response;
        }
        let etag = response.headers().get(header::ETAG);
        if !etag.is_some_and(|etag| self.names(etag)) {
            return response;
        }
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response
    }

    /// By weak comparison, as RFC 9110 has it for this header. Our tags have no comma in them.
    fn names(&self, etag: &HeaderValue) -> bool {
        let Ok(etag) = etag.to_str() else {
            return false;
        };
        let lists = self.0.iter().filter_map(|value| value.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || opaque(tag) == opaque(etag))
    }
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[&'static str], status: u16) {
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        let mut response = Response::new(Body::from("{}"));
        let etag = HeaderValue::from_static("W/\"1-abc\"");
        response.headers_mut().insert(header::ETAG, etag);
        let answered = Condition::of(&headers).apply(response);
        assert_eq!(answered.status(), status, "{sent:?}");
        assert_eq!(answered.headers()[header::ETAG], "W/\"1-abc\"");
    }

    #[test]
    fn tags_are_compared_weakly() {
        check(&["W/\"1-abc\""], 304);
        check(&["\"1-abc\""], 304);
        check(&["\"x\", W/\"1-abc\""], 304);
        check(&["\"x\"", "W/\"1-abc\""], 304);
        check(&["*"], 304);
        check(&[], 200);
        check(&["W/\"1-abd\""], 200);
        check(&["1-abc"], 200);
        check(&["\"\""], 200);
    }

    #[test]
    fn only_an_answer_can_be_had_already() {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        assert_eq!(Condition::of(&headers).apply(response).status(), 404);
    }
}
