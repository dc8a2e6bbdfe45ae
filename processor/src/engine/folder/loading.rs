//! The customers in memory: read before a batch folds them, evicted once their rows are written.

use std::collections::HashSet;

use tidemark_projections::customer::{Customer, Encoded};
use tidemark_projections::digest::state_hash;
use tidemark_schemas::CustomerKey;

use super::Folder;
use crate::engine::cache::Entry;
use crate::store::CustomerRow;

impl Folder {
    /// Evicts customers while the budget is exceeded, those first that were loaded for their timers alone;
    /// `committed` is the last batch that landed.
    pub(crate) fn evict(&mut self, committed: u64) {
        while let Some((_, customer)) = self.passing.pop_front_if(|(batch, _)| *batch <= committed)
        {
            self.cache.demote(&customer, committed);
        }
        self.cache.evict(committed, 0);
    }

    /// Notes customers that are in memory for the timers of the batch under construction alone.
    pub(crate) fn let_pass(&mut self, customers: impl IntoIterator<Item = CustomerKey>) {
        let customers = customers.into_iter();
        self.passing
            .extend(customers.map(|customer| (self.batch, customer)));
    }

    /// Estimates the memory that so many more customers take, in bytes.
    pub(crate) fn estimate(&self, customers: usize) -> usize {
        self.cache.estimate(customers)
    }

    /// Returns the customers that are not in memory, sorted, and makes room for them.
    pub(crate) fn missing(
        &mut self,
        mut customers: Vec<CustomerKey>,
        committed: u64,
    ) -> Vec<CustomerKey> {
        customers.sort_unstable();
        customers.dedup();
        let mut found = 0;
        for customer in &customers {
            // The newest are the last to make room.
            found += usize::from(self.cache.promote(customer));
        }
        let room = self.cache.estimate(customers.len() - found);
        self.cache.evict(committed, room);
        customers.retain(|customer| !self.cache.contains(customer));
        customers
    }

    /// Returns those of the customers due that are neither in memory nor among others.
    pub(crate) fn absent(&self, due: &[CustomerKey], others: &[CustomerKey]) -> Vec<CustomerKey> {
        let absent = due.iter().filter(|customer| !self.cache.contains(customer));
        let mut absent: Vec<_> = absent.cloned().collect();
        if !absent.is_empty() {
            let others: HashSet<&CustomerKey> = others.iter().collect();
            absent.retain(|customer| !others.contains(customer));
        }
        absent
    }

    /// Adds the rows of the customers requested; those without a row are new.
    pub(crate) fn install(&mut self, asked: Vec<CustomerKey>, rows: Vec<CustomerRow>) {
        for row in rows {
            self.install_row(row);
        }
        for customer in asked {
            if !self.cache.contains(&customer) {
                let version = self
                    .lane
                    .definitions
                    .tenant(&customer.tenant)
                    .map_or(-1, |t| t.version);
                self.cache
                    .insert(customer, Entry::new(Customer::new(version)));
            }
        }
    }

    pub(super) fn install_row(&mut self, row: CustomerRow) {
        let stored = Encoded {
            state: &row.state[..],
            tracked: &row.tracked,
            evaluated: &row.evaluated,
        };
        let customer = match Customer::decode(&row.key.customer, stored) {
            Ok(customer) => customer,
            Err(error) => {
                self.fail(&row.key, format!("its row is damaged: {error}"));
                self.cache.insert(row.key, Entry::new(Customer::new(-1)));
                return;
            }
        };
        let mut entry = Entry::new(customer);
        entry.flushed_hash = Some(state_hash(&row.key.tenant, &row.key.customer, &row.state));
        // The timer's row is not read: it was written for this very evaluation or is earlier.
        entry.timer = match self.lane.definitions.tenant(&row.key.tenant) {
            Some(definitions) if !entry.customer.evaluated().is_behind(definitions) => {
                entry.customer.next_due(definitions)
            }
            // Evaluated with older definitions, or by an older version: re-evaluated as soon as it is touched.
            Some(_) | None => None,
        };
        self.cache.insert(row.key, entry);
    }
}
