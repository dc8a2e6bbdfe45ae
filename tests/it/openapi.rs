//! The API's description of itself: that it is `OpenAPI`, that the copy in docs/ is it, and that the
//! API answers as it says. Every other answer of a test is held against it too, where it arrives
//! (`support/described.rs`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tidemark_api::auth::Role;

use crate::routes::client::{Api, token};
use crate::routes::shop;
use crate::support::described::{DOCUMENT, compare, followed};

/// <https://spec.openapis.org/oas/3.1/schema/2022-10-07>, as published.
const OPENAPI: &str = include_str!("openapi/schema-3.1.json");

#[test]
fn it_is_openapi() {
    let schema: Value = serde_json::from_str(OPENAPI).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator.iter_errors(&DOCUMENT).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Which leaves open what the schemas inside are.
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let valid = jsonschema::draft202012::meta::validate(schema);
        assert!(valid.is_ok(), "{name}: {valid:?}");
    }
}

#[test]
fn the_committed_copy_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == tidemark_api::openapi(),
        "docs/openapi.json is not what the code says. Look at what changed, then renew it by\n  \
         cargo run -- openapi > docs/openapi.json"
    );
}

#[test]
fn the_command_prints_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_tidemark"))
        .arg("openapi")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        tidemark_api::openapi()
    );
}

#[test]
fn nothing_is_left_undescribed() {
    let mut ids = BTreeSet::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        let operation = &item["get"];
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} is the id of two operations");
        assert!(operation["summary"].is_string(), "{path} has no summary");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = followed(parameter);
            assert!(
                parameter["description"].is_string(),
                "{path}: {parameter:#}"
            );
        }
    }
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let members = schema["properties"].as_object().into_iter().flatten();
        for (member, said) in members {
            assert!(is_described(said), "{name}.{member} has no description");
            // A member without a value is null, not absent, but for those of a problem.
            let required = schema["required"].as_array().unwrap();
            assert!(
                required.contains(&Value::from(member.as_str())) || name == "Problem",
                "{name}.{member} may be absent"
            );
        }
    }
}

/// Itself, its one type beside null, what it refers to or what it lists.
fn is_described(schema: &'static Value) -> bool {
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    schema["description"].is_string()
        || (schema["$ref"].is_string() && is_described(followed(schema)))
        || alternatives.into_iter().any(is_described)
        || schema["items"].is_object() && is_described(&schema["items"])
}

#[tokio::test]
async fn every_route_answers_as_it_says() {
    let api = Api::over(&shop::open().await).await;
    let analyst = token("acme", Role::Analyst);
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        let answers = item["get"]["responses"]["200"]["content"].as_object();
        if answers.is_some_and(|answers| !answers.contains_key("application/json")) {
            continue; // the page
        }
        let asked = path
            .replace("/customers/{id}", "/customers/eve")
            .replace("/segments/{name}", "/segments/buyers")
            .replace("/journeys/{name}", "/journeys/sales");
        let answer = api.get_as(&analyst, &asked).await;
        assert_eq!(answer.status, 200, "{asked}: {}", answer.body);

        let nobody = api.get_as("nobody's", &asked).await;
        let needs_token = item["get"]["security"] != Value::Array(Vec::new());
        assert_eq!(nobody.status, if needs_token { 401 } else { 200 }, "{path}");

        if let Some(etag) = answer.headers.get("etag") {
            let etag = [("if-none-match", etag.to_str().unwrap())];
            let again = api.ask(&analyst, &asked, &etag).await;
            assert_eq!(again.status, 304, "{asked}");
        }
    }
    for wrong in ["/v1/customers?limit=ten", "/v1/customers?limit=0"] {
        assert!((400..500).contains(&api.get_as(&analyst, wrong).await.status));
    }
}

/// An answer to `/v1/journeys` with these headers.
fn compared(status: u16, headers: &[(&'static str, &'static str)], body: &Value) -> String {
    let pairs = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    let headers: HeaderMap = pairs.collect();
    match compare("/v1/journeys", status, &headers, body) {
        Ok(()) => "as described".to_owned(),
        Err(wrong) => wrong,
    }
}

#[test]
fn an_answer_that_is_not_as_described_is_noticed() {
    let json = ("content-type", "application/json");
    let journey = json!({ "name": "sales", "description": "", "stages": ["lead"], "version": 1 });
    let changed = |member: &str, value: Value| {
        let mut changed = journey.clone();
        changed[member] = value;
        json!({ "items": [changed] })
    };
    let good = json!({ "items": [journey] });
    assert_eq!(compared(200, &[json], &good), "as described");
    let wrong = [
        (compared(418, &[json], &good), "no such status"),
        (compared(304, &[], &good), "no body"),
        (
            compared(200, &[("content-type", "text/html")], &good),
            "text/html",
        ),
        (
            compared(200, &[json, ("retry-after", "1")], &good),
            "retry-after",
        ),
        (
            compared(200, &[json, ("tidemark-mood", "1")], &good),
            "tidemark-mood",
        ),
        (compared(200, &[json], &json!({})), "items"),
        (
            compared(200, &[json], &changed("version", json!("1"))),
            "version",
        ),
        (
            compared(200, &[json], &changed("stages", json!(null))),
            "stages",
        ),
        (compared(200, &[json], &changed("since", json!(1))), "since"),
    ];
    for (found, says) in wrong {
        assert!(found.contains(says), "{found:?} lacks {says:?}");
    }
}

#[tokio::test]
async fn viewers_analysts_and_administrators_are_let_in_where_it_says() {
    let api = Api::over(&shop::open().await).await;
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        let schemes = item["get"]["security"].as_array().unwrap();
        for role in schemes
            .iter()
            .filter_map(|scheme| scheme["bearer"].as_array())
        {
            let role: Role = role[0].as_str().unwrap().parse().unwrap();
            let asked = path.replace("{id}", "ann").replace("{name}", "buyers");
            let answer = api.get_as(&token("acme", role), &asked).await;
            assert!([200, 404].contains(&answer.status), "{asked}: {answer:?}");
        }
    }
}
