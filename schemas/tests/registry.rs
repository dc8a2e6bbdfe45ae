//! The registry's client and the development registry, against each other and against servers
//! that misbehave.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};
use tidemark_schemas::CustomerEvent;
use tidemark_schemas::codec::{DecodeError, Decoder, Encoder, SCHEMA, SUBJECT};
use tidemark_schemas::development_registry;
use tidemark_schemas::registry::{RegistryClient, RegistryConfig, RegistryError};
use tokio::net::TcpListener;

/// Serves until the test's runtime ends.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[allow(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn client(address: SocketAddr) -> RegistryClient {
    let config = RegistryConfig {
        url: format!("http://{address}"),
        ..RegistryConfig::default()
    };
    RegistryClient::new(&config).unwrap()
}

async fn development() -> RegistryClient {
    client(serve(development_registry::router()).await)
}

fn event() -> CustomerEvent {
    let text = include_str!("golden/v1/order_placed.json");
    CustomerEvent::from_json(text).unwrap()
}

fn unavailable(error: &RegistryError, expected: &str) {
    let RegistryError::Unavailable(text) = error else {
        panic!("{error:?}")
    };
    assert!(text.contains(expected), "{text}");
}

#[tokio::test]
async fn a_schema_registered_is_found_by_id_and_decodes() {
    let registry = Arc::new(development().await);
    assert_eq!(registry.find(SUBJECT, SCHEMA).await, Ok(None));
    let id = registry.register(SUBJECT, SCHEMA).await.unwrap();
    assert_eq!(registry.register(SUBJECT, SCHEMA).await, Ok(id));
    assert_eq!(registry.find(SUBJECT, SCHEMA).await, Ok(Some(id)));

    let decoder = Decoder::new(Arc::clone(&registry));
    let value = Encoder::new(id).encode(&event());
    assert_eq!(
        decoder.decode(&value),
        Err(DecodeError::SchemaNeeded { id })
    );
    assert_eq!(decoder.fetch(id).await, Ok(()));
    assert_eq!(decoder.decode(&value), Ok(event()));
    assert_eq!(
        decoder.fetch(99).await,
        Err(DecodeError::UnknownSchema { id: 99 })
    );
}

#[tokio::test]
async fn a_missing_schema_is_not_an_unreachable_registry() {
    let registry = development().await;
    assert_eq!(
        registry.schema_by_id(99).await,
        Err(RegistryError::NotFound { id: 99 })
    );

    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    unavailable(
        &client(closed).schema_by_id(1).await.unwrap_err(),
        "refused",
    );
    let decoder = Decoder::new(Arc::new(client(closed)));
    let error = decoder.fetch(1).await.unwrap_err();
    assert!(
        matches!(error, DecodeError::RegistryUnavailable(_)),
        "{error}"
    );
}

