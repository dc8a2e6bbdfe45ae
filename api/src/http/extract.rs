//! Query strings and paths, read strictly: what is not understood is refused, never ignored.
//!
//! A misspelt filter that is silently dropped answers a question nobody asked.

use axum::extract::{self, FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::Problem;

/// The query string as a struct with `deny_unknown_fields`: an unknown parameter, one given twice,
/// a value of a wrong form, and an escape that is no UTF-8 are each a 400 that says which.
#[derive(Debug)]
pub(crate) struct QueryParams<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(&parts.uri).map(Self)
    }
}

/// What a route without parameters takes: an unknown one is refused there too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

fn parse<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = uri.query().unwrap_or_default();
    // The decoder behind `Query` would put a replacement character where a byte is wrong.
    if !is_utf8_when_decoded(query) {
        let detail = "the query string has an escape that is not UTF-8, or not an escape";
        return Err(Problem::Malformed {
            parameter: None,
            detail: detail.to_owned(),
        });
    }
    let parsed = Query::try_from_uri(uri).map_err(|rejection| {
        use std::error::Error;
        // The source says which parameter and why; around it is only "failed to deserialize".
        let detail = rejection
            .source()
            .map_or_else(|| rejection.to_string(), ToString::to_string);
        Problem::Malformed {
            parameter: None,
            detail: format!("the query string: {detail}"),
        }
    })?;
    Ok(parsed.0)
}

fn is_utf8_when_decoded(query: &str) -> bool {
    let mut decoded = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let Some((digits, tail)) = rest.split_first_chunk::<2>() else {
            return false;
        };
        let [Some(high), Some(low)] = digits.map(|digit| char::from(digit).to_digit(16)) else {
            return false;
        };
        decoded.push(u8::try_from(high * 16 + low).unwrap_or(u8::MAX));
        rest = tail;
    }
    std::str::from_utf8(&decoded).is_ok()
}

/// The variable part of a path, or the tuple of them, decoded; 400 where its escapes are no UTF-8.
#[derive(Debug)]
pub(crate) struct Path<T = String>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = extract::Path::<T>::from_request_parts(parts, state).await;
        let extract::Path(name) = path.map_err(|rejection| Problem::Malformed {
            parameter: None,
            detail: format!("the path: {}", rejection.body_text()),
        })?;
        Ok(Self(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        limit: Option<u32>,
        segment: Option<String>,
    }

    fn ask(query: &str) -> Result<Asked, String> {
        let uri = Uri::try_from(format!("/v1/customers?{query}")).map_err(|e| e.to_string())?;
        parse(&uri).map_err(|problem| problem.to_string())
    }

    #[test]
    fn values_are_decoded() {
        let asked =
            ask("limit=7&segment=at%20risk+%C3%BC").map(|asked| (asked.limit, asked.segment));
        assert_eq!(asked, Ok((Some(7), Some("at risk ü".to_owned()))));
        assert!(ask("").is_ok());
    }

    #[track_caller]
    fn check_refused(query: &str, says: &str) {
        match ask(query) {
            Ok(asked) => panic!("{query:?} was accepted: {asked:?}"),
            Err(detail) => assert!(detail.contains(says), "{detail:?} lacks {says:?}"),
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        check_refused("segmant=x", "segmant");
        check_refused("limit=1&limit=2", "limit");
        check_refused("limit=ten", "limit");
        check_refused("limit=-1", "limit");
        check_refused("limit=99999999999999", "limit");
        check_refused("segment=%FF", "UTF-8");
        check_refused("segment=%4", "escape");
        check_refused("segment=%zz", "escape");
    }
}
