//! The second half of a batch: fire, fold, evaluate anew, flush.

use std::time::{Duration, Instant};

use tidemark_projections::state::Folded;

use super::{CHECKPOINT_EVERY, CLOCK_WRITTEN_EVERY, Item, REEVALUATED_PER_BATCH, Work};
use crate::engine::folder::{BatchEnd, NotFolded};
use crate::engine::task::{Ended, PartitionTask};
use crate::parking::{Park, Reason};
use crate::store::{Batch, ParkedRow};

impl PartitionTask {
    /// Fires and folds, and ends the batch; `None` when there is nothing to write.
    pub(super) async fn fold(&mut self, work: Work) -> Result<Option<Batch>, Ended> {
        for (row, item) in &work.redriven {
            self.fold_parked(row, item)?;
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

    fn fold_item(&mut self, item: &Item) -> Result<(), Ended> {
        self.shared.metrics.records.inc();
        if let Some(park) = self.try_fold(item)? {
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

    fn fold_parked(&mut self, before: &ParkedRow, item: &Item) -> Result<(), Ended> {
        match self.try_fold(item)? {
            None => {
                self.shared.metrics.redriven.inc();
                self.folder.pending_mut().unpark(before);
            }
            // As it was.
            Some(park) if park.reason.as_str() == before.reason => {}
            Some(park) => {
                let now = park.row(&item.record, item.appended_at);
                self.folder.pending_mut().repark(before, now);
            }
        }
        Ok(())
    }

    /// Folds an event; what cannot be folded comes back as a decision to park.
    fn try_fold(&mut self, item: &Item) -> Result<Option<Park>, Ended> {
        let event = match &item.verdict {
            Ok(event) => event,
            Err(park) => return Ok(Some(park.clone())),
        };
        match self.folder.fold(event) {
            Ok(Folded::New) => self.shared.metrics.folded.inc(),
            Ok(Folded::Duplicate) => self.shared.metrics.duplicates.inc(),
            Err(NotFolded::Late(late)) => return Ok(Some(Park::late(event, &late))),
            Err(NotFolded::UnknownTenant) => {
                let detail = format!("tenant {} is not defined", event.tenant_id);
                return Ok(Some(Park::event(event, Reason::UnknownTenant, detail)));
            }
            Err(NotFolded::Panicked(message)) => {
                let (partition, offset) = (self.partition, item.record.offset);
                tracing::error!(partition, offset, message, "folding an event panicked");
                return Err(Ended::Poisoned(offset));
            }
        }
        Ok(None)
    }

    /// Evaluates the next customers of a tenant whose definitions changed.
    async fn reevaluate(&mut self) -> Result<(), Ended> {
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
        let seconds = self.folder.clock().micros() / 1_000_000;
        metrics.clock.with_label_values(&[&partition]).set(seconds);
    }
}
