//! The schemas that operator commands need: requested beside folding, so that a redrive never makes new
//! events wait for the registry.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tidemark_schemas::codec::DecodeError;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::context::Context;

/// The pause after the registry was found to be unavailable.
const PAUSE: Duration = Duration::from_secs(1);

/// A schema that a command needs. Each command requests it again: the registry may have been corrected
/// between two commands.
pub(super) type Lookup = (Uuid, u32);

/// See the module.
#[derive(Debug)]
pub(super) struct SchemaLookups {
    shared: Arc<Context>,
    partition: i32,
    /// Needed, but not requested yet.
    wanted: BTreeSet<Lookup>,
    /// Answered by the registry before this pass.
    answered: BTreeSet<Lookup>,
    /// The series of requests under way, one at most.
    running: JoinSet<LookupResults>,
    ended: Option<LookupResults>,
    available: bool,
}

/// The result of a series of requests.
#[derive(Debug)]
struct LookupResults {
    answered: BTreeSet<Lookup>,
    /// Whether the registry answered each request.
    available: bool,
}

impl SchemaLookups {
    pub(super) fn new(shared: Arc<Context>, partition: i32) -> Self {
        Self {
            shared,
            partition,
            wanted: BTreeSet::new(),
            answered: BTreeSet::new(),
            running: JoinSet::new(),
            ended: None,
            available: true,
        }
    }

    /// Returns whether the registry has answered for a command; else notes that it needs the schema.
    pub(super) fn is_answered(&mut self, lookup: Lookup) -> bool {
        self.answered.contains(&lookup) || {
            self.wanted.insert(lookup);
            false
        }
    }

    /// Returns whether a series of requests has ended.
    pub(super) fn have_news(&mut self) -> bool {
        // Requests that panicked are made again by the next pass.
        if let Some(Ok(results)) = self.running.try_join_next() {
            self.ended = Some(results);
        }
        self.ended.is_some()
    }

    /// Takes the answers of the requests that have ended, at the beginning of a pass over the commands.
    pub(super) fn begin_pass(&mut self) {
        self.answered.clear();
        if self.have_news()
            && let Some(results) = self.ended.take()
        {
            self.answered = results.answered;
            self.available = results.available;
        }
    }

    /// Requests the schemas that commands were found to need. Returns whether the commands of this pass
    /// are better applied in the next, which begins with the answers.
    pub(super) fn request(&mut self) -> bool {
        if self.wanted.is_empty() || !self.running.is_empty() || self.ended.is_some() {
            return false;
        }
        let wanted = std::mem::take(&mut self.wanted);
        let requests = request(Arc::clone(&self.shared), self.partition, wanted);
        self.running.spawn(requests);
        self.available
    }
}

/// Requests schemas until the registry is unavailable.
async fn request(shared: Arc<Context>, partition: i32, wanted: BTreeSet<Lookup>) -> LookupResults {
    let mut answered = BTreeSet::new();
    let mut refreshed = BTreeSet::new();
    for lookup @ (_, id) in wanted {
        if !refreshed.contains(&id) {
            // That a schema is unknown is an answer too.
            if let Err(unavailable @ DecodeError::RegistryUnavailable(_)) =
                shared.decoder.refresh(id).await
            {
                shared.metrics.waits.with_label_values(&["registry"]).inc();
                tracing::warn!(
                    partition,
                    reason = %unavailable,
                    "commands on parked events wait for the registry; new events do not"
                );
                tokio::time::sleep(PAUSE).await;
                return LookupResults {
                    answered,
                    available: false,
                };
            }
            refreshed.insert(id);
        }
        answered.insert(lookup);
    }
    LookupResults {
        answered,
        available: true,
    }
}
