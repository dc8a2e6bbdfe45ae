//! The `OpenAPI` description, and the check of every response in a test against it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

/// The description as the code generates it.
pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&tidemark_api::openapi()).unwrap());

/// The responses that the description allows, by path and status.
static ANSWERS: LazyLock<BTreeMap<(String, u16), Described>> = LazyLock::new(answers);

/// One response of the description.
struct Described {
    /// Header names in lower case.
    headers: Vec<String>,
    /// The media type and the schema; `None` for a response without a body.
    body: Option<(String, Validator)>,
}

/// Headers that describe the response rather than the connection.
const TOLD: [&str; 7] = [
    "age",
    "cache-control",
    "etag",
    "retry-after",
    "vary",
    "www-authenticate",
    "x-request-id",
];

/// Asserts that the description has this response, with these headers and this body.
#[track_caller]
pub(crate) fn check(path: &str, status: u16, headers: &HeaderMap, body: &Value) {
    if let Err(wrong) = compare(path, status, headers, body) {
        panic!("{path} returned {status}: {wrong}\n{body:#}");
    }
}

/// Returns how the response differs from the description.
pub(crate) fn compare(
    path: &str,
    status: u16,
    headers: &HeaderMap,
    body: &Value,
) -> Result<(), String> {
    let path = path.split('?').next().unwrap();
    let Some(route) = route(path) else {
        return match status {
            404 => Ok(()),
            _ => Err("the description has no such path".to_owned()),
        };
    };
    let described = ANSWERS.get(&(route.to_owned(), status));
    let described = described.ok_or("the description has no such status")?;
    for name in headers.keys().map(HeaderName::as_str) {
        let tells =
            TOLD.contains(&name) || name.starts_with("tidemark-") || name.starts_with("ratelimit");
        if tells && !described.headers.iter().any(|known| known == name) {
            return Err(format!("the header {name} is not described"));
        }
    }
    let Some((media_type, validator)) = &described.body else {
        return match body {
            Value::Null => Ok(()),
            _ => Err("the description has no body".to_owned()),
        };
    };
    let told = headers.get("content-type");
    let told = told.and_then(|told| told.to_str().ok()).unwrap_or_default();
    if !told.starts_with(media_type) {
        return Err(format!(
            "the description has {media_type}, the response {told}"
        ));
    }
    let wrong: Vec<_> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.join("\n"))
}

/// Returns the path of the description that matches this path.
fn route(path: &str) -> Option<&'static str> {
    let paths = DOCUMENT["paths"].as_object().unwrap().keys();
    let mut matching = paths.filter(|template| {
        let (mut wanted, mut found) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(part), Some(_)) if part.starts_with('{') => {}
                (wanted, found) if wanted != found => return false,
                _ => {}
            }
        }
    });
    matching.next().map(String::as_str)
}

fn answers() -> BTreeMap<(String, u16), Described> {
    let components = strict(&DOCUMENT["components"]);
    let mut answers = BTreeMap::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (status, response) in item["get"]["responses"].as_object().unwrap() {
            let response = resolved(response);
            let described = Described {
                headers: names(&response["headers"]),
                body: body(response, &components),
            };
            answers.insert((path.clone(), status.parse().unwrap()), described);
        }
    }
    answers
}

fn body(response: &Value, components: &Value) -> Option<(String, Validator)> {
    let (media_type, content) = response["content"].as_object()?.iter().next()?;
    let mut schema = content["schema"].clone();
    schema["components"] = components.clone();
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        // OpenAPI defines int32, int64 and double.
        .should_ignore_unknown_formats(true)
        .build(&schema)
        .unwrap();
    Some((media_type.clone(), validator))
}

/// Forbids members that the description does not name, so that it cannot leave one out.
fn strict(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut members: serde_json::Map<_, _> = members
                .iter()
                .map(|(name, value)| (name.clone(), strict(value)))
                .collect();
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            Value::Object(members)
        }
        Value::Array(items) => items.iter().map(strict).collect(),
        other => other.clone(),
    }
}

/// Resolves a reference within the description.
pub(crate) fn resolved(thing: &'static Value) -> &'static Value {
    match thing["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => thing,
    }
}

fn names(members: &Value) -> Vec<String> {
    let members = members.as_object();
    members.map_or_else(Vec::new, |members| members.keys().cloned().collect())
}
