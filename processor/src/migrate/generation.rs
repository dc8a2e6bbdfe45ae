//! Generations of projections: one schema each, folded from one log.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tidemark_projections::LAYOUT_VERSION;
use tidemark_projections::state::FOLD_VERSION;
use tidemark_schemas::Partitioner;
use xxhash_rust::xxh3::xxh3_64;

use crate::store::connections::{connect, parse_url};
use crate::store::error::lock_timed_out;
use crate::store::{Generation, StoreError};

const TABLES: &str = include_str!("../store/generation.sql");
const POLICIES: &str = include_str!("../store/policies.sql");
const VIEWS: &str = include_str!("../store/views.sql");

/// The number of attempts to repoint views that are being read. Each attempt waits for 200 ms only,
/// because a session that waits for a view blocks every later reader.
const VIEW_ATTEMPTS: u32 = 50;

/// The log that a generation is folded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationSpec {
    /// The name of the topic.
    pub topic: String,
    /// The number of partitions.
    pub partitions: i32,
    /// The partitioner of its producers.
    pub partitioner: Partitioner,
}

/// Creates the first generation and activates it, if none is active; else checks that the active one
/// was folded from this log by this fold version, with this layout of the tables. Then points the
/// views for BI tools to it. Returns the id of the active generation.
///
/// Needs [`migrate`](super::migrate()) first.
pub async fn ensure_generation(url: &str, spec: &GenerationSpec) -> Result<i32, StoreError> {
    let mut connection = connect(&parse_url(url)?).await?;
    let active = match Generation::find_active(&mut connection).await? {
        Some(active) => active,
        None => make_first(&mut connection, spec).await?,
    };
    active.check_versions()?;
    check_log(&active, spec)?;
    point_views(&mut connection, &active.schema()).await?;
    Ok(active.id)
}

async fn make_first(
    connection: &mut PgConnection,
    spec: &GenerationSpec,
) -> Result<Generation, StoreError> {
    let mut transaction = connection.begin().await?;
    sqlx::query(include_str!("../store/lock_generations.sql"))
        .execute(&mut *transaction)
        .await?;
    // Another session may have created it in the meantime.
    if let Some(active) = Generation::find_active(&mut transaction).await? {
        return Ok(active);
    }
    sqlx::query(include_str!("../store/new_generation.sql"))
        .bind(FOLD_VERSION)
        .bind(LAYOUT_VERSION)
        .bind(&spec.topic)
        .bind(spec.partitions)
        .bind(spec.partitioner.to_string())
        .execute(&mut *transaction)
        .await?;
    let generation = Generation::active(&mut transaction).await?;
    let schema = generation.schema();
    let begin = format!(
        "create schema {schema} authorization tidemark_owner; \
         set local role tidemark_owner; \
         set local search_path = {schema}"
    );
    sqlx::raw_sql(AssertSqlSafe(begin))
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
    sqlx::raw_sql(POLICIES).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(generation)
}

fn check_log(active: &Generation, spec: &GenerationSpec) -> Result<(), StoreError> {
    let pairs = [
        ("topic", active.topic.clone(), spec.topic.clone()),
        (
            "partitions",
            active.partitions.to_string(),
            spec.partitions.to_string(),
        ),
        (
            "partitioner",
            active.partitioner.clone(),
            spec.partitioner.to_string(),
        ),
    ];
    for (what, found, configured) in pairs {
        if found != configured {
            return Err(StoreError::OtherLog {
                generation: active.id,
                what,
                found,
                configured,
            });
        }
    }
    Ok(())
}

/// Points the views for BI tools to a generation, unless they already are these views of it.
async fn point_views(connection: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
    // Kept as the comment of their schema: which generation, and which text of views.sql.
    let mark = format!(
        "Stable views of {schema}, definition {:016x}",
        xxh3_64(VIEWS.as_bytes())
    );
    let mut attempt = 1;
    loop {
        let kept: Option<String> = sqlx::query_scalar(include_str!("../store/views_mark.sql"))
            .fetch_one(&mut *connection)
            .await?;
        if kept.as_ref() == Some(&mark) {
            return Ok(());
        }
        match try_point_views(connection, schema, &mark).await {
            Err(error) if lock_timed_out(&error) && attempt < VIEW_ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return Ok(other?),
        }
    }
}

async fn try_point_views(
    connection: &mut PgConnection,
    schema: &str,
    mark: &str,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(include_str!("../store/lock_generations.sql"))
        .execute(&mut *transaction)
        .await?;
    let begin = format!(
        "set local role tidemark_owner; \
         set local search_path = {schema}; \
         set local lock_timeout = '200ms'"
    );
    sqlx::raw_sql(AssertSqlSafe(begin))
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(VIEWS).execute(&mut *transaction).await?;
    let comment = format!("comment on schema tidemark_views is '{mark}'");
    sqlx::raw_sql(AssertSqlSafe(comment))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
