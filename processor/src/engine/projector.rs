//! The projector of a partition: its folder with the database behind it. Loads what a batch needs, and
//! commits what the batch writes.

use std::sync::Arc;

use tidemark_projections::definitions::Definitions;
use tidemark_schemas::{CustomerKey, Instant, TenantId};

use super::commit::{Commits, Outgoing};
use super::context::{Context, TaskExit};
use super::failed_customer::FailedCustomer;
use super::folder::{BatchEnd, Folder};
use super::pace::Load;
use super::retry::Retry;
use super::timers::WINDOW;
use crate::error::ProcessorError;
use crate::memory::MemoryReservation;
use crate::parking::Reason;
use crate::store::{CustomerRow, StoreError, TenantPage};

/// See the module.
#[derive(Debug)]
pub(super) struct Projector {
    pub(super) folder: Folder,
    pub(super) commits: Commits,
    shared: Arc<Context>,
    partition: i32,
    retry: Retry,
}

impl Projector {
    pub(super) fn new(
        shared: Arc<Context>,
        partition: i32,
        folder: Folder,
        commits: Commits,
        retry: Retry,
    ) -> Self {
        Self {
            folder,
            commits,
            shared,
            partition,
            retry,
        }
    }

    /// Ends the batch under construction and sends it off, after the one before it has landed.
    pub(super) async fn flush(&mut self, end: BatchEnd, load: Load) -> Result<(), TaskExit> {
        let number = self.folder.batch_number();
        let batch = self.folder.flush(end);
        self.check_failed()?;
        self.settle().await?;
        self.commits.send(Outgoing {
            number,
            batch,
            load,
        });
        Ok(())
    }

    /// Returns an error where a customer could not be processed: it is quarantined from the last commit on.
    pub(super) fn check_failed(&mut self) -> Result<(), TaskExit> {
        match self.folder.take_failed() {
            None => Ok(()),
            Some(failed) => Err(TaskExit::Failing(failed)),
        }
    }

    /// Returns the exit of the task: that of the process, where a customer more would be quarantined than may be.
    pub(super) fn bound(&self, exit: TaskExit) -> TaskExit {
        match exit {
            TaskExit::Failing(failed) if self.folder.deferrals().are_too_many(&failed.key) => {
                TaskExit::Failed(ProcessorError::CustomersFail {
                    partition: self.partition,
                    customer: failed.key.record_key(),
                    detail: failed.detail,
                })
            }
            exit => exit,
        }
    }

    /// Waits for the commit under way, if there is one.
    pub(super) async fn settle(&mut self) -> Result<(), TaskExit> {
        if self.commits.is_idle() {
            return Ok(());
        }
        self.landed().await
    }

    /// Waits until the commit under way has landed; for ever if there is none. Nothing is lost when
    /// the future is dropped.
    pub(super) async fn landed(&mut self) -> Result<(), TaskExit> {
        self.commits.finished().await?;
        self.folder.evict(self.commits.landed());
        let used = i64::try_from(self.shared.budget.used()).unwrap_or(i64::MAX);
        self.shared.metrics.memory_bytes.set(used);
        Ok(())
    }

    /// Puts definitions in force. Returns the parked events to retry, by tenant and reason.
    pub(super) async fn activate(
        &mut self,
        definitions: Definitions,
    ) -> Result<Vec<(TenantId, Reason)>, TaskExit> {
        // Customers written under the old definitions must be in the tables before the re-evaluation
        // reads them.
        self.settle().await?;
        Ok(self.folder.activate(definitions))
    }

    /// Loads the next timers due by `clock` if none of them is in memory: of a million timers due at one
    /// midnight the rest stays in the database.
    async fn load_timers(&mut self, clock: Instant) -> Result<(), TaskExit> {
        let timers = self.folder.timers();
        if timers.first_due(clock).is_some() || !timers.needs_load(clock) {
            return Ok(());
        }
        // Rows of the commit in flight would be missed.
        self.settle().await?;
        let (partition, window) = (self.partition, i64::try_from(WINDOW).unwrap_or(i64::MAX));
        let horizon = self.folder.timers().horizon().cloned();
        let store = &self.shared.store;
        let load = || store.load_timers(partition, horizon.as_ref(), window);
        let rows = self.retry.until_available(load).await?;
        self.folder.install_timers(rows);
        Ok(())
    }

