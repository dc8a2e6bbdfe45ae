//! The second half of a batch: fires timers, folds, re-evaluates and flushes.

use std::time::{Duration, Instant};

use tidemark_projections::state::Folded;
use tidemark_schemas::TenantId;

use super::{CHECKPOINT_EVERY, CLOCK_WRITTEN_EVERY, Item, REEVALUATED_PER_BATCH, Redriven, Work};
use crate::engine::context::TaskExit;
use crate::engine::folder::{BatchEnd, NotFolded};
use crate::engine::halts::Passed;
use crate::engine::park::Park;
use crate::engine::task::PartitionTask;
use crate::parking::Reason;
use crate::record::Record;
use crate::store::{Batch, HaltRow, Outcome, SettledRequest};

/// What became of an event.
enum Tried {
    Folded,
    /// Folded before.
    Known,
    /// Cannot be folded.
    Parked(Park),
}

/// The tenant a record is keyed by, for what could not be read.
fn keyed(record: &Record) -> Option<TenantId> {
    let key = std::str::from_utf8(record.key.as_deref()?).ok()?;
    TenantId::new(key.split_once('/')?.0).ok()
}

impl PartitionTask {
    /// Fires and folds, and ends the batch; `None` when there is nothing to write.
    pub(super) async fn fold(&mut self, work: Work) -> Result<Option<Batch>, TaskExit> {
        for redriven in &work.redriven {
            self.fold_parked(redriven)?;
        }
        let mut fired = 0;
        for item in &work.items {
            fired += self
                .folder
                .advance_clock(item.appended_at, work.timers_at_most());
            self.fold_item(item)?;
        }
        if let Some(clock) = work.clock {
            fired += self.folder.advance_clock(clock, work.timers_at_most());
        }
        self.shared.metrics.timers_fired.inc_by(fired as u64);
        self.reevaluate().await?;
        self.report();

        let clock_moved = self.folder.clock().micros() - self.sent_clock.micros();
        let moved = work.next_offset > self.folder.next_offset();
        if !moved && self.folder.pending().is_empty() && clock_moved < CLOCK_WRITTEN_EVERY {
            return Ok(None);
        }
        let checkpoint = moved && work.next_offset % CHECKPOINT_EVERY == 0;
        let end = BatchEnd {
            next_offset: work.next_offset,
            log_end: self.log_end,
            checkpoint,
        };
        Ok(Some(self.folder.flush(end)))
    }

    fn fold_item(&mut self, item: &Item) -> Result<(), TaskExit> {
        self.shared.metrics.records.inc();
        let tried = self.try_fold(item)?;
        self.note_share(item, &tried);
        if let Tried::Parked(park) = tried {
            if park.reason == Reason::Misrouted {
                self.warn_of_misrouted(&park, item.record.offset);
            }
            self.shared
                .metrics
                .parked
                .with_label_values(&[park.reason.as_str()])
                .inc();
            self.folder
                .pending_mut()
                .park(park.row(&item.record, item.appended_at));
        }
        Ok(())
    }

    /// Names the producer's partitioner, but not for each of its events.
    fn warn_of_misrouted(&mut self, park: &Park, offset: i64) {
        const EVERY: Duration = Duration::from_secs(10);
        if self
            .warned_of_misrouted
            .is_none_or(|at| at.elapsed() >= EVERY)
        {
            self.warned_of_misrouted = Some(Instant::now());
            let (partition, detail) = (self.partition, park.detail.as_str());
            tracing::warn!(
                partition,
                offset,
                detail,
                "misrouted events are being parked"
            );
        }
    }

    fn fold_parked(&mut self, redriven: &Redriven) -> Result<(), TaskExit> {
        let Redriven {
            before,
            item,
            request,
        } = redriven;
        let (outcome, reason, detail) = match self.try_fold(item)? {
            tried @ (Tried::Folded | Tried::Known) => {
                self.shared.metrics.redriven.inc();
                self.folder.pending_mut().unpark(before);
                let folded = matches!(tried, Tried::Folded);
                let outcome = if folded {
                    Outcome::Folded
                } else {
                    Outcome::Known
                };
                (outcome, before.reason, None)
            }
            Tried::Parked(park) => {
                let now = park.row(&item.record, item.appended_at);
                let (reason, detail) = (now.reason, now.detail.clone());
                if reason != before.reason {
                    self.folder.pending_mut().repark(before, now);
                }
                (Outcome::Parked, reason, Some(detail))
            }
        };
        if let Some(request) = *request {
            self.folder.pending_mut().rows.settled.push(SettledRequest {
                request,
                offset: before.offset,
                outcome,
                reason: Some(reason),
                detail,
            });
        }
        Ok(())
    }

