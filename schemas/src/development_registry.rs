//! A schema registry in memory, for `tidemark up` and for tests.
//!
//! It speaks the part of Confluent's REST protocol that ordinary serializers use (register, look
//! up, read by id, compatibility), with Confluent's error codes, for Avro schemas without
//! references. It keeps nothing after it is dropped and does not authenticate its clients: it is for
//! development, on a loopback address.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

mod store;

use store::{Refusal, Store, Version};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// The routes, with an empty registry of their own behind them.
pub fn router() -> Router {
    Router::new()
        .route("/", get(async || Answer(json!({}))))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(look_up))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version))
        .route(
            "/subjects/{subject}/versions/{version}/schema",
            get(version_schema),
        )
        .route("/schemas/types", get(async || Answer(json!(["AVRO"]))))
        .route("/schemas/ids/{id}", get(schema))
        .route("/schemas/ids/{id}/schema", get(schema_text))
        .route("/schemas/ids/{id}/versions", get(schema_versions))
        .route("/config", get(config).put(set_config))
        .route(
            "/config/{subject}",
            get(subject_config).put(set_subject_config),
        )
        .route(
            "/mode",
            get(async || Answer(json!({ "mode": "READWRITE" }))),
        )
        .route(
            "/mode/{subject}",
            get(async || Answer(json!({ "mode": "READWRITE" }))),
        )
        .route(
            "/compatibility/subjects/{subject}/versions",
            post(compatible_with_all),
        )
        .route(
            "/compatibility/subjects/{subject}/versions/{version}",
            post(compatible),
        )
        .fallback(async || Failure::new(StatusCode::NOT_FOUND, 404, "HTTP 404 Not Found"))
        .with_state(Shared::default())
}

type Shared = Arc<Mutex<Store>>;

/// A panic while holding the lock leaves whole schemas behind, so the lock stays usable.
fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Store> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Answer(Value);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.0.to_string()).into_response()
    }
}

struct Failure {
    status: StatusCode,
    code: u32,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error_code": self.code, "message": self.message });
        (self.status, Answer(body)).into_response()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        let (status, code) = match refusal {
            Refusal::NoSubject(_) => (StatusCode::NOT_FOUND, 40401),
            Refusal::NoVersion(_) => (StatusCode::NOT_FOUND, 40402),
            Refusal::NoSchema => (StatusCode::NOT_FOUND, 40403),
            Refusal::NoLevel(_) => (StatusCode::NOT_FOUND, 40408),
            Refusal::InvalidSchema(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42201),
            Refusal::InvalidVersion(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42202),
            Refusal::InvalidLevel(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42203),
            Refusal::Incompatible(_) => (StatusCode::CONFLICT, 409),
        };
        Self {
            status,
            code,
            message,
        }
    }
}

type Answered = Result<Answer, Failure>;

/// Read from any content type, since clients differ in what they name it.
#[derive(Deserialize)]
struct SchemaBody {
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Value>,
}

fn schema_in(body: &Bytes) -> Result<String, Failure> {
    let unprocessable =
        |message: String| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, 42201, message);
    let body: SchemaBody = serde_json::from_slice(body)
        .map_err(|error| unprocessable(format!("Invalid request: {error}")))?;
    if body
        .schema_type
        .as_deref()
        .is_some_and(|kind| kind != "AVRO")
    {
        return Err(unprocessable(
            "Only schemas of type AVRO are supported".to_owned(),
        ));
    }
    if !body.references.is_empty() {
        return Err(unprocessable(
            "Schema references are not supported".to_owned(),
        ));
    }
    Ok(body.schema)
}

async fn subjects(State(shared): State<Shared>) -> Answer {
    Answer(json!(lock(&shared).subjects()))
}

async fn register(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    body: Bytes,
) -> Answered {
    let registered = lock(&shared).register(&subject, &schema_in(&body)?)?;
    let Version { id, number, .. } = registered;
    tracing::debug!(subject, id, version = number, "a schema was registered");
    Ok(Answer(json!({ "id": id })))
}

async fn look_up(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    body: Bytes,
) -> Answered {
    let found = lock(&shared).look_up(&subject, &schema_in(&body)?)?;
    Ok(full(&subject, &found))
}

