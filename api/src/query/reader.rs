//! The reader: answers queries from the response cache or from a snapshot of the database.

use std::sync::Arc;

use axum::response::Response;
use prometheus::{IntCounter, Registry};
use serde::Serialize;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::{Query, RequestContext};
use crate::auth::Caller;
use crate::database::{Database, ReadMode};
use crate::freshness::Fresh;
use crate::http::Problem;
use crate::response_cache::{CachedResponse, ResponseCache, Subject};

/// Answers queries. Cheap to clone: every clone shares the same database and cache.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    database: Arc<Database>,
    cache: Arc<ResponseCache>,
    /// Reads of personal attributes recorded in the audit table.
    audited: IntCounter,
}

impl Reader {
    pub(crate) fn new(
        database: Arc<Database>,
        cache: Arc<ResponseCache>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let audited = IntCounter::new(
            "tidemark_api_audited_reads_total",
            "Reads of personal attributes recorded in the audit table.",
        )?;
        registry.register(Box::new(audited.clone()))?;
        Ok(Self {
            database,
            cache,
            audited,
        })
    }

    /// Responds to a query: reads its answer and caches it where that is allowed. While the
    /// database is unavailable, responds with the cached answer, marked as stale.
    pub(crate) async fn respond<Q: Query>(
        &self,
        context: &RequestContext,
        query: &Q,
    ) -> Result<Response, Problem> {
        let read = match query.dependency() {
            Some(dependency) => {
                let subject = Subject::new(&context.caller.tenant, dependency);
                self.read_and_cache(context, query, subject).await
            }
            None => self.read(&context.caller, query).await,
        };
        match read {
            Ok(response) => Ok(response.to_response()),
            Err(problem) if problem.is_unavailable() && !context.bypasses_cache => {
                self.cache.find_stale(&context.key).ok_or(problem)
            }
            Err(problem) => Err(problem),
        }
    }

    async fn read_and_cache<Q: Query>(
        &self,
        context: &RequestContext,
        query: &Q,
        subject: Subject,
    ) -> Result<Arc<CachedResponse>, Problem> {
        // Taken before the snapshot is opened: a later commit may or may not be in the answer.
        let version = self.cache.version(&subject);
        let read = async {
            let response = self.read(&context.caller, query).await?;
            self.cache.insert(&context.key, subject, version, &response);
            Ok(response)
        };
        // Each audited read writes its own audit row, so it is never coalesced.
        if context.bypasses_cache || query.access(&context.caller) == ReadMode::Audited {
            self.cache.count_bypass();
            return read.await;
        }
        self.cache.coalesce(&context.key, version, read).await
    }

    async fn read<Q: Query>(
        &self,
        caller: &Caller,
        query: &Q,
    ) -> Result<Arc<CachedResponse>, Problem> {
        let read_at = Instant::now();
        let fresh = self.snapshot(caller, query).await?;
        let is_audited = Q::is_audited(&fresh.body);
        if is_audited {
            self.audited.inc();
        }
        let body = to_json(&fresh.body)?;
        CachedResponse::new(body, fresh.freshness, is_audited, read_at).map(Arc::new)
    }

    /// Reads the answer in a snapshot of the caller's tenant. Retries once if a new generation
    /// replaced the one that a plan was made for, or if the connection was lost.
    async fn snapshot<Q: Query>(
        &self,
        caller: &Caller,
        query: &Q,
    ) -> Result<Fresh<Q::Answer>, Problem> {
        let mut connection = self.database.acquire().await?;
        let problem = match self.attempt(&mut connection, caller, query).await {
            Ok(fresh) => return Ok(fresh),
            Err(problem) => problem,
        };
        let mut connection = self.database.recover(connection, problem).await?;
        self.attempt(&mut connection, caller, query).await
    }

    async fn attempt<Q: Query>(
        &self,
        connection: &mut PgConnection,
        caller: &Caller,
        query: &Q,
    ) -> Result<Fresh<Q::Answer>, Problem> {
        let access = query.access(caller);
        let mut snapshot = self.database.snapshot(connection, caller, access).await?;
        let freshness = snapshot.freshness();
        // On an error the transaction rolls back when the snapshot is dropped.
        let body = query
            .read(&mut snapshot)
            .await
            .map_err(|problem| freshness.added_to(problem))?;
        snapshot.close().await?;
        Ok(Fresh { body, freshness })
    }
}

fn to_json<T: Serialize>(body: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(Problem::internal)
}
