//! Snapshots: the rows of one tenant, as of one transaction.

use std::sync::Arc;

use moka::future::Cache;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{FromRow, Transaction};
use tidemark_projections::LAYOUT_VERSION;
use tidemark_projections::definitions::{NotApplied, TenantDefinitions};
use tidemark_projections::state::FOLD_VERSION;
use tidemark_schemas::{Instant, TenantId};

use crate::auth::Caller;
use crate::freshness::Freshness;
use crate::http::Problem;

/// A transaction with its tenant set for row-level security, and the tables of the active generation
/// on the search path.
#[derive(Debug)]
pub(crate) struct Snapshot<'c> {
    transaction: Transaction<'c, Postgres>,
    definitions: &'c Cache<(TenantId, i64), Arc<TenantDefinitions>>,
    caller: &'c Caller,
    generation: Generation,
    freshness: Freshness,
}

/// The active generation.
#[derive(Debug, FromRow)]
pub(crate) struct Generation {
    pub(crate) id: i32,
    fold_version: i32,
    layout_version: i32,
    /// The topic that it is folded from.
    pub(crate) topic: String,
    /// The number of partitions of the topic.
    pub(crate) partitions: i32,
}

#[derive(FromRow)]
struct Position {
    partitions: i64,
    watermark: Option<i64>,
    deferred: Option<i64>,
    lag: i64,
    lag_at: Option<i64>,
    definitions: Option<i64>,
    is_leaving: bool,
}

#[derive(FromRow)]
struct DefinitionRow {
    appended_at: i64,
    format: i32,
    definition: String,
}

impl<'c> Snapshot<'c> {
    pub(super) async fn open(
        mut transaction: Transaction<'c, Postgres>,
        definitions: &'c Cache<(TenantId, i64), Arc<TenantDefinitions>>,
        caller: &'c Caller,
    ) -> Result<Self, Problem> {
        let generation = sqlx::query_as::<_, Generation>(include_str!("../sql/open.sql"))
            .bind(caller.tenant.as_str())
            .fetch_optional(&mut *transaction)
            .await?
            .ok_or_else(|| Problem::unavailable("no generation is active yet"))?;
        require_own_layout(&generation)?;
        let position = sqlx::query_as::<_, Position>(include_str!("../sql/position.sql"))
            .bind(caller.tenant.as_str())
            .bind(&generation.topic)
            .fetch_one(&mut *transaction)
            .await?;
        let freshness = Freshness {
            generation: generation.id,
            watermark: watermark(&position, &generation),
            is_deferred: position.deferred.is_some(),
            lag: position.lag,
            lag_as_of: lag_as_of(&position, &generation),
            definitions: position.definitions,
        };
        if position.is_leaving {
            // Its rows are being erased: it reads as a tenant that has none.
            sqlx::query(include_str!("../sql/no_tenant.sql"))
                .execute(&mut *transaction)
                .await?;
        }
        Ok(Self {
            transaction,
            definitions,
            caller,
            generation,
            freshness,
        })
    }

    /// Commits the transaction, so that audit rows are durable before the response is sent.
    pub(crate) async fn close(self) -> Result<(), Problem> {
        Ok(self.transaction.commit().await?)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// The caller. Every statement binds its tenant, in addition to row-level security.
    pub(crate) fn caller(&self) -> &'c Caller {
        self.caller
    }

    pub(crate) fn tenant(&self) -> &'c str {
        self.caller.tenant.as_str()
    }

    pub(crate) fn generation(&self) -> &Generation {
        &self.generation
    }

    pub(crate) fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Returns a problem if the states of the active generation have another fold version.
    pub(crate) fn require_own_fold_version(&self) -> Result<(), Problem> {
        if self.generation.fold_version == FOLD_VERSION {
            return Ok(());
        }
        let cause = format!(
            "generation {} has fold version {}, this binary reads {FOLD_VERSION}",
            self.generation.id, self.generation.fold_version
        );
        let detail = "the active generation was folded by another version of Tidemark";
        Err(Problem::unavailable(detail).with_cause(cause))
    }

    /// Returns the tenant's definitions in force; `None` before its first.
    pub(crate) async fn definitions(&mut self) -> Result<Option<Arc<TenantDefinitions>>, Problem> {
        match self.freshness.definitions {
            Some(version) => self.definitions_of(version).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns an existing version of the tenant's definitions.
    pub(crate) async fn definitions_of(
        &mut self,
        version: i64,
    ) -> Result<Arc<TenantDefinitions>, Problem> {
        let key = (self.caller.tenant.clone(), version);
        if let Some(known) = self.definitions.get(&key).await {
            return Ok(known);
        }
        let row = sqlx::query_as::<_, DefinitionRow>(include_str!("../sql/definition.sql"))
            .bind(self.caller.tenant.as_str())
            .bind(version)
            .fetch_one(&mut *self.transaction)
            .await?;
        let appended_at = instant(row.appended_at)?;
        let parsed =
            TenantDefinitions::from_stored(row.format, &row.definition, version, appended_at)
                .map_err(unreadable)?;
        let parsed = Arc::new(parsed);
        self.definitions.insert(key, Arc::clone(&parsed)).await;
        Ok(parsed)
    }
}

/// Returns the problem with definitions that cannot be read: only a newer binary knows their format, or
/// they are damaged.
fn unreadable(error: NotApplied) -> Problem {
    match error {
        NotApplied::UnknownFormat(unknown) => {
            let detail = "the tenant's definitions were written by a newer version of Tidemark";
            Problem::unavailable(detail).with_cause(unknown)
        }
        NotApplied::Rejected(_) => Problem::internal(error),
    }
}

/// Returns a problem if the tables have another layout than the statements here expect.
fn require_own_layout(generation: &Generation) -> Result<(), Problem> {
    if generation.layout_version == LAYOUT_VERSION {
        return Ok(());
    }
    let detail =
        "the tables of the active generation have the layout of another version of Tidemark";
    let cause = format!(
        "generation {} has layout {}, this binary reads {LAYOUT_VERSION}: start the binary that \
         made it, or fold the topics from the beginning into a new database",
        generation.id, generation.layout_version
    );
    Err(Problem::unavailable(detail).with_cause(cause))
}

/// Returns the instant up to which every partition has fired its timers for the tenant; `None` until each has a
/// clock.
fn watermark(position: &Position, generation: &Generation) -> Option<Instant> {
    if position.partitions < i64::from(generation.partitions) {
        return None;
    }
    let least = position
        .watermark
        .into_iter()
        .chain(position.deferred)
        .min();
    least.and_then(clock)
}

/// Returns the instant of the oldest look at an end of the log; `None` until there was one in every
/// partition.
fn lag_as_of(position: &Position, generation: &Generation) -> Option<Instant> {
    if position.partitions < i64::from(generation.partitions) {
        return None;
    }
    position.lag_at.and_then(Instant::from_micros)
}

/// Converts a stored partition clock; `None` before the partition's first record.
pub(crate) fn clock(micros: i64) -> Option<Instant> {
    Instant::from_micros(micros).filter(|clock| *clock > Instant::MIN)
}

/// Converts a stored instant.
pub(crate) fn instant(micros: i64) -> Result<Instant, Problem> {
    Instant::from_micros(micros)
        .ok_or_else(|| Problem::internal(format!("stored {micros} is not an instant")))
}
