//! The readiness check: keys, database, active generation, and freshness.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::KeyRing;
use crate::database::{Database, Readiness};
use crate::http::Problem;

/// Checks whether requests can be answered. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ReadinessCheck {
    keys: Arc<KeyRing>,
    database: Arc<Database>,
    /// The greatest age of the slowest partition's clock; `None` for no limit.
    max_staleness: Option<Duration>,
}

impl ReadinessCheck {
    pub(crate) fn new(
        keys: Arc<KeyRing>,
        database: Arc<Database>,
        max_staleness: Option<Duration>,
    ) -> Self {
        Self {
            keys,
            database,
            max_staleness,
        }
    }

    /// Returns the active generation and its staleness; 503 if requests cannot be answered.
    pub(crate) async fn run(&self) -> Result<Readiness, Problem> {
        if !self.keys.is_ready() {
            return Err(Problem::unavailable(
                "the keys that verify tokens are not known yet",
            ));
        }
        let readiness = self.database.readiness().await?;
        let readiness =
            readiness.ok_or_else(|| Problem::unavailable("no generation is active yet"))?;
        if let Some(limit) = self.max_staleness {
            let is_fresh = readiness
                .staleness_seconds
                .is_some_and(|seconds| seconds <= limit.as_secs_f64());
            if !is_fresh {
                return Err(Problem::unavailable(
                    "the projections are further behind than allowed",
                ));
            }
        }
        Ok(readiness)
    }
}
