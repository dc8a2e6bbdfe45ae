//! The `OpenAPI` description: it is valid, the copy in docs/ is current, and the API responds as
//! described. Every other response in a test is checked against it, too (`support/described.rs`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tidemark_api::auth::Role;

use crate::routes::client::{Api, token};
use crate::routes::shop;
use crate::support::described::{DOCUMENT, compare, resolved};

/// <https://spec.openapis.org/oas/3.1/schema/2022-10-07>, as published.
const OPENAPI: &str = include_str!("openapi/schema-3.1.json");

#[test]
fn description_is_valid_openapi() {
    let schema: Value = serde_json::from_str(OPENAPI).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator.iter_errors(&DOCUMENT).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // That schema leaves open the content of the component schemas.
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let valid = jsonschema::draft202012::meta::validate(schema);
        assert!(valid.is_ok(), "{name}: {valid:?}");
    }
}

#[test]
fn committed_description_equals_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == tidemark_api::openapi(),
        "docs/openapi.json is not what the code says. Look at what changed, then renew it by\n  \
         cargo run -- openapi > docs/openapi.json"
    );
}

#[test]
fn openapi_command_prints_the_description() {
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
fn every_operation_and_member_is_described() {
    let mut ids = BTreeSet::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        let operation = &item["get"];
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} is the id of two operations");
        assert!(operation["summary"].is_string(), "{path} has no summary");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolved(parameter);
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
            // A member without a value is null rather than absent, except in a problem.
            let required = schema["required"].as_array().unwrap();
            assert!(
                required.contains(&Value::from(member.as_str())) || name == "Problem",
                "{name}.{member} may be absent"
            );
        }
    }
}

/// Returns whether the schema, its alternative to null, its reference or its items have a
/// description.
fn is_described(schema: &'static Value) -> bool {
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    schema["description"].is_string()
        || (schema["$ref"].is_string() && is_described(resolved(schema)))
        || alternatives.into_iter().any(is_described)
        || schema["items"].is_object() && is_described(&schema["items"])
}

#[tokio::test]
async fn every_route_responds_as_described() {
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

        let unauthenticated = api.get_as("not a token", &asked).await;
        let needs_token = item["get"]["security"] != Value::Array(Vec::new());
        assert_eq!(
            unauthenticated.status,
            if needs_token { 401 } else { 200 },
            "{path}"
        );

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

/// Compares a response to `/v1/journeys` with its description and returns the result as text.
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
fn response_that_differs_from_the_description_is_detected() {
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
async fn each_role_can_use_the_routes_described_for_it() {
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
