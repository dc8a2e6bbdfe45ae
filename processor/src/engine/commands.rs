//! The operator commands of a partition: parked events to retry or to remove, scopes to resume.
//!
//! Commands are applied in passes in the order of the log, a batch at a time beside new records, so that
//! many of them neither take longer than folding as many records nor stop it. A command whose event needs
//! a schema waits for the registry by itself: see `schema_lookups`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::classification::Classifier;
use super::context::{Context, TaskExit};
use super::projector::Projector;
use super::redrive::Redriven;
use super::schema_lookups::SchemaLookups;
use crate::store::{Action, OperatorCommand, Outcome, SettledRequest, StoreError};

/// The interval at which commands are read.
const READ_EVERY: Duration = Duration::from_secs(1);
/// The same while commands wait for the registry: each pass reads all of them again.
const READ_WAITING_EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct OperatorCommands {
    shared: Arc<Context>,
    partition: i32,
    /// The time of the last look; `None`: look at once.
    read_at: Option<Instant>,
    /// The offset up to which this pass has applied commands; `None` between passes.
    applied_to: Option<i64>,
    /// Whether commands of the last pass wait for the registry.
    waiting: bool,
    lookups: SchemaLookups,
}

impl OperatorCommands {
    pub(super) fn new(shared: Arc<Context>, partition: i32) -> Self {
        Self {
            shared: Arc::clone(&shared),
            partition,
            read_at: None,
            applied_to: None,
            waiting: false,
            lookups: SchemaLookups::new(shared, partition),
        }
    }

    /// Returns whether a pass is under way: more commands may follow.
    pub(super) fn is_under_way(&self) -> bool {
        self.applied_to.is_some()
    }

    /// Returns whether commands are due to be read: once a second, or at once while a pass is under way.
    pub(super) fn is_due(&mut self) -> bool {
        let every = if self.waiting && !self.lookups.have_news() {
            READ_WAITING_EVERY
        } else {
            READ_EVERY
        };
        let due = self.is_under_way() || self.read_at.is_none_or(|read| read.elapsed() >= every);
        if due {
            self.read_at = Some(Instant::now());
        }
        due
    }

    /// Ends the pass under way: parked events have moved by other means than its commands.
    pub(super) fn restart(&mut self) {
        self.applied_to = None;
    }

    /// Lets the scopes catch up that operators resumed.
    pub(super) async fn resume_scopes(&self, projector: &mut Projector) -> Result<(), TaskExit> {
        if projector.folder.deferrals().is_empty() {
            return Ok(());
        }
        // A scope that stands still again is not resumed any more once that is committed.
        projector.settle().await?;
        let resumed = unless_unavailable(self.shared.store.load_resumed(self.partition).await)?;
        for scope in resumed {
            if projector.folder.resume(&scope) {
                tracing::info!(partition = self.partition, %scope, "resumed");
            }
        }
        Ok(())
    }

    /// Applies the next commands on parked events; returns the events to retry.
    pub(super) async fn apply(
        &mut self,
        projector: &mut Projector,
        classifier: &Classifier,
    ) -> Result<Vec<Redriven>, TaskExit> {
        if self.applied_to.is_none() && !self.begin_pass(projector).await? {
            return Ok(Vec::new());
        }
        // The commit in flight has moved only events that the pass has left behind.
        let most = if projector.commits.is_careful() {
            1
        } else {
            self.shared.limits.batch_events
        };
        let commands = self.load(self.applied_to.unwrap_or(-1), most).await?;
        self.applied_to = commands.last().map(|command| command.offset);
        let mut redriven = Vec::with_capacity(commands.len());
        for command in commands {
            redriven.extend(self.apply_one(command, projector, classifier));
        }
        if self.lookups.request() {
            self.applied_to = None;
        }
        Ok(redriven)
    }

    /// Begins a pass over the commands; `false` if there are none.
    async fn begin_pass(&mut self, projector: &mut Projector) -> Result<bool, TaskExit> {
        self.waiting = false;
        if self.load(-1, 1).await?.is_empty() {
            return Ok(false);
        }
        self.lookups.begin_pass();
        // The effects of the commit in flight must be visible.
        projector.settle().await?;
        Ok(true)
    }

    /// Loads the commands after an offset, at most so many and so large as a batch. Returns none while the database is
    /// unavailable: folding does not wait for them.
    async fn load(&self, after: i64, most: usize) -> Result<Vec<OperatorCommand>, TaskExit> {
        let (store, topic) = (&self.shared.store, &self.shared.topic);
        let most = [most, self.shared.limits.batch_bytes]
            .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        unless_unavailable(
            store
                .load_commands(topic, self.partition, after, most)
                .await,
        )
    }

    /// Applies a command to one event; returns an event to retry.
    fn apply_one(
        &mut self,
        command: OperatorCommand,
        projector: &mut Projector,
        classifier: &Classifier,
    ) -> Option<Redriven> {
        let OperatorCommand {
            request,
            action,
            offset,
            event,
        } = command;
        let tenant = event.as_ref().and_then(|row| row.tenant.as_ref());
        if tenant.is_some_and(|tenant| projector.folder.erases(tenant)) {
            // Most likely the event is erased before it is read again.
            self.waiting = true;
            return None;
        }
        let pending = projector.folder.pending_mut();
        let (outcome, reason) = match (event, action) {
            (Some(row), Action::Redrive) => {
                let redriven = Redriven::command(row, request, classifier, &mut self.lookups);
                self.waiting |= redriven.is_none();
                return redriven;
            }
            (Some(row), Action::Discard) => {
                self.shared.metrics.discarded.inc();
                pending.discard(&row);
                (Outcome::Discarded, Some(row.reason))
            }
            (None, _) => (Outcome::Gone, None),
        };
        pending.rows.settled.push(SettledRequest {
            request,
            offset,
            outcome,
            reason,
            detail: None,
        });
        None
    }
}

/// Returns the answer; empty while the database is unavailable.
fn unless_unavailable<T: Default>(answer: Result<T, StoreError>) -> Result<T, TaskExit> {
    match answer {
        Err(StoreError::Unavailable(_)) => Ok(T::default()),
        answer => Ok(answer?),
    }
}
