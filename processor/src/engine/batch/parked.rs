//! Parked events that come back: by themselves, or because an operator asked.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tidemark_schemas::codec::Decoder;
use uuid::Uuid;

use super::Redriven;
use crate::engine::context::TaskExit;
use crate::engine::redrive::Redrive;
use crate::engine::task::PartitionTask;
use crate::parking::Reason;
use crate::record::Record;
use crate::store::{Action, OperatorCommand, Outcome, ParkedRow, SettledRequest, StoreError};

/// Parked events tried again in one batch at most.
const REDRIVEN_PER_BATCH: i64 = 500;
/// How often to look for what operators want.
const READ_COMMANDS_EVERY: Duration = Duration::from_secs(1);

impl PartitionTask {
    /// Reads back events that wait for nothing any more: their tenant is defined, or resumed, or some
    /// that came late are accepted; none once all such events were.
    pub(super) async fn take_parked(&mut self) -> Result<Vec<Redriven>, TaskExit> {
        let mut rows = Vec::new();
        while let Some(redrive) = self.redrive.front().cloned() {
            if self.folder.tenant(&redrive.tenant).is_some() {
                // Rows parked by a commit under way would be missed.
                self.settle().await?;
                rows = self.load_parked(&redrive).await?;
            }
            if let Some(last) = rows.last() {
                self.redrive[0].after = last.offset;
                break;
            }
            self.redrive.pop_front();
        }
        let mut redriven = Vec::with_capacity(rows.len());
        for row in rows {
            redriven.push(self.again(row, None).await?);
        }
        Ok(redriven)
    }

    async fn load_parked(&self, redrive: &Redrive) -> Result<Vec<ParkedRow>, TaskExit> {
        let (store, topic) = (&self.shared.store, &self.shared.topic);
        let Redrive {
            tenant,
            reason,
            after,
        } = redrive;
        let (partition, limit) = (self.partition, REDRIVEN_PER_BATCH);
        loop {
            match store
                .load_parked(topic, partition, *reason, tenant, *after, limit)
                .await
            {
                Ok(rows) => return Ok(rows),
                Err(error) => self.wait_out(error).await?,
            }
        }
    }

    /// Returns whether operator commands are due to be read: once a second.
    pub(super) fn is_time_to_read_commands(&mut self) -> bool {
        let due = self
            .commands_read_at
            .is_none_or(|read| read.elapsed() >= READ_COMMANDS_EVERY);
        if due {
            self.commands_read_at = Some(Instant::now());
        }
        due
    }

    /// Applies operator commands; returns the events to retry.
    pub(super) async fn take_operator_commands(&mut self) -> Result<Vec<Redriven>, TaskExit> {
        if self.load_commands().await?.is_empty() {
            return Ok(Vec::new());
        }
        // The effects of the commit in flight must be visible.
        self.settle().await?;
        let commands = self.load_commands().await?;
        if i64::try_from(commands.len()).is_ok_and(|found| found >= REDRIVEN_PER_BATCH) {
            self.commands_read_at = None;
        }
        self.forget_schemas(&commands).await;
        let mut redriven = Vec::new();
        for command in commands {
            redriven.extend(self.apply(command).await?);
        }
        Ok(redriven)
    }

    /// Returns no commands while the database is unavailable: folding does not wait for them.
    async fn load_commands(&self) -> Result<Vec<OperatorCommand>, TaskExit> {
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
    async fn apply(&mut self, command: OperatorCommand) -> Result<Option<Redriven>, TaskExit> {
        let OperatorCommand {
            request,
            action,
            offset,
            event,
        } = command;
        let (outcome, reason) = match (event, action) {
            (Some(row), Action::Redrive) => return self.again(row, Some(request)).await.map(Some),
            (Some(row), Action::Discard) => {
                self.shared.metrics.discarded.inc();
                self.folder.pending_mut().discard(&row);
                (Outcome::Discarded, Some(row.reason))
            }
            (Some(row), Action::Republished) => {
                self.folder.pending_mut().unpark(&row);
                (Outcome::Republished, Some(row.reason))
            }
            (None, _) => (Outcome::Gone, None),
        };
        self.folder.pending_mut().rows.settled.push(SettledRequest {
            request,
            offset,
            outcome,
            reason,
            detail: None,
        });
        Ok(None)
    }

    async fn again(&self, before: ParkedRow, request: Option<Uuid>) -> Result<Redriven, TaskExit> {
        let record = Record {
            offset: before.offset,
            appended_at: Some(before.appended_at),
            key: before.key.clone(),
            value: before.value.clone(),
            headers: before.headers.clone(),
        };
        let item = self.classify(record, before.appended_at).await?;
        Ok(Redriven {
            before,
            item,
            request,
        })
    }

    /// Resumes the tenants that operators resumed, from the next batch on: first their parked events, then
    /// new ones.
    pub(super) async fn resume_tenants(&mut self) -> Result<(), TaskExit> {
        if self.halts.is_empty() {
            return Ok(());
        }
        let halts = unless_unavailable(self.shared.store.load_halts(self.partition).await)?;
        for (tenant, _) in halts.into_iter().filter(|(_, resumed)| *resumed) {
            if self.halts.resume(&tenant) {
                tracing::info!(partition = self.partition, %tenant, "the tenant is resumed");
                self.folder
                    .pending_mut()
                    .rows
                    .halts
                    .resumed
                    .push(tenant.clone());
                self.redrive.push_back(Redrive::new(tenant, Reason::Halted));
            }
        }
        Ok(())
    }
}

/// Returns the answer; empty while the database is unavailable.
fn unless_unavailable<T: Default>(answer: Result<T, StoreError>) -> Result<T, TaskExit> {
    match answer {
        Err(StoreError::Unavailable(_)) => Ok(T::default()),
        answer => Ok(answer?),
    }
}
