//! Strict extractors of query strings and paths: an unknown parameter is refused, never ignored.
//!
//! A misspelt filter that is ignored would give the response to another query.

use axum::extract::{self, FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The query string as a struct with `deny_unknown_fields`: 400 for an unknown or repeated parameter,
/// a malformed value, and an escape that is not UTF-8. The problem names the parameter.
#[derive(Debug)]
pub(crate) struct QueryParams<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(&parts.uri).map(Self)
    }
}

/// The query parameters of a route that has none. An unknown parameter is refused there too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

fn parse<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = uri.query().unwrap_or_default();
    // The decoder behind `Query` would replace invalid bytes by replacement characters.
    if !is_utf8_when_decoded(query) {
        return Err(Problem::malformed(
            "the query string has an escape that is not UTF-8, or not an escape",
        ));
    }
    let parsed = Query::try_from_uri(uri).map_err(|rejection| {
        use std::error::Error;
        // The source names the parameter; the error itself is only "failed to deserialize".
        let detail = rejection
            .source()
            .map_or_else(|| rejection.to_string(), ToString::to_string);
        let problem = Problem::malformed(format!("the query string: {detail}"));
        match named_parameter(uri, &detail) {
            Some(name) => problem.with_parameter(name),
            None => problem,
        }
    })?;
    Ok(parsed.0)
}

/// Returns the parameter of the query string that an error is about: its text begins with the name, or
/// quotes it first.
fn named_parameter(uri: &Uri, detail: &str) -> Option<String> {
    let prefix = detail.split_once(": ").map(|(name, _)| name);
    let names = [prefix, detail.split('`').nth(1)];
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let is_sent = |name: &&str| pairs.iter().any(|(sent, _)| sent == name);
    names.into_iter().flatten().find(is_sent).map(str::to_owned)
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

/// The parameter of a path, or a tuple of its parameters; 400 if an escape is not UTF-8.
#[derive(Debug)]
pub(crate) struct Path<T = String>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = extract::Path::<T>::from_request_parts(parts, state).await;
        let extract::Path(name) = path.map_err(|rejection| {
            Problem::malformed(format!("the path: {}", rejection.body_text()))
        })?;
        Ok(Self(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        limit: Option<u32>,
        segment: Option<String>,
    }

    fn parse_query(query: &str) -> Result<Params, String> {
        let uri = Uri::try_from(format!("/v1/customers?{query}")).map_err(|e| e.to_string())?;
        parse(&uri).map_err(|problem| problem.to_string())
    }

    #[test]
    fn percent_encoded_values_are_decoded() {
        let params = parse_query("limit=7&segment=at%20risk+%C3%BC");
        let values = params.map(|params| (params.limit, params.segment));
        assert_eq!(values, Ok((Some(7), Some("at risk ü".to_owned()))));
        assert!(parse_query("").is_ok());
    }

    #[track_caller]
    fn check_refused(query: &str, expected: &str) {
        match parse_query(query) {
            Ok(params) => panic!("{query:?} was accepted: {params:?}"),
            Err(detail) => assert!(detail.contains(expected), "{detail:?} lacks {expected:?}"),
        }
    }

    #[test]
    fn a_parameter_of_the_wrong_form_is_a_field_of_the_problem() {
        for (query, name) in [
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("segment=a&segmant=x", "segmant"),
            ("segment=a&limit=1&limit=2", "limit"),
        ] {
            let uri = Uri::try_from(format!("/v1/customers?{query}")).ok();
            let problem = uri.and_then(|uri| parse::<Params>(&uri).err());
            let parameter = problem.as_ref().and_then(Problem::parameter);
            assert_eq!(parameter, Some(name), "{query}");
        }
    }

    #[test]
    fn an_invalid_parameter_is_named_in_the_problem() {
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