    /// Loads every customer among these, and those whose timers fire next, once the clock stands at
    /// `clock`: at most so many.
    pub(super) async fn load(
        &mut self,
        mut customers: Vec<CustomerKey>,
        clock: Instant,
        timers: usize,
    ) -> Result<(), TaskExit> {
        self.load_timers(clock).await?;
        let folder = &self.folder;
        customers.retain(|customer| folder.folds(customer) && !folder.erases(&customer.tenant));
        let due = self.folder.timers().due(clock, timers);
        let passing = self.folder.absent(&due, &customers);
        customers.extend(due);
        let requested = customers.len();
        let missing = self.folder.missing(customers, self.commits.landed());
        let metrics = &self.shared.metrics;
        let hits = requested - missing.len();
        metrics.cache_hits.inc_by(hits as u64);
        if missing.is_empty() {
            return Ok(());
        }
        metrics.cache_misses.inc_by(missing.len() as u64);
        // Read rows take as much memory as the customers decoded from them.
        let bytes = self.folder.estimate(missing.len());
        let _read = MemoryReservation::new(&self.shared.budget, bytes);
        let rows = self.read(&missing).await?;
        self.folder.install(missing, rows);
        self.folder.let_pass(passing);
        Ok(())
    }

    /// Reads the rows of customers; one by one, where one among them cannot be read.
    async fn read(&self, keys: &[CustomerKey]) -> Result<Vec<CustomerRow>, TaskExit> {
        let store = &self.shared.store;
        let all = self.retry.until_available(|| store.load_customers(keys));
        match all.await {
            Err(exit) if unreadable_row(&exit).is_some() => {}
            read => return read,
        }
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let one = std::slice::from_ref(key);
            let read = self.retry.until_available(|| store.load_customers(one));
            rows.extend(read.await.map_err(|exit| match unreadable_row(&exit) {
                None => exit,
                Some(error) => TaskExit::Failing(FailedCustomer {
                    key: key.clone(),
                    detail: format!("its row cannot be read: {error}"),
                }),
            })?);
        }
        Ok(rows)
    }

    /// Reads the next customers of a tenant; of one that is quarantined perhaps no row. Returns the last key too.
    async fn read_page(
        &self,
        page: &TenantPage<'_>,
    ) -> Result<(Option<CustomerKey>, Vec<CustomerRow>), TaskExit> {
        let store = &self.shared.store;
        let TenantPage {
            partition,
            tenant,
            after,
            limit,
        } = *page;
        let load = || store.load_tenant_customers(partition, tenant, after, limit);
        match self.retry.until_available(load).await {
            Err(exit) if unreadable_row(&exit).is_some() => {}
            rows => {
                let rows = rows?;
                return Ok((rows.last().map(|row| row.key.clone()), rows));
            }
        }
        let load = || store.load_tenant_customer_keys(page);
        let mut keys = self.retry.until_available(load).await?;
        let last = keys.last().cloned();
        keys.retain(|key| self.folder.folds(key));
        Ok((last, self.read(&keys).await?))
    }

    /// Puts a version of the definitions in force, or loads the one in force, though there are newer ones.
    pub(super) async fn load_definitions(
        &mut self,
        version: i64,
    ) -> Result<Vec<(TenantId, Reason)>, TaskExit> {
        let database = self.shared.store.database();
        let load = || database.load_definitions_of(version);
        let definitions = self.retry.until_available(load).await?;
        self.activate(definitions).await
    }

    /// Erases the next rows of an offboarded tenant.
    ///
    /// Rows that the commit in flight erases are found as well: erasing them again has no effect.
    pub(super) async fn erase(&mut self) -> Result<(), TaskExit> {
        let Some(tenant) = self.folder.next_erasure().cloned() else {
            return Ok(());
        };
        let (store, partition) = (&self.shared.store, self.partition);
        let load = || store.unerased(partition, &tenant);
        if let Some(left) = self.retry.until_available(load).await? {
            self.folder.erase(&tenant, left);
        }
        Ok(())
    }

    /// Re-evaluates the next customers of a tenant with new definitions, at most so many.
    pub(super) async fn reevaluate(&mut self, most: usize) -> Result<(), TaskExit> {
        let Some(next) = self.folder.next_reevaluation() else {
            return Ok(());
        };
        let is_careful = self.commits.is_careful();
        if is_careful && self.folder.has_customers() {
            return Ok(());
        }
        let most = if is_careful { 1 } else { most };
        let (tenant, after) = (next.tenant.clone(), next.cursor.clone());
        let page = TenantPage {
            partition: self.partition,
            tenant: &tenant,
            after: after.as_deref(),
            limit: i64::try_from(most).unwrap_or(i64::MAX),
        };
        let (last, rows) = self.read_page(&page).await?;
        let evaluated = self.folder.reevaluate(&tenant, last, rows);
        self.shared.metrics.reevaluated.inc_by(evaluated);
        Ok(())
    }
}

/// Returns the error of an exit that may be one of a single row.
fn unreadable_row(exit: &TaskExit) -> Option<&StoreError> {
    match exit {
        TaskExit::Failed(ProcessorError::Store(error)) => Some(error),
        _ => None,
    }
    .filter(|error| error.concerns_rows())
}
