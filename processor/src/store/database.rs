//! The schema that all generations share: which generation is active, the definitions topic as rows,
//! and the audit.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tidemark_projections::definitions::Definitions;
use tidemark_schemas::{Instant, TenantId};

use super::StoreConfig;
use super::connections::{self, Connections, Login, answered};
use super::decode::instant;
use super::error::{StoreError, sql_state};
use super::generation::Generation;

/// A record of the definitions topic as kept in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRow {
    /// The offset on the definitions topic.
    pub version: i64,
    /// The record's append time.
    pub appended_at: Instant,
    /// The record's bytes as text.
    pub bundle: String,
    /// The reason why it was not applied.
    pub rejected: Option<String>,
}

impl BundleRow {
    /// Applies the record to the definitions before it; a rejected one leaves them as they are.
    pub(crate) fn apply_to(&self, definitions: Definitions) -> Result<Definitions, StoreError> {
        if self.rejected.is_some() {
            return Ok(definitions);
        }
        definitions
            .apply(self.version, self.appended_at, self.bundle.as_bytes())
            .map_err(|error| {
                StoreError::Damaged(format!("definitions version {}: {error}", self.version))
            })
    }
}

/// An announced version must survive a crash.
const BEGIN: &str = "begin; set local synchronous_commit = on";

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

    /// Loads the records of the definitions topic that are kept, after a version.
    pub async fn load_bundles(&self, after: i64) -> Result<Vec<BundleRow>, StoreError> {
        load_bundles(&self.connections, after).await
    }

    /// Keeps a record of the definitions topic, with synchronous commit; repeating it is harmless.
    /// `tenants` are the tenants it defines, with the JSON of each, empty when rejected.
    ///
    /// [`StoreError::Damaged`] when another record was kept under this version before: the
    /// definitions topic was created again, but the database was not.
    pub async fn record_bundle(
        &self,
        bundle: &BundleRow,
        tenants: &[(TenantId, String)],
    ) -> Result<(), StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let result = answered(record_bundle(pooled.connection(), bundle, tenants)).await;
        pooled.settle(result)
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

async fn load_bundles(connections: &Connections, after: i64) -> Result<Vec<BundleRow>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_bundles.sql"))
        .bind(after)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    let rows = pooled.settle(rows)?;
    rows.iter()
        .map(|row| {
            Ok(BundleRow {
                version: row.try_get("version")?,
                appended_at: instant(row, "appended_at")?,
                bundle: row.try_get("bundle")?,
                rejected: row.try_get("rejected")?,
            })
        })
        .collect()
}

async fn record_bundle(
    connection: &mut PgConnection,
    bundle: &BundleRow,
    tenants: &[(TenantId, String)],
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let recorded = sqlx::query(include_str!("record_bundle.sql"))
        .bind(bundle.version)
        .bind(bundle.appended_at.micros())
        .bind(&bundle.bundle)
        .bind(&bundle.rejected)
        .execute(&mut *transaction)
        .await?;
    if recorded.rows_affected() == 0 {
        let kept: String = sqlx::query_scalar(include_str!("kept_bundle.sql"))
            .bind(bundle.version)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        if kept == bundle.bundle {
            return Ok(());
        }
        return Err(StoreError::Damaged(format!(
            "version {} of the definitions differs from the record kept under it: the definitions \
             topic was created again, but the database was not",
            bundle.version
        )));
    }
    let ids: Vec<&str> = tenants.iter().map(|(tenant, _)| tenant.as_str()).collect();
    let definitions: Vec<&str> = tenants
        .iter()
        .map(|(_, definition)| &**definition)
        .collect();
    if !ids.is_empty() {
        sqlx::query(include_str!("record_tenants.sql"))
            .bind(bundle.version)
            .bind(bundle.appended_at.micros())
            .bind(ids)
            .bind(definitions)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