fn full(subject: &str, version: &Version) -> Answer {
    Answer(json!({
        "subject": subject,
        "id": version.id,
        "version": version.number,
        "schema": &*version.schema,
    }))
}

async fn versions(State(shared): State<Shared>, Path(subject): Path<String>) -> Answered {
    let numbers: Vec<u32> = lock(&shared)
        .versions(&subject)?
        .iter()
        .map(|version| version.number)
        .collect();
    Ok(Answer(json!(numbers)))
}

async fn version(
    State(shared): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
) -> Answered {
    let found = lock(&shared).version(&subject, &version)?;
    Ok(full(&subject, &found))
}

async fn version_schema(
    State(shared): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let found = lock(&shared).version(&subject, &version)?;
    Ok((
        [(header::CONTENT_TYPE, CONTENT_TYPE)],
        found.schema.to_string(),
    )
        .into_response())
}

fn by_id(shared: &Shared, id: &str) -> Result<Arc<str>, Failure> {
    let id = id
        .parse()
        .map_err(|_| Failure::new(StatusCode::NOT_FOUND, 404, "HTTP 404 Not Found"));
    Ok(lock(shared).by_id(id?)?)
}

async fn schema(State(shared): State<Shared>, Path(id): Path<String>) -> Answered {
    let schema = by_id(&shared, &id)?;
    Ok(Answer(json!({ "schema": &*schema })))
}

async fn schema_text(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let schema = by_id(&shared, &id)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], schema.to_string()).into_response())
}

async fn schema_versions(State(shared): State<Shared>, Path(id): Path<String>) -> Answered {
    let schema = by_id(&shared, &id)?;
    let uses = lock(&shared).uses(&schema);
    let uses = uses
        .into_iter()
        .map(|(subject, version)| json!({ "subject": subject, "version": version }));
    Ok(Answer(uses.collect()))
}

async fn config(State(shared): State<Shared>) -> Answer {
    Answer(json!({ "compatibilityLevel": lock(&shared).level() }))
}

#[derive(Deserialize)]
struct ConfigQuery {
    #[serde(default, rename = "defaultToGlobal")]
    default_to_global: bool,
}

async fn subject_config(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    Query(query): Query<ConfigQuery>,
) -> Answered {
    let store = lock(&shared);
    let level = match store.subject_level(&subject) {
        Err(_) if query.default_to_global => store.level(),
        level => level?,
    };
    Ok(Answer(json!({ "compatibilityLevel": level })))
}

#[derive(Deserialize)]
struct ConfigBody {
    compatibility: String,
}

fn level_in(body: &Bytes) -> Result<String, Failure> {
    let body: Result<ConfigBody, _> = serde_json::from_slice(body);
    let body = body.map_err(|error| {
        Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            42203,
            format!("Invalid request: {error}"),
        )
    })?;
    Ok(body.compatibility)
}

async fn set_config(State(shared): State<Shared>, body: Bytes) -> Answered {
    let level = lock(&shared).set_level(None, &level_in(&body)?)?;
    Ok(Answer(json!({ "compatibility": level })))
}

async fn set_subject_config(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    body: Bytes,
) -> Answered {
    let level = lock(&shared).set_level(Some(&subject), &level_in(&body)?)?;
    Ok(Answer(json!({ "compatibility": level })))
}

async fn compatible_with_all(
    State(shared): State<Shared>,
    Path(subject): Path<String>,
    body: Bytes,
) -> Answered {
    compatibility(lock(&shared).check(&subject, &schema_in(&body)?))
}

async fn compatible(
    State(shared): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    body: Bytes,
) -> Answered {
    compatibility(lock(&shared).check_version(&subject, &version, &schema_in(&body)?))
}

fn compatibility(checked: Result<(), Refusal>) -> Answered {
    match checked {
        Ok(()) => Ok(Answer(json!({ "is_compatible": true }))),
        Err(Refusal::Incompatible(reason)) => Ok(Answer(
            json!({ "is_compatible": false, "messages": [reason] }),
        )),
        Err(refusal) => Err(refusal.into()),
    }
}
