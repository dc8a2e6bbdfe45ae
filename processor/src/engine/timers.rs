//! Due times of one partition: those of the next while in memory, all of them in the database.

use std::collections::BTreeSet;

use tidemark_schemas::{CustomerKey, Instant};

/// A due time and its customer; timers fire in this order.
pub(crate) type Due = (Instant, CustomerKey);

/// The number of timers read from the database at once; at most twice as many stay in memory. Small in
/// tests, so that they meet the edge of the window often.
pub(crate) const WINDOW: usize = if cfg!(test) { 4 } else { 10_000 };

/// Mirrors the first rows of the partition's timer table in order of due time.
#[derive(Debug)]
pub(crate) struct Timers {
    due: BTreeSet<Due>,
    /// The table's rows up to and including this one are in memory; `None`: all rows are.
    horizon: Option<Due>,
}

impl Timers {
    /// Returns the timers of a partition just claimed, with the first rows of its table, at most [`WINDOW`].
    pub(crate) fn new(rows: Vec<Due>) -> Self {
        let mut timers = Self {
            due: BTreeSet::new(),
            horizon: None,
        };
        timers.install(rows);
        timers
    }

    /// Returns whether timers due at or before `clock` may be missing from memory.
    pub(crate) fn needs_load(&self, clock: Instant) -> bool {
        self.horizon
            .as_ref()
            .is_some_and(|(horizon, _)| *horizon <= clock)
    }

    /// Returns the start of the next window.
    pub(crate) fn horizon(&self) -> Option<&Due> {
        self.horizon.as_ref()
    }

    /// Takes in the rows after [`Timers::horizon`], at most [`WINDOW`] of them, as read after
    /// every batch of this task was committed.
    pub(crate) fn install(&mut self, rows: Vec<Due>) {
        self.horizon = (rows.len() >= WINDOW)
            .then(|| rows.last().cloned())
            .flatten();
        self.due.extend(rows);
    }

    /// Adds a row that must exist; returns `false` where it is known to exist.
    pub(crate) fn insert(&mut self, row: Due) -> bool {
        let beyond = self.horizon.as_ref().is_some_and(|horizon| row > *horizon);
        if beyond {
            return true;
        }
        let new = self.due.insert(row);
        self.shrink();
        new
    }

    /// Removes a row that is not written after all.
    pub(crate) fn remove(&mut self, row: &Due) {
        self.due.remove(row);
    }

    /// Removes and returns the first timer due at or before `clock`; the caller deletes its row.
    pub(crate) fn pop(&mut self, clock: Instant) -> Option<Due> {
        let (due, _) = self.due.first()?;
        if *due > clock {
            return None;
        }
        self.due.pop_first()
    }

    /// Returns the customers due at or before `clock`, at most `limit` of them, in order.
    pub(crate) fn due(&self, clock: Instant, limit: usize) -> Vec<CustomerKey> {
        self.due
            .iter()
            .take_while(|(due, _)| *due <= clock)
            .take(limit)
            .map(|(_, customer)| customer.clone())
            .collect()
    }

    /// Returns the due time of the `n`th timer (from 0), if that many are in memory.
    pub(crate) fn nth_due(&self, n: usize) -> Option<Instant> {
        self.due.iter().nth(n).map(|(due, _)| *due)
    }

    fn shrink(&mut self) {
        if self.due.len() <= 2 * WINDOW {
            return;
        }
        while self.due.len() > WINDOW {
            self.due.pop_last();
        }
        self.horizon = self.due.last().cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_schemas::{CustomerId, TenantId};

    fn key(n: usize) -> CustomerKey {
        CustomerKey {
            tenant: TenantId::new("acme").expect("an id"),
            customer: CustomerId::new(format!("{n:06}")).expect("an id"),
        }
    }

    fn at(second: i64) -> Instant {
        Instant::from_millis_clamped(second * 1_000)
    }

    #[test]
    fn fires_in_order_of_due_time_and_once() {
        let mut timers = Timers::new(vec![(at(1), key(1)), (at(2), key(2))]);
        timers.insert((at(1), key(3)));
        timers.insert((at(5), key(2)));
        timers.remove(&(at(2), key(2)));
        assert_eq!(timers.due(at(4), 10), vec![key(1), key(3)]);
        assert_eq!(timers.pop(at(4)), Some((at(1), key(1))));
        assert_eq!(timers.pop(at(4)), Some((at(1), key(3))));
        assert_eq!(timers.pop(at(4)), None);
        assert_eq!(timers.pop(at(5)), Some((at(5), key(2))));
        assert_eq!(timers.pop(at(9)), None);
    }

    #[test]
    fn a_full_window_leaves_the_rest_in_the_database() {
        let window: Vec<Due> = (0..WINDOW).map(|n| (at(1), key(n))).collect();
        let mut timers = Timers::new(window.clone());
        assert!(timers.needs_load(at(1)) && !timers.needs_load(at(0)));
        assert_eq!(timers.horizon(), window.last());
        timers.insert((at(2), key(999_999)));
        assert_eq!(
            timers.due(at(9), usize::MAX).len(),
            WINDOW,
            "beyond the horizon"
        );
        timers.install(vec![(at(2), key(999_999))]);
        assert!(!timers.needs_load(at(9)));
        assert_eq!(timers.due(at(9), usize::MAX).len(), WINDOW + 1);
    }

    #[test]
    fn memory_keeps_only_the_next_ones() {
        let mut timers = Timers::new(Vec::new());
        for n in 0..=2 * WINDOW {
            timers.insert((at(i64::try_from(n).expect("small")), key(n)));
        }
        assert!(timers.due(at(i64::MAX / 2_000_000), usize::MAX).len() <= WINDOW);
        assert!(timers.needs_load(at(i64::try_from(WINDOW).expect("small"))));
    }
}