    /// Folds an event; what cannot be folded comes back as a decision to park.
    fn try_fold(&mut self, item: &Item) -> Result<Tried, TaskExit> {
        let event = match &item.classification {
            Ok(event) => event,
            Err(park) => return Ok(Tried::Parked(park.clone())),
        };
        if self.halts.is_halted(&event.tenant_id) {
            return Ok(Tried::Parked(Park::halted(event)));
        }
        match self.folder.fold(event) {
            Ok(Folded::New) => {
                self.shared.metrics.folded.inc();
                Ok(Tried::Folded)
            }
            Ok(Folded::Duplicate) => {
                self.shared.metrics.duplicates.inc();
                Ok(Tried::Known)
            }
            Err(NotFolded::Late(late)) => Ok(Tried::Parked(Park::late(event, &late))),
            Err(NotFolded::UnknownTenant) => {
                let detail = format!("tenant {} is not defined", event.tenant_id);
                let park = Park::event(event, Reason::UnknownTenant, detail);
                Ok(Tried::Parked(park))
            }
            Err(NotFolded::Panicked(message)) => {
                let (partition, offset) = (self.partition, item.record.offset);
                tracing::error!(partition, offset, message, "folding an event panicked");
                Err(TaskExit::Poisoned(offset))
            }
        }
    }

    /// Counts a record for or against its tenant, and halts the tenant if that is too many parked.
    fn note_share(&mut self, item: &Item, tried: &Tried) {
        let keyed = match tried {
            Tried::Parked(park) if park.reason.counts_towards_halt() => keyed(&item.record),
            _ => None,
        };
        let (tenant, parked) = match (tried, &item.classification) {
            (Tried::Parked(park), _) if park.reason.counts_towards_halt() => {
                (park.tenant.as_ref().or(keyed.as_ref()), true)
            }
            (Tried::Folded | Tried::Known, Ok(event)) => (Some(&event.tenant_id), false),
            _ => return,
        };
        let Some(tenant) = tenant.filter(|tenant| self.folder.tenant(tenant).is_some()) else {
            return;
        };
        let Some(Passed { parked, records }) = self.halts.note(tenant, parked) else {
            return;
        };
        let (partition, offset) = (self.partition, item.record.offset);
        tracing::error!(
            partition, offset, %tenant, parked, records,
            "too many of the tenant's records are parked: it is halted here, and its events wait \
             until it is resumed"
        );
        self.folder.pending_mut().rows.halts.halted.push(HaltRow {
            tenant: tenant.clone(),
            offset,
            parked: i32::try_from(parked).unwrap_or(i32::MAX),
            records: i32::try_from(records).unwrap_or(i32::MAX),
        });
    }

    /// Re-evaluates the next customers of a tenant with new definitions.
    async fn reevaluate(&mut self) -> Result<(), TaskExit> {
        let Some(next) = self.folder.next_reevaluation() else {
            return Ok(());
        };
        let (tenant, after) = (next.tenant.clone(), next.cursor.clone());
        let (partition, after, limit) = (self.partition, after.as_deref(), REEVALUATED_PER_BATCH);
        let rows = loop {
            let store = &self.shared.store;
            match store
                .load_tenant_customers(partition, &tenant, after, limit)
                .await
            {
                Ok(rows) => break rows,
                Err(error) => self.wait_out(error).await?,
            }
        };
        let evaluated = self.folder.reevaluate(&tenant, rows)?;
        self.shared.metrics.reevaluated.inc_by(evaluated);
        Ok(())
    }

    fn report(&self) {
        let partition = self.partition.to_string();
        let metrics = &self.shared.metrics;
        let behind = (self.log_end - self.folder.next_offset()).max(0);
        metrics.lag.with_label_values(&[&partition]).set(behind);
        let halted = i64::try_from(self.halts.len()).unwrap_or(i64::MAX);
        metrics
            .tenants_halted
            .with_label_values(&[&partition])
            .set(halted);
        let seconds = self.folder.clock().micros() / 1_000_000;
        metrics.clock.with_label_values(&[&partition]).set(seconds);
    }
}
