//! `If-None-Match`: 304 for a response that the client has already.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

/// The entity tags that a client sent; most requests have none.
#[derive(Debug)]
pub(crate) struct Condition(Vec<HeaderValue>);

impl Condition {
    /// Reads the entity tags of a request.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH);
        Self(values.iter().cloned().collect())
    }

    /// Replaces a 200 that the client has already by a 304. Its headers stay, because they state how
    /// fresh it is.
    pub(crate) fn apply(&self, mut response: Response) -> Response {
        if self.0.is_empty() || response.status() != StatusCode::OK {
            return response;
        }
        let etag = response.headers().get(header::ETAG);
        if !etag.is_some_and(|etag| self.contains(etag)) {
            return response;
        }
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response
    }

    /// Compares weakly, as RFC 9110 requires for this header. Tags of this API contain no comma.
    fn contains(&self, etag: &HeaderValue) -> bool {
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
        let answer = Condition::from_headers(&headers).apply(response);
        assert_eq!(answer.status(), status, "{sent:?}");
        assert_eq!(answer.headers()[header::ETAG], "W/\"1-abc\"");
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
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
    fn only_a_200_becomes_a_304() {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        assert_eq!(
            Condition::from_headers(&headers).apply(response).status(),
            404
        );
    }
}
