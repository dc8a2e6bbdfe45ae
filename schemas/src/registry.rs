//! The client of a schema registry: Confluent's, or any that speaks its REST protocol (Apicurio,
//! Karapace, Redpanda).
//!
//! The difference that matters is between *the registry says there is no such schema*, which is
//! the event's fault, and everything else (no connection, a timeout, 5xx, a refused password, an
//! answer that is not the protocol's), which is ours: then processing pauses and asks again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use moka::future::Cache;
use reqwest::{Certificate, Client, Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The bound of a response body: a schema of a megabyte is a mistake already.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// The time for which a missing schema is cached: a flood of records with an unknown id must not
/// cost a request each, and a schema registered a moment later must not wait long.
const MISSING_FOR: Duration = Duration::from_secs(2);
/// The bound of ids cached as missing: any producer can invent ids.
const MISSING_AT_MOST: u64 = 10_000;
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// The address of the registry, and the credentials for it.
#[derive(Clone, Default)]
pub struct RegistryConfig {
    /// The root of the REST interface, for example `https://registry.example:8081`.
    pub url: String,
    /// The user name for basic authentication.
    pub username: Option<String>,
    /// The password for basic authentication.
    pub password: Option<String>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

/// The reason why the registry did not return a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry answered that no schema has this id.
    #[error("the schema registry has no schema {id}")]
    NotFound {
        /// Asked for.
        id: u32,
    },
    /// The schema exists and can never be used here: not Avro, or split over references.
    #[error("schema {id} is not supported: {reason}")]
    Unsupported {
        /// Asked for.
        id: u32,
        /// The unsupported feature.
        reason: String,
    },
    /// The registry refused a schema: invalid, or incompatible with an earlier version.
    #[error("the schema registry refused: {0}")]
    Refused(String),
    /// No answer that counts. Worth asking again; wrong credentials land here too, because no
    /// event is to blame for them.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration cannot work.
    #[error("the schema registry's configuration: {0}")]
    Configuration(String),
}

/// Asks a registry, and remembers schemas by id for good: an id never changes its schema.
#[derive(Clone)]
pub struct RegistryClient {
    http: Client,
    root: Url,
    username: Option<String>,
    password: Arc<ArcSwapOption<String>>,
    schemas: Cache<u32, Arc<str>>,
    missing: Cache<u32, ()>,
}

impl std::fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryClient")
            .field("root", &self.root.as_str())
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct SchemaAnswer {
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct IdAnswer {
    id: u32,
}

#[derive(Deserialize)]
struct LevelAnswer {
    #[serde(rename = "compatibilityLevel")]
    level: String,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error_code: u32,
    message: String,
}

/// An answer that the protocol knows.
enum Answer<T> {
    Given(T),
    /// An error with the protocol's own code: 40403, 42201, 409, …
    Error(ErrorAnswer),
}

impl RegistryClient {
    /// Connects to nothing yet.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        let configuration = |what: String| RegistryError::Configuration(what);
        let root = Url::parse(&config.url)
            .map_err(|error| configuration(format!("the url {:?}: {error}", config.url)))?;
        if !root.username().is_empty() || root.password().is_some() {
            // There they would be printed with every error.
            let what = "give the username and the password apart from the url";
            return Err(configuration(what.to_owned()));
        }
        if !matches!(root.scheme(), "http" | "https") || root.cannot_be_a_base() {
            return Err(configuration(format!(
                "the url {root} is neither http nor https"
            )));
        }
        let mut http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("tidemark/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &config.ca_file {
            let pem = std::fs::read(path)
                .map_err(|error| configuration(format!("ca_file {}: {error}", path.display())))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| configuration(format!("ca_file {}: {error}", path.display())))?;
            if certificates.is_empty() {
                let what = format!("ca_file {} holds no certificate", path.display());
                return Err(configuration(what));
            }
            http = http.tls_certs_only(certificates);
        } else if root.scheme() == "http" {
            // No certificate is needed, so a machine without any must do as well.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|error| configuration(chain(&error)))?;
        Ok(Self {
            http,
            root,
            username: config.username.clone(),
            password: Arc::new(ArcSwapOption::from_pointee(config.password.clone())),
            schemas: Cache::builder().build(),
            missing: Cache::builder()
                .time_to_live(MISSING_FOR)
                .max_capacity(MISSING_AT_MOST)
                .build(),
        })
    }

    /// Sets the password for later requests of this client and of all its clones.
    pub fn set_password(&self, password: impl Into<String>) {
        self.password.store(Some(Arc::new(password.into())));
    }

    /// The text of a schema. Asked for once per id; callers at the same time share one request. An
    /// id the registry does not know is asked for again after two seconds.
    pub async fn schema_by_id(&self, id: u32) -> Result<Arc<str>, RegistryError> {
        if self.missing.contains_key(&id) {
            return Err(RegistryError::NotFound { id });
        }
        let fetched = self.schemas.try_get_with(id, self.fetch_schema(id)).await;
        let fetched = fetched.map_err(|error| RegistryError::clone(&error));
        if let Err(RegistryError::NotFound { .. }) = fetched {
            self.missing.insert(id, ()).await;
        }
        fetched
    }

    /// Forgets what was answered for an id, in case the registry was wrong.
    pub async fn forget(&self, id: u32) {
        self.schemas.invalidate(&id).await;
        self.missing.invalidate(&id).await;
    }

    async fn fetch_schema(&self, id: u32) -> Result<Arc<str>, RegistryError> {
        let request = self.request(Method::GET, &["schemas", "ids", &id.to_string()]);
        let answer = match self.send::<SchemaAnswer>(request).await? {
            Answer::Given(answer) => answer,
            Answer::Error(ErrorAnswer {
                error_code: 40401..=40403,
                ..
            }) => {
                return Err(RegistryError::NotFound { id });
            }
            Answer::Error(error) => return Err(self.unexpected(&error)),
        };
        let unsupported = |reason: String| Err(RegistryError::Unsupported { id, reason });
        match answer.schema_type.as_deref() {
            None | Some("AVRO") => {}
            Some(other) => return unsupported(format!("it is {other}, not Avro")),
        }
        if !answer.references.is_empty() {
            return unsupported(
                "it refers to other subjects; register it as one schema".to_owned(),
            );
        }
        Ok(answer.schema.into())
    }

    /// Registers a schema under a subject, or finds it there; answers its id.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let request = self.request(Method::POST, &["subjects", subject, "versions"]);
        let request = request.json(&json!({ "schema": schema }));
        match self.send::<IdAnswer>(request).await? {
            Answer::Given(IdAnswer { id }) => Ok(id),
            Answer::Error(error) => Err(RegistryError::Refused(error.message)),
        }
    }

    /// The id of a schema under a subject, if it is registered there. Needs no right to write.
    pub async fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryError> {
        let request = self.request(Method::POST, &["subjects", subject]);
        match self
            .send::<IdAnswer>(request.json(&json!({ "schema": schema })))
            .await?
        {
            Answer::Given(IdAnswer { id }) => Ok(Some(id)),
            Answer::Error(ErrorAnswer {
                error_code: 40401..=40403,
                ..
            }) => Ok(None),
            Answer::Error(error) => Err(self.unexpected(&error)),
        }
    }

    /// The subject's own compatibility level, for example `BACKWARD_TRANSITIVE`; none where the
    /// registry's default applies.
    pub async fn compatibility(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        let request = self.request(Method::GET, &["config", subject]);
        match self.send::<LevelAnswer>(request).await? {
            Answer::Given(LevelAnswer { level }) => Ok(Some(level)),
            Answer::Error(ErrorAnswer {
                error_code: 40401 | 40408,
                ..
            }) => Ok(None),
            Answer::Error(error) => Err(self.unexpected(&error)),
        }
    }

    /// Sets the subject's compatibility level.
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryError> {
        let request = self.request(Method::PUT, &["config", subject]);
        let request = request.json(&json!({ "compatibility": level }));
        match self.send::<serde::de::IgnoredAny>(request).await? {
            Answer::Given(_) => Ok(()),
            Answer::Error(error) => Err(RegistryError::Refused(error.message)),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.root.clone();
        // Segments are escaped, so a subject may hold any character. `new` saw to a URL with a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = self
            .http
            .request(method, url)
            .header("accept", CONTENT_TYPE);
        match &self.username {
            Some(username) => request.basic_auth(username, self.password.load().as_deref()),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Answer<T>, RegistryError> {
        // Replaces the content type of `json`, which some registries do not accept.
        let request = request.header("content-type", CONTENT_TYPE);
        let response = request
            .send()
            .await
            .map_err(|error| self.away(&chain(&error.without_url())))?;
        let status = response.status();
        let body = self.body(response).await?;
        if status.is_success() {
            let given = serde_json::from_slice(&body);
            return given.map(Answer::Given).map_err(|error| {
                self.away(&format!("an answer that is not the protocol's ({error})"))
            });
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.away(&format!("{status}: check the username and password")));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(self.away(&status.to_string()));
        }
        match serde_json::from_slice::<ErrorAnswer>(&body) {
            // 404 alone is a wrong path: a proxy's, or a server that is no registry.
            Ok(error) if error.error_code != 404 => Ok(Answer::Error(error)),
            _ => Err(self.away(&format!("{status}: is this a schema registry?"))),
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, RegistryError> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| self.away(&chain(&error.without_url())))? {
                Some(chunk) if body.len() + chunk.len() <= MAX_BODY_BYTES => {
                    body.extend_from_slice(&chunk);
                }
                Some(_) => {
                    return Err(self.away(&format!("an answer beyond {MAX_BODY_BYTES} bytes")));
                }
                None => return Ok(body),
            }
        }
    }

    fn away(&self, what: &str) -> RegistryError {
        RegistryError::Unavailable(format!("schema registry {}: {what}", self.root))
    }

    fn unexpected(&self, error: &ErrorAnswer) -> RegistryError {
        self.away(&format!("error {}: {}", error.error_code, error.message))
    }
}

/// The whole chain of causes: reqwest's own text stops at "error sending request".
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
