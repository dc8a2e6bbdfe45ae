//! The operator commands of a partition: parked events to retry or to remove, tenants to resume.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemark_schemas::codec::Decoder;

use super::admission::Admission;
use super::classification::Classifier;
use super::context::{Context, TaskExit};
use super::projector::Projector;
use super::redrive::{REDRIVEN_PER_BATCH, Redriven, Redrives};
use crate::parking::Reason;
use crate::store::{Action, OperatorCommand, Outcome, SettledRequest, StoreError};

/// The interval at which commands are read.
const READ_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct OperatorCommands {
    shared: Arc<Context>,
    partition: i32,
    /// The time of the last look; `None`: look at once.
    read_at: Option<Instant>,
}

impl OperatorCommands {
    pub(super) fn new(shared: Arc<Context>, partition: i32) -> Self {
        Self {
            shared,
            partition,
            read_at: None,
        }
    }

    /// Returns whether commands are due to be read: once a second.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.read_at.is_none_or(|read| read.elapsed() >= READ_EVERY);
        if due {
            self.read_at = Some(Instant::now());
        }
        due
    }

    /// Resumes the tenants that operators resumed, from the next batch on: first their parked events,
    /// then new ones.
    pub(super) async fn resume_tenants(
        &self,
        projector: &mut Projector,
        admission: &mut Admission,
        redrives: &mut Redrives,
    ) -> Result<(), TaskExit> {
        if admission.halted() == 0 {
            return Ok(());
        }
        let halts = unless_unavailable(self.shared.store.load_halts(self.partition).await)?;
        for (tenant, _) in halts.into_iter().filter(|(_, resumed)| *resumed) {
            if admission.resume(&tenant) {
                tracing::info!(partition = self.partition, %tenant, "the tenant is resumed");
                let rows = &mut projector.folder.pending_mut().rows;
                rows.halts.resumed.push(tenant.clone());
                redrives.add(tenant, Reason::Halted);
            }
        }
        Ok(())
    }

    /// Applies the commands on parked events; returns the events to retry.
    pub(super) async fn apply(
        &mut self,
        projector: &mut Projector,
        classifier: &Classifier,
    ) -> Result<Vec<Redriven>, TaskExit> {
        if self.load().await?.is_empty() {
            return Ok(Vec::new());
        }
        // The effects of the commit in flight must be visible.
        projector.settle().await?;
        let commands = self.load().await?;
        if i64::try_from(commands.len()).is_ok_and(|found| found >= REDRIVEN_PER_BATCH) {
            self.read_at = None;
        }
        self.forget_schemas(&commands).await;
        let mut redriven = Vec::new();
        for command in commands {
            redriven.extend(self.apply_one(command, projector, classifier).await?);
        }
        Ok(redriven)
    }

    /// Returns no commands while the database is unavailable: folding does not wait for them.
    async fn load(&self) -> Result<Vec<OperatorCommand>, TaskExit> {
        let (store, topic) = (&self.shared.store, &self.shared.topic);
        let commands = store
            .load_commands(topic, self.partition, REDRIVEN_PER_BATCH)
            .await;
        unless_unavailable(commands)
    }

    /// Removes the schemas of undecodable events from the cache: the registry may have returned wrong
    /// ones, so that a redrive requests them again.
    async fn forget_schemas(&self, commands: &[OperatorCommand]) {
        let unread = [
            Reason::Undecodable,
            Reason::UnknownSchema,
            Reason::Incompatible,
        ];
        let ids: BTreeSet<u32> = commands
            .iter()
            .filter(|command| command.action == Action::Redrive)
            .filter_map(|command| command.event.as_ref())
            .filter(|row| unread.contains(&row.reason))
            .filter_map(|row| Decoder::schema_id(row.value.as_deref()?))
            .collect();
        for id in ids {
            self.shared.decoder.forget(id).await;
        }
    }

    /// Applies a command to one event; returns an event to retry.
    async fn apply_one(
        &self,
        command: OperatorCommand,
        projector: &mut Projector,
        classifier: &Classifier,
    ) -> Result<Option<Redriven>, TaskExit> {
        let OperatorCommand {
            request,
            action,
            offset,
            event,
        } = command;
        let pending = projector.folder.pending_mut();
        let (outcome, reason) = match (event, action) {
            (Some(row), Action::Redrive) => {
                let redriven = Redriven::classify(row, Some(request), classifier).await?;
                return Ok(Some(redriven));
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
        Ok(None)
    }
}

/// Returns the answer; empty while the database is unavailable.
fn unless_unavailable<T: Default>(answer: Result<T, StoreError>) -> Result<T, TaskExit> {
    match answer {
        Err(StoreError::Unavailable(_)) => Ok(T::default()),
        answer => Ok(answer?),
    }
}
