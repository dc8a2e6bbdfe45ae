//! Due times of one partition: those of the next while in memory, all of them in the database.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_schemas::{CustomerKey, Instant};

/// A due time and its customer; timers fire in this order.
pub(crate) type Due = (Instant, CustomerKey);

/// The number of timers read from the database at once; at most twice as many stay in memory. Small in
/// tests, so that they meet the edge of the window often.
pub(crate) const WINDOW: usize = if cfg!(test) { 4 } else { 10_000 };

/// Mirrors the first rows of the partition's timer table in order of due time. A customer has at most one.
#[derive(Debug)]
pub(crate) struct Timers {
    due: BTreeSet<Due>,
    by_customer: BTreeMap<CustomerKey, Instant>,
    loaded: Loaded,
}

/// The rows of the table that are in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Loaded {
    /// No row is.
    Nothing,
    /// The rows up to and including this one are.
    UpTo(Due),
    /// Every row is.
    Everything,
}

impl Timers {
    /// Returns timers of which none is read yet.
    pub(crate) const fn unread() -> Self {
        Self {
            due: BTreeSet::new(),
            by_customer: BTreeMap::new(),
            loaded: Loaded::Nothing,
        }
    }

    /// Returns whether timers due at or before `clock` may be missing from memory.
    pub(crate) fn needs_load(&self, clock: Instant) -> bool {
        match &self.loaded {
            Loaded::Nothing => true,
            Loaded::UpTo((horizon, _)) => *horizon <= clock,
            Loaded::Everything => false,
        }
    }

    /// Returns the row after which the next window begins; `None`: it begins with the first.
    pub(crate) const fn horizon(&self) -> Option<&Due> {
        match &self.loaded {
            Loaded::UpTo(horizon) => Some(horizon),
            Loaded::Nothing | Loaded::Everything => None,
        }
    }

    /// Takes in the rows after [`Timers::horizon`], at most [`WINDOW`] of them, as read after
    /// every batch of this task was committed; of those only the ones to keep.
    pub(crate) fn install(&mut self, rows: Vec<Due>, keep: impl Fn(&CustomerKey) -> bool) {
        self.loaded = match rows.last() {
            Some(last) if rows.len() >= WINDOW => Loaded::UpTo(last.clone()),
            _ => Loaded::Everything,
        };
        for (due, customer) in rows.into_iter().filter(|(_, customer)| keep(customer)) {
            self.by_customer.insert(customer.clone(), due);
            self.due.insert((due, customer));
        }
    }

    /// Removes the timers of customers that are not folded here any more; their rows stay.
    pub(crate) fn release(&mut self, is_gone: impl Fn(&CustomerKey) -> bool) {
        self.due.retain(|(_, customer)| !is_gone(customer));
        self.by_customer.retain(|customer, _| !is_gone(customer));
    }

    /// Moves the timer of a customer, or removes it; returns `false` where its row is known to say so.
    pub(crate) fn set(&mut self, customer: &CustomerKey, due: Option<Instant>) -> bool {
        let before = self.by_customer.get(customer).copied();
        if before.is_some() && before == due {
            return false;
        }
        if let Some(before) = before {
            self.by_customer.remove(customer);
            self.due.remove(&(before, customer.clone()));
        }
        if let Some(due) = due {
            self.insert((due, customer.clone()));
        }
        true
    }

    fn insert(&mut self, row: Due) {
        let is_beyond = match &self.loaded {
            Loaded::Nothing => true,
            Loaded::UpTo(horizon) => row > *horizon,
            Loaded::Everything => false,
        };
        if !is_beyond {
            self.by_customer.insert(row.1.clone(), row.0);
            self.due.insert(row);
            self.shrink();
        }
    }

    /// Returns the first timer in memory, if it is due at or before `clock`.
    pub(crate) fn first_due(&self, clock: Instant) -> Option<&Due> {
        self.due.first().filter(|(due, _)| *due <= clock)
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

    /// Returns an instant before which no timer is due, in memory or in the database; `None`: there is none.
    pub(crate) fn none_before(&self) -> Option<Instant> {
        let first = self.due.first().map(|(due, _)| *due);
        match &self.loaded {
            Loaded::Nothing => Some(Instant::MIN),
            Loaded::UpTo((horizon, _)) => first.or(Some(*horizon)),
            Loaded::Everything => first,
        }
    }

    fn shrink(&mut self) {
        if self.due.len() <= 2 * WINDOW {
            return;
        }
        while self.due.len() > WINDOW {
            if let Some((_, customer)) = self.due.pop_last() {
                self.by_customer.remove(&customer);
            }
        }
        if let Some(last) = self.due.last() {
            self.loaded = Loaded::UpTo(last.clone());
        }
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

    fn loaded(rows: Vec<Due>) -> Timers {
        let mut timers = Timers::unread();
        timers.install(rows, |_| true);
        timers
    }

    fn at(second: i64) -> Instant {
        Instant::from_millis_clamped(second * 1_000)
    }

    #[test]
    fn fires_in_order_of_due_time_and_once() {
        let mut timers = loaded(vec![(at(1), key(1)), (at(2), key(2))]);
        assert!(timers.set(&key(3), Some(at(1))));
        assert!(timers.set(&key(2), Some(at(5))), "it moves");
        assert!(!timers.set(&key(2), Some(at(5))), "it is there");
        assert!(timers.set(&key(4), Some(at(3))) && timers.set(&key(4), None));
        assert_eq!(timers.due(at(4), 10), vec![key(1), key(3)]);
        for (clock, due, customer) in [(4, 1, 1), (4, 1, 3), (5, 5, 2)] {
            assert_eq!(timers.none_before(), Some(at(due)));
            assert_eq!(timers.first_due(at(due - 1)), None);
            assert_eq!(timers.first_due(at(clock)), Some(&(at(due), key(customer))));
            timers.set(&key(customer), None);
        }
        assert_eq!(
            (timers.first_due(at(9)), timers.none_before()),
            (None, None)
        );
    }

    #[test]
    fn a_full_window_leaves_the_rest_in_the_database() {
        let window: Vec<Due> = (0..WINDOW).map(|n| (at(1), key(n))).collect();
        let mut timers = loaded(window.clone());
        assert!(timers.needs_load(at(1)) && !timers.needs_load(at(0)));
        assert_eq!(timers.horizon(), window.last());
        timers.set(&key(999_999), Some(at(2)));
        assert_eq!(
            timers.due(at(9), usize::MAX).len(),
            WINDOW,
            "beyond the horizon"
        );
        for n in 0..WINDOW {
            timers.set(&key(n), None);
        }
        assert_eq!(timers.none_before(), Some(at(1)), "as due as the horizon");
        timers.install(vec![(at(2), key(999_999))], |_| true);
        assert!(!timers.needs_load(at(9)));
        assert_eq!(timers.due(at(9), usize::MAX), [key(999_999)]);
    }

    #[test]
    fn memory_keeps_only_the_next_ones() {
        let mut timers = loaded(Vec::new());
        for n in 0..=2 * WINDOW {
            timers.set(&key(n), Some(at(i64::try_from(n).expect("small"))));
        }
        assert!(timers.due(at(i64::MAX / 2_000_000), usize::MAX).len() <= WINDOW);
        assert!(timers.needs_load(at(i64::try_from(WINDOW).expect("small"))));
    }
}
