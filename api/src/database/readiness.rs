//! The active generation and its staleness. No row of a tenant is read.

use sqlx::postgres::Postgres;
use sqlx::{FromRow, Transaction};

use tidemark_schemas::Instant;

use crate::http::Problem;

/// The active generation, and the age of its slowest clock.
#[derive(Debug, Clone, Copy, FromRow)]
pub(crate) struct Readiness {
    pub(crate) generation: i32,
    pub(crate) partitions: i32,
    /// The age of the slowest partition's clock, in seconds; `None` until every partition has progress.
    #[sqlx(skip)]
    pub(crate) staleness_seconds: Option<f64>,
}

#[derive(FromRow)]
struct Age {
    partitions: i64,
    seconds: Option<f64>,
}

impl Readiness {
    /// Reads the active generation, and the age of its slowest clock by `clock`, or by the database's
    /// clock; `None` if no generation is active.
    pub(super) async fn read(
        mut transaction: Transaction<'_, Postgres>,
        clock: Option<Instant>,
    ) -> Result<Option<Self>, Problem> {
        let active = sqlx::query_as::<_, Self>(include_str!("../sql/readiness.sql"))
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(mut readiness) = active else {
            return Ok(None);
        };
        let age = sqlx::query_as::<_, Age>(include_str!("../sql/staleness.sql"))
            .bind(clock.map(Instant::micros))
            .fetch_one(&mut *transaction)
            .await?;
        if age.partitions >= i64::from(readiness.partitions) {
            readiness.staleness_seconds = age.seconds;
        }
        transaction.commit().await?;
        Ok(Some(readiness))
    }
}
