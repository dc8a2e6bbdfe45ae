//! Who asks what: what every handler that answers from the tables takes.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use tokio::time::Instant;

use super::kept::{Answer, Key};
use super::version::Subject;
use super::wait::Wanted;
use crate::Service;
use crate::auth::Caller;
use crate::database::{Access, Query};
use crate::freshness::Fresh;
use crate::problem::Problem;
use crate::request_id::RequestId;

#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) caller: Caller,
    pub(crate) request_id: RequestId,
    pub(super) key: Key,
    /// A position was waited for: what is kept, or being read, may not have it.
    anew: bool,
}

impl FromRequestParts<Service> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Problem> {
        let extensions = &parts.extensions;
        let (Some(caller), Some(request_id)) = (extensions.get(), extensions.get()) else {
            return Err(Problem::internal(
                "a route of tenants is not behind its layers",
            ));
        };
        let caller: &Caller = caller;
        let question = parts.uri.path_and_query();
        let question = question.map_or_else(|| parts.uri.path(), |asked| asked.as_str());
        Ok(Self {
            key: Key::new(caller, question),
            caller: caller.clone(),
            request_id: RequestId::clone(request_id),
            anew: Wanted::is_in(&parts.headers),
        })
    }
}

impl Service {
    /// Answers: read, kept where that is right, or kept before where the database is away.
    pub(crate) async fn answer<Q: Query>(
        &self,
        asking: &Asking,
        query: &Q,
    ) -> Result<Response, Problem> {
        let read = match query.depends() {
            Some(depends) => {
                let subject = Subject::new(&asking.caller.tenant, depends);
                self.answer_and_keep(asking, query, subject).await
            }
            None => self.read(asking, query).await,
        };
        match read {
            Ok(answer) => Ok(answer.response()),
            Err(problem) if problem.is_unavailable() && !asking.anew => {
                self.answers().instead(asking).ok_or(problem)
            }
            Err(problem) => Err(problem),
        }
    }

    async fn answer_and_keep<Q: Query>(
        &self,
        asking: &Asking,
        query: &Q,
        subject: Subject,
    ) -> Result<Arc<Answer>, Problem> {
        // Before the snapshot is opened: what moves from here on may be in the answer or not.
        let version = self.answers().version(&subject);
        let read = async {
            let answer = self.read(asking, query).await?;
            self.answers().keep(asking, subject, version, &answer);
            Ok(answer)
        };
        // Who leaves a record reads for himself alone.
        if asking.anew || query.access(&asking.caller) == Access::Audited {
            self.answers().passed_by();
            return read.await;
        }
        self.answers().fly(asking, version, read).await
    }

    async fn read<Q: Query>(&self, asking: &Asking, query: &Q) -> Result<Arc<Answer>, Problem> {
        let read_at = Instant::now();
        let fresh = self.database().read(&asking.caller, query).await?;
        let is_recorded = Q::is_recorded(&fresh.body);
        if is_recorded {
            self.metrics().audited.inc();
        }
        let body = as_json(&fresh)?;
        Answer::new(body, fresh.freshness, is_recorded, read_at).map(Arc::new)
    }
}

fn as_json<T: Serialize>(fresh: &Fresh<T>) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(&fresh.body).map_err(Problem::internal)
}