#[tokio::test]
async fn malformed_registry_answers_are_registry_faults() {
    async fn check(status: StatusCode, body: &'static str, expected: &str) {
        let router = Router::new().fallback(async move || (status, body));
        let error = client(serve(router).await)
            .schema_by_id(1)
            .await
            .unwrap_err();
        unavailable(&error, expected);
    }
    check(StatusCode::OK, "<html>", "not the protocol's").await;
    check(StatusCode::OK, r#"{"schema": 1}"#, "not the protocol's").await;
    check(
        StatusCode::NOT_FOUND,
        "nothing here",
        "is this a schema registry",
    )
    .await;
    let plain = r#"{"error_code": 404, "message": "HTTP 404 Not Found"}"#;
    check(StatusCode::NOT_FOUND, plain, "is this a schema registry").await;
    check(
        StatusCode::UNAUTHORIZED,
        "",
        "check the username and password",
    )
    .await;
    check(StatusCode::FORBIDDEN, "", "check the username and password").await;
    let broken = r#"{"error_code": 50001, "message": "the store is away"}"#;
    check(StatusCode::INTERNAL_SERVER_ERROR, broken, "500").await;
    check(StatusCode::TOO_MANY_REQUESTS, "", "429").await;
}

#[tokio::test]
async fn a_registry_answer_beyond_the_bound_is_not_read() {
    let huge = "x".repeat(5 * 1024 * 1024);
    let router = Router::new().fallback(async move || huge.clone());
    let error = client(serve(router).await)
        .schema_by_id(1)
        .await
        .unwrap_err();
    unavailable(&error, "beyond");
}

#[tokio::test]
async fn unsupported_schemas_are_reported_as_such() {
    async fn reason(body: Value) -> DecodeError {
        let router = Router::new().fallback(async move || body.to_string());
        let decoder = Decoder::new(Arc::new(client(serve(router).await)));
        decoder.fetch(1).await.unwrap();
        decoder
            .decode(&Encoder::new(1).encode(&event()))
            .unwrap_err()
    }
    let references = json!({"schema": SCHEMA, "references": [{"name": "a"}]});
    let error = reason(references).await;
    assert!(
        error.to_string().contains("refers to other subjects"),
        "{error}"
    );
    let error = reason(json!({"schema": "syntax = 1", "schemaType": "PROTOBUF"})).await;
    assert!(error.to_string().contains("PROTOBUF"), "{error}");
    let error = reason(json!({"schema": "\"string\""})).await;
    assert!(
        matches!(error, DecodeError::Incompatible { id: 1, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_schema_is_requested_once_and_failures_are_retried() {
    async fn answer(State(asked): State<Arc<AtomicU32>>) -> (StatusCode, String) {
        match asked.fetch_add(1, Ordering::Relaxed) {
            0 => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
            _ => (
                StatusCode::OK,
                json!({ "schema": "\"string\"" }).to_string(),
            ),
        }
    }
    let asked = Arc::new(AtomicU32::new(0));
    let router = Router::new()
        .route("/prefix/schemas/ids/7", get(answer))
        .with_state(Arc::clone(&asked));
    let url = format!("http://{}/prefix/", serve(router).await);
    let config = RegistryConfig {
        url,
        ..RegistryConfig::default()
    };
    let registry = RegistryClient::new(&config).unwrap();
    unavailable(&registry.schema_by_id(7).await.unwrap_err(), "503");
    let (first, second, third) = tokio::join!(
        registry.schema_by_id(7),
        registry.schema_by_id(7),
        registry.schema_by_id(7)
    );
    for schema in [first, second, third, registry.schema_by_id(7).await] {
        assert_eq!(&*schema.unwrap(), "\"string\"");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn credentials_and_the_content_type_are_sent() {
    async fn echo(headers: HeaderMap) -> String {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let echoed = format!("{} {}", header("authorization"), header("accept"));
        json!({ "schema": echoed }).to_string()
    }
    let address = serve(Router::new().fallback(echo)).await;
    let config = RegistryConfig {
        url: format!("http://{address}"),
        username: Some("Aladdin".to_owned()),
        password: Some("open sesame".to_owned()),
        ca_file: None,
    };
    let echoed = RegistryClient::new(&config)
        .unwrap()
        .schema_by_id(1)
        .await
        .unwrap();
    let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== application/vnd.schemaregistry.v1+json";
    assert_eq!(&*echoed, expected);
    assert!(!format!("{config:?}").contains("sesame"));
}

#[test]
fn an_invalid_registry_configuration_names_its_mistake() {
    #[track_caller]
    fn check(config: &RegistryConfig, expected: &str) {
        let error = RegistryClient::new(config).unwrap_err();
        assert!(matches!(error, RegistryError::Configuration(_)));
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let url = |url: &str| RegistryConfig {
        url: url.to_owned(),
        ..RegistryConfig::default()
    };
    check(&url(""), "the url");
    check(&url("registry:8081"), "neither http nor https");
    check(&url("ftp://registry"), "neither http nor https");
    check(&url("http://me:secret@registry"), "apart from the url");
    let missing = RegistryConfig {
        ca_file: Some("missing.pem".into()),
        ..url("https://registry")
    };
    check(&missing, "missing.pem");
    let empty = RegistryConfig {
        ca_file: Some("Cargo.toml".into()),
        ..url("https://registry")
    };
    check(&empty, "holds no certificate");
}

#[tokio::test]
async fn subjects_keep_their_compatibility_level() {
    let registry = development().await;
    let subject = "a/b c-value";
    let one = json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]});
    let with_default = json!({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0},
    ]});
    let breaking = json!({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int"}, {"name": "c", "type": "string"},
    ]});
    let one_id = registry.register(subject, &one.to_string()).await.unwrap();
    // Spelt otherwise, and under another subject, it is the same schema.
    let spelt = serde_json::to_string_pretty(&one).unwrap();
    assert_eq!(registry.register("other", &spelt).await, Ok(one_id));
    let two_id = registry
        .register(subject, &with_default.to_string())
        .await
        .unwrap();
    assert_ne!(one_id, two_id);
    let refused = registry
        .register(subject, &breaking.to_string())
        .await
        .unwrap_err();
    assert!(matches!(&refused, RegistryError::Refused(text) if text.contains("incompatible")));
    let invalid = registry.register(subject, "{").await.unwrap_err();
    assert!(matches!(&invalid, RegistryError::Refused(text) if text.contains("Invalid schema")));

    assert_eq!(registry.compatibility(subject).await, Ok(None));
    registry.set_compatibility(subject, "NONE").await.unwrap();
    assert_eq!(
        registry.compatibility(subject).await,
        Ok(Some("NONE".to_owned()))
    );
    assert!(
        registry
            .register(subject, &breaking.to_string())
            .await
            .is_ok()
    );
    let wrong = registry
        .set_compatibility(subject, "MAYBE")
        .await
        .unwrap_err();
    assert!(matches!(wrong, RegistryError::Refused(_)));
}
