//! The readiness check: keys, database, active generation, and freshness.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sqlx::postgres::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::auth::KeyRing;
use crate::database::{Database, Readiness};
use crate::http::Problem;

/// The pause between two checks of the database.
const INTERVAL: Duration = Duration::from_secs(1);
/// The time limit of one check.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of a check of the database; `None` if no generation is active.
type Probe = Result<Option<Readiness>, Problem>;

/// Checks whether requests can be answered. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ReadinessCheck {
    keys: Arc<KeyRing>,
    database: Arc<Database>,
    /// The greatest age of the slowest partition's clock; `None` for no limit.
    max_staleness: Option<Duration>,
    last: Arc<ArcSwapOption<Probe>>,
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
            last: Arc::default(),
        }
    }

    /// Checks the database every second until `shutdown`.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut connection = None;
        while !shutdown.is_cancelled() {
            self.check(&mut connection).await;
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Checks the database on a connection outside the pool, and keeps the result.
    ///
    /// Requests for the readiness need no token, so they read the last result: any number of them costs
    /// neither a connection nor a permit.
    pub(crate) async fn check(&self, connection: &mut Option<PgConnection>) {
        let probe = tokio::time::timeout(PROBE_TIMEOUT, self.database.probe(connection)).await;
        let result = probe.unwrap_or_else(|_| {
            Err(Problem::unavailable(
                "the database does not respond in time",
            ))
        });
        if result.is_err() {
            *connection = None;
        }
        self.database.set_reachable(result.is_ok());
        self.last.store(Some(Arc::new(result)));
    }

    /// Returns the active generation and its staleness as of the last check; 503 if requests cannot
    /// be answered.
    pub(crate) fn last(&self) -> Result<Readiness, Problem> {
        if !self.keys.is_ready() {
            return Err(Problem::unavailable(
                "the keys that verify tokens are not known yet",
            ));
        }
        let last = self.last.load_full();
        let last = last.ok_or_else(|| Problem::unavailable("the database is not checked yet"))?;
        let readiness = (*last)
            .clone()?
            .ok_or_else(|| Problem::unavailable("no generation is active yet"))?;
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
