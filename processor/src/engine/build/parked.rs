//! Parked events that come back: by themselves, or because an operator asked.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tidemark_schemas::codec::Decoder;
use uuid::Uuid;

use super::Redriven;
use crate::engine::redrive::Redrive;
use crate::engine::task::{Ended, PartitionTask};
use crate::parking::Reason;
use crate::record::Record;
use crate::store::{Action, OperatorCommand, Outcome, ParkedRow, SettledRequest, StoreError};

/// Parked events tried again in one batch at most.
const REDRIVEN_PER_BATCH: i64 = 500;
/// How often to look for what operators want.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl PartitionTask {
    /// Reads back events that wait for nothing any more: their tenant is defined, or resumed, or some
    /// that came late are accepted; none once all such events were.
    pub(super) async fn take_parked(&mut self) -> Result<Vec<Redriven>, Ended> {
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

    async fn load_parked(&self, redrive: &Redrive) -> Result<Vec<ParkedRow>, Ended> {
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

    /// Whether to ask what operators want: once a second.
    pub(super) fn is_time_to_look(&mut self) -> bool {
        let due = self
            .looked_for_wishes
            .is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if due {
            self.looked_for_wishes = Some(Instant::now());
        }
        due
    }

    /// What operators want: events to be tried again come back, the rest is done here.
    pub(super) async fn take_wishes(&mut self) -> Result<Vec<Redriven>, Ended> {
        if self.load_commands().await?.is_empty() {
            return Ok(Vec::new());
        }
        // What the commit under way parks, folds or settles must be seen as it will be.
        self.settle().await?;
        let wishes = self.load_commands().await?;
        if i64::try_from(wishes.len()).is_ok_and(|found| found >= REDRIVEN_PER_BATCH) {
            self.looked_for_wishes = None;
        }
        self.ask_anew(&wishes).await;
        let mut redriven = Vec::new();
        for wish in wishes {
            redriven.extend(self.grant(wish).await?);
        }
        Ok(redriven)
    }

    /// None while the database is away: then there is nothing to hear, and folding need not wait.
    async fn load_commands(&self) -> Result<Vec<OperatorCommand>, Ended> {
        let (store, topic) = (&self.shared.store, &self.shared.topic);
        let wishes = store
            .load_commands(topic, self.partition, REDRIVEN_PER_BATCH)
            .await;
        heard(wishes)
    }

    /// Forgets the schemas of what could not be read: the registry may have been wrong, and a wish
    /// to try again is a wish to ask again.
    async fn ask_anew(&self, wishes: &[OperatorCommand]) {
        let unread = [
            Reason::Undecodable,
            Reason::UnknownSchema,
            Reason::Incompatible,
        ];
        let ids: BTreeSet<u32> = wishes
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

    /// Does what is asked for one event; an event to be tried again is handed back.
    async fn grant(&mut self, command: OperatorCommand) -> Result<Option<Redriven>, Ended> {
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

    async fn again(&self, before: ParkedRow, request: Option<Uuid>) -> Result<Redriven, Ended> {
        let record = Record {
            offset: before.offset,
            appended_at: Some(before.appended_at),
            key: before.key.clone(),
            value: before.value.clone(),
            headers: before.headers.clone(),
        };
        let item = self.judge(record, before.appended_at).await?;
        Ok(Redriven {
            before,
            item,
            request,
        })
    }

    /// Folds tenants again of whom somebody asked for it, from the next batch on: first what was
    /// parked of them, then what is new.
    pub(super) async fn resume_tenants(&mut self) -> Result<(), Ended> {
        if self.halts.is_empty() {
            return Ok(());
        }
        let halts = heard(self.shared.store.load_halts(self.partition).await)?;
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

/// What was heard from operators; nothing while the database is away.
fn heard<T: Default>(answer: Result<T, StoreError>) -> Result<T, Ended> {
    match answer {
        Err(StoreError::Unavailable(_)) => Ok(T::default()),
        answer => Ok(answer?),
    }
}
