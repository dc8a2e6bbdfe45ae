//! Careful batches: after Postgres has refused a row of a batch, batches in which no more than one customer
//! has a part, until the one that is at fault is known.

use super::failed_customer::FailedCustomer;
use crate::store::{Batch, RefusedRows};

/// The number of batches that are committed carefully after a claim; 0: none. Records and other work take turns,
/// so that neither waits for the end of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Careful {
    batches: usize,
    /// Whether the next turn is for records.
    is_for_records: bool,
}

impl Careful {
    /// Returns the careful batches after one with several customers, of which Postgres refused a row: as many as
    /// the refused batch would make, and as many without records.
    fn after(batch: &Batch) -> Self {
        let offsets = batch.new_next_offset - batch.old_next_offset;
        let records = usize::try_from(offsets).unwrap_or(0);
        let customers = batch.rows.customer_keys().len();
        Self {
            batches: 2 * (records + customers + 1),
            is_for_records: true,
        }
    }

    /// Returns whether the batch under construction may hold no more than one customer.
    pub(super) const fn is_on(self) -> bool {
        self.batches > 0
    }

    /// Returns whether this turn is for records, if there is other work as well.
    pub(super) const fn take_turn(&mut self) -> bool {
        let is_for_records = self.is_for_records;
        self.is_for_records = !is_for_records;
        is_for_records
    }

    /// Notes that a batch has landed.
    pub(super) const fn landed(&mut self) {
        self.batches = self.batches.saturating_sub(1);
    }

    /// Returns the cause of rows that Postgres refused: a customer, if no other has a part in the batch. Rows that
    /// belong to no customer are no customer's fault.
    pub(super) fn blame(self, batch: &Batch, refused: RefusedRows) -> Cause {
        let mut customers = batch.rows.customer_keys().into_iter();
        let is_of_customers = ROWS_OF_CUSTOMERS.contains(&refused.kind);
        match (customers.next(), customers.next()) {
            (Some(only), None) if is_of_customers => Cause::Customer(FailedCustomer {
                key: only.clone(),
                detail: refused.to_string(),
            }),
            (Some(_), Some(_)) if is_of_customers && !self.is_on() => {
                tracing::warn!(
                    partition = batch.partition, %refused,
                    "claiming again to find the customer, one by one"
                );
                Cause::OneOf(Self::after(batch))
            }
            _ => Cause::NoCustomer(refused),
        }
    }
}

/// The cause of rows that Postgres refused.
pub(super) enum Cause {
    Customer(FailedCustomer),
    /// One of several customers, which these batches find.
    OneOf(Careful),
    NoCustomer(RefusedRows),
}

/// The kinds of row that customers cause, alone or together with others.
const ROWS_OF_CUSTOMERS: [&str; 9] = [
    "customers",
    "large",
    "memberships",
    "positions",
    "timers",
    "changes",
    "counts",
    "rollups",
    "commit",
];
