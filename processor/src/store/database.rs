//! The schema that all generations share: which generation is active, and the audit. The definitions
//! topic as rows is in `definitions`.

use std::sync::Arc;

use tidemark_schemas::Instant;

use super::StoreConfig;
use super::connections::{self, Connections, Login, PooledConnection, answered};
use super::decode::instant;
use super::error::{StoreError, sql_state};
use super::generation::Generation;

/// The shared schema, and the login with which generations are opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    config: Arc<StoreConfig>,
    login: Arc<Login>,
    /// One connection for the shared schema; generations have their own.
    connections: Arc<Connections>,
}

impl Database {
    /// Connects and takes on the role.
    pub async fn connect(config: &StoreConfig) -> Result<Self, StoreError> {
        let role = config.role.as_deref();
        let options = connections::parse_url(&config.url)?;
        let login = Arc::new(Login::new(connections::writer_options(options, role)));
        let connections = Connections::new(Arc::clone(&login), "tidemark".to_owned(), 1);
        match connections.connect_first().await {
            Err(StoreError::Refused(error)) => return Err(explain_role(error, role)),
            other => other?,
        }
        Ok(Self {
            config: Arc::new(config.clone()),
            login,
            connections: Arc::new(connections),
        })
    }

    /// Connections made from now on use this password, also those of the generations opened; while
    /// Postgres does not accept it, work waits.
    pub fn set_password(&self, password: &str) {
        self.login.set_password(password);
    }

    /// Finds the active generation.
    pub async fn active_generation(&self) -> Result<Generation, StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let found = answered(Generation::active(pooled.connection())).await;
        pooled.settle(found)
    }

    /// Returns the time of the server.
    pub(crate) async fn clock(&self) -> Result<Instant, StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let query = sqlx::query(include_str!("clock.sql")).fetch_one(pooled.connection());
        let row = answered(query).await;
        instant(&pooled.settle(row)?, "now")
    }

    /// Records in the audit what an operator did to a tenant; `""` where the tenant is not known.
    pub async fn audit_operator(
        &self,
        tenant: &str,
        subject: &str,
        action: &str,
        target: &str,
    ) -> Result<(), StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let query = sqlx::query(include_str!("audit_operator.sql"))
            .bind(tenant)
            .bind(subject)
            .bind(action)
            .bind(target)
            .execute(pooled.connection());
        let written = answered(query).await;
        pooled.settle(written).map(drop)
    }

    /// Acquires the connection to the shared schema.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<'_>, StoreError> {
        self.connections.acquire().await
    }

    pub(super) fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// Returns connections with the schema of a generation on their search path.
    pub(super) fn connections_to(&self, generation: &Generation) -> Arc<Connections> {
        let login = Arc::clone(&self.login);
        Arc::new(Connections::new(
            login,
            generation.schema(),
            self.config.writers,
        ))
    }
}

/// Explains a role that does not exist, or that the login may not take on: either fails at the start
/// of a session.
fn explain_role(error: sqlx::Error, role: Option<&str>) -> StoreError {
    match (sql_state(&error).as_deref(), role) {
        (Some("22023"), Some(role)) => StoreError::Setup(format!(
            "there is no role {role}: run `tidemark migrate` first"
        )),
        (Some("42501"), Some(role)) => StoreError::Setup(format!(
            "the login may not take on the role {role}: `grant {role} to` it"
        )),
        _ => StoreError::Refused(error),
    }
}
