//! The development registry speaks Confluent's protocol: paths, answers and error codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tidemark_schemas::development_registry;
use tower::ServiceExt as _;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const SCHEMA: &str = r#"{"type":"enum","name":"E","symbols":["a","b"]}"#;
/// Cannot read what `SCHEMA` wrote.
const FEWER: &str = r#"{"type":"enum","name":"E","symbols":["a"]}"#;

/// The status and the body of an answer.
type Answer = (u16, Value);

struct Registry(axum::Router);

impl Registry {
    fn new() -> Self {
        Self(development_registry::router())
    }

    /// A registry that has `SCHEMA` under the subject `s`.
    async fn with_schema() -> Self {
        let registry = Self::new();
        let registered = registry.post("/subjects/s/versions", SCHEMA).await;
        assert_eq!(registered, (200, json!({"id": 1})));
        registry
    }

    async fn send(&self, method: &str, path: &str, body: String) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::CONTENT_TYPE, CONTENT_TYPE);
        let request = request.body(Body::from(body)).unwrap();
        let answer = self.0.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        (status, serde_json::from_slice(&body.unwrap()).unwrap())
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, String::new()).await
    }

    async fn post(&self, path: &str, schema: &str) -> Answer {
        let body = json!({ "schema": schema });
        self.send("POST", path, body.to_string()).await
    }

    async fn put_level(&self, path: &str, level: &str) -> Answer {
        let body = json!({ "compatibility": level });
        self.send("PUT", path, body.to_string()).await
    }
}

#[track_caller]
fn refused((status, body): Answer, expected_status: StatusCode, code: u32) {
    assert_eq!(status, expected_status, "{body}");
    assert_eq!(body["error_code"], json!(code), "{body}");
    assert!(body["message"].is_string());
}

#[tokio::test]
async fn an_empty_registry_lists_no_subjects() {
    let registry = Registry::new();
    let ok = |body: Value| (200, body);
    assert_eq!(registry.get("/").await, ok(json!({})));
    assert_eq!(registry.get("/subjects").await, ok(json!([])));
    assert_eq!(registry.get("/schemas/types").await, ok(json!(["AVRO"])));
    let mode = json!({"mode": "READWRITE"});
    assert_eq!(registry.get("/mode").await, ok(mode));
    let level = json!({"compatibilityLevel": "BACKWARD_TRANSITIVE"});
    assert_eq!(registry.get("/config").await, ok(level.clone()));
    let path = "/config/s?defaultToGlobal=true";
    assert_eq!(registry.get(path).await, ok(level));
}

#[tokio::test]
async fn missing_subjects_versions_and_schemas_have_distinct_error_codes() {
    let registry = Registry::with_schema().await;
    let missing = StatusCode::NOT_FOUND;
    refused(registry.get("/nowhere").await, missing, 404);
    refused(registry.get("/subjects/t/versions").await, missing, 40401);
    refused(registry.post("/subjects/t", SCHEMA).await, missing, 40401);
    refused(registry.get("/subjects/s/versions/2").await, missing, 40402);
    refused(registry.get("/schemas/ids/2").await, missing, 40403);
    refused(registry.post("/subjects/s", FEWER).await, missing, 40403);
    refused(registry.get("/config/s").await, missing, 40408);
    let wrong = registry.get("/subjects/s/versions/x").await;
    refused(wrong, StatusCode::UNPROCESSABLE_ENTITY, 42202);
}

#[tokio::test]
async fn a_registered_schema_is_found_by_id_subject_and_version() {
    let registry = Registry::with_schema().await;
    let schema: Value = registry.get("/schemas/ids/1").await.1["schema"].clone();
    let parsed: Value = serde_json::from_str(schema.as_str().unwrap()).unwrap();
    assert_eq!(parsed, serde_json::from_str::<Value>(SCHEMA).unwrap());
    assert_eq!(
        registry.get("/schemas/ids/1/schema").await,
        (200, parsed.clone())
    );
    let path = "/subjects/s/versions/1/schema";
    assert_eq!(registry.get(path).await, (200, parsed));

    let full = (
        200,
        json!({"subject": "s", "id": 1, "version": 1, "schema": schema}),
    );
    assert_eq!(registry.post("/subjects/s", SCHEMA).await, full);
    assert_eq!(registry.get("/subjects/s/versions/1").await, full);
    assert_eq!(registry.get("/subjects/s/versions/latest").await, full);
    assert_eq!(registry.get("/subjects").await, (200, json!(["s"])));
    assert_eq!(
        registry.get("/subjects/s/versions").await,
        (200, json!([1]))
    );
    let uses = json!([{"subject": "s", "version": 1}]);
    assert_eq!(registry.get("/schemas/ids/1/versions").await, (200, uses));
}

#[tokio::test]
async fn invalid_and_incompatible_schemas_are_refused() {
    let registry = Registry::with_schema().await;
    let path = "/subjects/s/versions";
    refused(registry.post(path, FEWER).await, StatusCode::CONFLICT, 409);
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    refused(registry.post(path, "{").await, invalid, 42201);
    for body in [
        json!({"nothing": 1}),
        json!({"schema": SCHEMA, "schemaType": "PROTOBUF"}),
        json!({"schema": SCHEMA, "references": [{"name": "a"}]}),
    ] {
        let answer = registry.send("POST", path, body.to_string()).await;
        refused(answer, invalid, 42201);
    }
    refused(registry.put_level("/config", "MAYBE").await, invalid, 42203);
    assert_eq!(registry.get(path).await, (200, json!([1])));
}

#[tokio::test]
async fn compatibility_is_checked_without_registering() {
    let registry = Registry::with_schema().await;
    let all = "/compatibility/subjects/s/versions";
    let latest = "/compatibility/subjects/s/versions/latest";
    for path in [all, latest] {
        let (status, compatibility) = registry.post(path, FEWER).await;
        assert_eq!(
            (status, &compatibility["is_compatible"]),
            (200, &json!(false))
        );
        let compatible = (200, json!({"is_compatible": true}));
        assert_eq!(registry.post(path, SCHEMA).await, compatible);
    }
}

#[tokio::test]
async fn the_compatibility_level_selects_direction_and_versions() {
    let added = r#"{"type":"enum","name":"E","symbols":["a","b","c"]}"#;
    let registered = async |level: &str, schema: &str| {
        let registry = Registry::with_schema().await;
        let set = (200, json!({ "compatibility": level }));
        assert_eq!(registry.put_level("/config/s", level).await, set);
        registry.post("/subjects/s/versions", schema).await.0 == 200
    };
    for (level, more, fewer) in [
        ("NONE", true, true),
        ("BACKWARD", true, false),
        ("BACKWARD_TRANSITIVE", true, false),
        ("FORWARD", false, true),
        ("FORWARD_TRANSITIVE", false, true),
        ("FULL", false, false),
        ("FULL_TRANSITIVE", false, false),
    ] {
        assert_eq!(registered(level, added).await, more, "{level}");
        assert_eq!(registered(level, FEWER).await, fewer, "{level}");
    }
}
