//! The definitions topic as rows of the shared schema: every record, and what is in force.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use tidemark_projections::definitions::{
    Definitions, NEWEST_FORMAT, NotApplied, Offboarded, TenantDefinitions, UnknownFormat,
};
use tidemark_schemas::{EventId, Instant, TenantId};
use uuid::Uuid;

use super::connections::answered;
use super::database::Database;
use super::decode::{instant, tenant};
use super::error::StoreError;

/// An announced version must survive a crash.
const BEGIN: &str = "begin; set local synchronous_commit = on";

/// A record of the definitions topic as kept in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRow {
    /// The offset on the definitions topic.
    pub version: i64,
    /// The record's append time.
    pub appended_at: Instant,
    /// The record's bytes as text.
    pub bundle: String,
    /// The format that is needed to know its effect: 1 where it is rejected.
    pub format: u32,
    /// The reason why it was not applied.
    pub rejected: Option<String>,
}

/// The effect of a record of the definitions topic; empty where it is rejected.
#[derive(Debug, Clone, Default)]
pub struct BundleEffect {
    /// The tenants that it defines, each as JSON.
    pub tenants: Vec<(TenantId, String)>,
    /// The tenants that it only renames, each as JSON, with the version under which its customers are
    /// evaluated.
    pub renamed: Vec<(TenantId, String, i64)>,
    /// The late events that it accepts and none before it did.
    pub accepted_late: Vec<(TenantId, EventId)>,
    /// The tenants that it offboards.
    pub offboarded: Vec<TenantId>,
}

/// The newest definitions that this binary knows of those that are kept.
#[derive(Debug)]
pub struct KeptDefinitions {
    /// The definitions in force.
    pub definitions: Definitions,
    /// The offset of the first record that is not kept, or has an unknown format.
    pub next_offset: i64,
    /// The offset and the text of the last record before it.
    pub last_record: Option<(i64, String)>,
    /// The record that only a newer binary can read, and did.
    pub unknown: Option<UnknownFormat>,
}

impl BundleRow {
    /// Applies the record to the definitions before it; a rejected one leaves them as they are.
    pub(crate) fn apply_to(&self, definitions: Definitions) -> Result<Definitions, StoreError> {
        if self.rejected.is_some() {
            return Ok(definitions);
        }
        definitions
            .apply(self.version, self.appended_at, self.bundle.as_bytes())
            .map_err(|error| damaged(self.version, &error))
    }
}

impl Database {
    /// Loads every record of the definitions topic that is kept.
    pub async fn load_bundles(&self) -> Result<Vec<BundleRow>, StoreError> {
        let mut pooled = self.acquire().await?;
        let query = sqlx::query(include_str!("load_bundles.sql")).fetch_all(pooled.connection());
        let rows = answered(query).await;
        pooled.settle(rows)?.iter().map(bundle_row).collect()
    }

    /// Loads the definitions in force. Takes time by the number of tenants, however many records were
    /// ever applied.
    pub async fn load_definitions(&self) -> Result<KeptDefinitions, StoreError> {
        let unknown = self.unknown_format().await?;
        let before = unknown.as_ref().map_or(i64::MAX, |unknown| unknown.version);
        let mut pooled = self.acquire().await?;
        let loaded = answered(load_in_force(pooled.connection(), before)).await;
        let (definitions, last_record) = pooled.settle(loaded)?;
        let next_offset = match (&unknown, &last_record) {
            (Some(unknown), _) => unknown.version,
            (None, Some((last, _))) => last + 1,
            (None, None) => 0,
        };
        Ok(KeptDefinitions {
            definitions,
            next_offset,
            last_record,
            unknown,
        })
    }

    /// Loads the definitions that a version put in force.
    ///
    /// [`StoreError::Damaged`] where the database does not keep it.
    pub async fn load_definitions_of(&self, version: i64) -> Result<Definitions, StoreError> {
        let mut pooled = self.acquire().await?;
        let loaded = answered(load_in_force(pooled.connection(), version + 1)).await;
        let (definitions, _) = pooled.settle(loaded)?;
        if definitions.version == Some(version) {
            return Ok(definitions);
        }
        Err(StoreError::Damaged(format!(
            "definitions version {version} was in force, and is not kept"
        )))
    }

    /// Returns the first record kept by a newer binary that this one cannot read.
    pub async fn unknown_format(&self) -> Result<Option<UnknownFormat>, StoreError> {
        let mut pooled = self.acquire().await?;
        let query = sqlx::query(include_str!("unknown_format.sql"))
            .bind(i64::from(NEWEST_FORMAT))
            .fetch_optional(pooled.connection());
        let row = answered(query).await;
        let Some(row) = pooled.settle(row)? else {
            return Ok(None);
        };
        let (version, record) = (row.try_get("version")?, row.try_get::<&str, _>("bundle")?);
        Ok(Some(
            UnknownFormat::of_record(version, record.as_bytes()).ok_or_else(|| {
                StoreError::Damaged(format!("definitions version {version} has no format"))
            })?,
        ))
    }

    /// Keeps a record of the definitions topic and its effect, with synchronous commit; repeating it is
    /// harmless.
    ///
    /// [`StoreError::Damaged`] when another record was kept under this version before: the
    /// definitions topic was created again, but the database was not.
    pub async fn record_bundle(
        &self,
        bundle: &BundleRow,
        effect: &BundleEffect,
    ) -> Result<(), StoreError> {
        let mut pooled = self.acquire().await?;
        let result = answered(record_bundle(pooled.connection(), bundle, effect)).await;
        pooled.settle(result)
    }
}

fn damaged(version: i64, error: &NotApplied) -> StoreError {
    StoreError::Damaged(format!("definitions version {version}: {error}"))
}

fn bundle_row(row: &PgRow) -> Result<BundleRow, StoreError> {
    Ok(BundleRow {
        version: row.try_get("version")?,
        appended_at: instant(row, "appended_at")?,
        bundle: row.try_get("bundle")?,
        format: u32::try_from(row.try_get::<i32, _>("format")?).unwrap_or_default(),
        rejected: row.try_get("rejected")?,
    })
}

/// Returns the definitions in force before a version, and the offset and the text of the newest record
/// kept before it.
async fn load_in_force(
    connection: &mut PgConnection,
    before: i64,
) -> Result<(Definitions, Option<(i64, String)>), StoreError> {
    let newest = sqlx::query(include_str!("newest_bundle.sql"))
        .bind(before)
        .fetch_optional(&mut *connection)
        .await?;
    let tenants = sqlx::query(include_str!("load_tenant_definitions.sql"))
        .bind(before)
        .fetch_all(&mut *connection)
        .await?;
    let accepted = sqlx::query(include_str!("load_accepted_late.sql"))
        .bind(before)
        .fetch_all(&mut *connection)
        .await?;
    let offboarded = sqlx::query(include_str!("load_offboarded.sql"))
        .bind(before)
        .fetch_all(&mut *connection)
        .await?;
    let offboarded: Vec<_> = offboarded
        .iter()
        .map(offboarding)
        .collect::<Result<_, _>>()?;
    let tenants: Vec<_> = tenants
        .iter()
        .map(tenant_definitions)
        .collect::<Result<_, _>>()?;
    let accepted: Vec<_> = accepted
        .iter()
        .map(|row| Ok((tenant(row)?, EventId(row.try_get::<Uuid, _>("event_id")?))))
        .collect::<Result<_, StoreError>>()?;
    let Some(newest) = newest else {
        return Ok((Definitions::default(), None));
    };
    let definitions =
        Definitions::restore(newest.try_get("applied")?, tenants, accepted, offboarded);
    let last_record = (newest.try_get("version")?, newest.try_get("bundle")?);
    Ok((definitions, Some(last_record)))
}

fn offboarding(row: &PgRow) -> Result<(TenantId, Offboarded), StoreError> {
    let last = Offboarded {
        version: row.try_get("version")?,
        appended_at: instant(row, "appended_at")?,
    };
    Ok((tenant(row)?, last))
}

fn tenant_definitions(row: &PgRow) -> Result<TenantDefinitions, StoreError> {
    let version = row.try_get("version")?;
    let appended_at = instant(row, "appended_at")?;
    TenantDefinitions::from_stored(
        row.try_get::<i32, _>("format")?,
        row.try_get("definition")?,
        version,
        appended_at,
    )
    .map_err(|error| damaged(version, &error))
}

async fn record_bundle(
    connection: &mut PgConnection,
    bundle: &BundleRow,
    effect: &BundleEffect,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let recorded = sqlx::query(include_str!("record_bundle.sql"))
        .bind(bundle.version)
        .bind(bundle.appended_at.micros())
        .bind(&bundle.bundle)
        .bind(&bundle.rejected)
        .bind(i64::from(bundle.format))
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
    record_effect(&mut transaction, bundle, effect).await?;
    transaction.commit().await?;
    Ok(())
}

async fn record_effect(
    connection: &mut PgConnection,
    bundle: &BundleRow,
    effect: &BundleEffect,
) -> Result<(), StoreError> {
    if !effect.tenants.is_empty() {
        let (ids, definitions): (Vec<&str>, Vec<&str>) = effect
            .tenants
            .iter()
            .map(|(tenant, definition)| (tenant.as_str(), &**definition))
            .unzip();
        sqlx::query(include_str!("record_tenants.sql"))
            .bind(bundle.version)
            .bind(bundle.appended_at.micros())
            .bind(i64::from(bundle.format))
            .bind(ids)
            .bind(definitions)
            .execute(&mut *connection)
            .await?;
    }
    if !effect.renamed.is_empty() {
        let renamed = effect.renamed.iter();
        sqlx::query(include_str!("record_renamed.sql"))
            .bind(bundle.version)
            .bind(i64::from(bundle.format))
            .bind(renamed.clone().map(|it| it.0.as_str()).collect::<Vec<_>>())
            .bind(renamed.clone().map(|it| &*it.1).collect::<Vec<_>>())
            .bind(renamed.map(|it| it.2).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    if !effect.offboarded.is_empty() {
        record_offboarded(&mut *connection, bundle, &effect.offboarded).await?;
    }
    if !effect.accepted_late.is_empty() {
        let (ids, events): (Vec<&str>, Vec<Uuid>) = effect
            .accepted_late
            .iter()
            .map(|(tenant, event)| (tenant.as_str(), event.0))
            .unzip();
        sqlx::query(include_str!("record_accepted_late.sql"))
            .bind(bundle.version)
            .bind(ids)
            .bind(events)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn record_offboarded(
    connection: &mut PgConnection,
    bundle: &BundleRow,
    tenants: &[TenantId],
) -> Result<(), StoreError> {
    let tenants: Vec<&str> = tenants.iter().map(TenantId::as_str).collect();
    sqlx::query(include_str!("record_offboarded.sql"))
        .bind(bundle.version)
        .bind(bundle.appended_at.micros())
        .bind(i64::from(bundle.format))
        .bind(tenants)
        .execute(connection)
        .await?;
    Ok(())
}
