//! The states of one partition's customers, as many as the memory budget holds.

use lru::LruCache;
use tidemark_projections::customer::Customer;
use tidemark_projections::evaluated::{Change, EvaluatedState};
use tidemark_schemas::{CustomerKey, Instant, TenantId};

use crate::memory::Budget;

/// One customer in memory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) customer: Customer,
    /// Hash of the state as last flushed; `None` for a customer never written.
    pub(crate) flushed_hash: Option<u128>,
    /// The evaluated state as last flushed, kept while this batch changes it.
    pub(crate) flushed_evaluated: Option<EvaluatedState>,
    /// The changes in the batch under construction.
    pub(crate) changes: Vec<Change>,
    /// The timer's row is due at or before this instant; `None`: there is none, or it is of definitions
    /// under which the customer was last evaluated.
    pub(crate) timer: Option<Instant>,
    /// The last batch that changed this entry.
    pub(crate) batch: u64,
    /// Touched in the batch under construction, and so in its rows.
    pub(crate) dirty: bool,
    bytes: usize,
}

impl Entry {
    pub(crate) fn new(customer: Customer) -> Self {
        Self {
            customer,
            flushed_hash: None,
            flushed_evaluated: None,
            changes: Vec::new(),
            timer: None,
            batch: 0,
            dirty: false,
            bytes: 0,
        }
    }

    fn measure(&self) -> usize {
        // Two keys (cache and timers) with one text, the entry, and the maps' nodes.
        const FIXED: usize = size_of::<Entry>() + 2 * size_of::<CustomerKey>() + 128;
        let (state, evaluated) = (self.customer.state(), self.customer.evaluated());
        let outputs = evaluated.segments.len() + evaluated.paths.len();
        let paths = evaluated.paths.values();
        let paths: usize = paths.map(|path| path.memory_bytes()).sum();
        let bytes = FIXED + state.memory_bytes() + 512 + outputs * 64 + paths;
        // What lies unused in the allocator's pages while customers come and go.
        bytes + bytes / 4
    }
}

/// Least recently used first out, but never what is not committed yet.
pub(crate) struct Cache {
    entries: LruCache<CustomerKey, Entry>,
    budget: Budget,
    bytes: usize,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("entries", &self.entries.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            entries: LruCache::unbounded(),
            budget,
            bytes: 0,
        }
    }

    pub(crate) fn contains(&self, key: &CustomerKey) -> bool {
        self.entries.contains(key)
    }

    pub(crate) fn get_mut(&mut self, key: &CustomerKey) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: CustomerKey, mut entry: Entry) {
        entry.bytes = entry.measure();
        self.account(entry.bytes, 0);
        if let Some(replaced) = self.entries.put(key, entry) {
            self.account(0, replaced.bytes);
        }
    }

    /// Measures an entry again after it grew or shrank.
    pub(crate) fn remeasure(&mut self, key: &CustomerKey) {
        let Some(entry) = self.entries.peek_mut(key) else {
            return;
        };
        let before = entry.bytes;
        let after = entry.measure();
        entry.bytes = after;
        self.account(after, before);
    }

    /// Makes a customer the most recently used. False where it is not in memory.
    pub(crate) fn promote(&mut self, key: &CustomerKey) -> bool {
        self.entries.promote(key)
    }

    /// Makes a customer the next to be evicted, unless a batch later than `committed` changed it.
    pub(crate) fn demote(&mut self, key: &CustomerKey, committed: u64) {
        let entry = self.entries.peek(key);
        if entry.is_some_and(|entry| !entry.dirty && entry.batch <= committed) {
            self.entries.demote(key);
        }
    }

    /// About how many bytes so many more entries will take.
    pub(crate) fn estimate(&self, entries: usize) -> usize {
        const UNSEEN: usize = 2 * 1024;
        let each = self.bytes.checked_div(self.entries.len());
        entries.saturating_mul(each.unwrap_or(UNSEEN))
    }

    /// Drops the least recently used entries until there is room for so many bytes, but none that a
    /// batch later than `committed` changed: the database does not have those yet.
    pub(crate) fn evict(&mut self, committed: u64, room: usize) {
        while self.budget.is_over_with(room) {
            match self.entries.peek_lru() {
                Some((_, oldest)) if !oldest.dirty && oldest.batch <= committed => {}
                Some(_) | None => return,
            }
            if let Some((_, evicted)) = self.entries.pop_lru() {
                self.account(0, evicted.bytes);
            }
        }
    }

    /// Removes the customers of a tenant, of which every change is committed.
    pub(crate) fn remove_tenant(&mut self, tenant: &TenantId) {
        let keys = self.entries.iter().map(|(key, _)| key);
        let removed: Vec<_> = keys.filter(|key| key.tenant == *tenant).cloned().collect();
        for key in removed {
            if let Some(entry) = self.entries.pop(&key) {
                debug_assert!(!entry.dirty, "its changes are committed");
                self.account(0, entry.bytes);
            }
        }
    }

    fn account(&mut self, more: usize, less: usize) {
        self.bytes = self.bytes + more - less;
        self.budget.reserve(more);
        self.budget.release(less);
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_schemas::CustomerId;

    fn key(customer: &str) -> CustomerKey {
        CustomerKey {
            tenant: TenantId::new("acme").expect("an id"),
            customer: CustomerId::new(customer).expect("an id"),
        }
    }

    fn entry(batch: u64) -> Entry {
        let mut entry = Entry::new(Customer::new(0));
        entry.batch = batch;
        entry
    }

    #[test]
    fn the_least_recently_used_goes_first_and_the_uncommitted_never() {
        let budget = Budget::new(1);
        let mut cache = Cache::new(budget.clone());
        cache.insert(key("a"), entry(1));
        cache.insert(key("b"), entry(2));
        assert!(cache.get_mut(&key("a")).is_some());
        cache.evict(0, 0);
        assert!(cache.contains(&key("b")), "batch 2 is not committed");
        cache.evict(2, 0);
        assert!(!cache.contains(&key("a")) && !cache.contains(&key("b")));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn room_is_made_before_it_is_needed() {
        let budget = Budget::new(1 << 20);
        let mut cache = Cache::new(budget.clone());
        cache.insert(key("a"), entry(1));
        cache.insert(key("b"), entry(1));
        assert!(cache.promote(&key("a")) && !cache.promote(&key("c")));
        let one = cache.estimate(1);
        assert_eq!(one, budget.used() / 2);
        cache.evict(1, (1 << 20) - budget.used());
        assert_eq!(budget.used(), 2 * one, "there is room");
        cache.evict(1, (1 << 20) - one);
        assert!(!cache.contains(&key("b")) && cache.contains(&key("a")));
    }

    #[test]
    fn a_demoted_customer_is_the_next_to_go_unless_its_batch_is_not_committed() {
        let mut cache = Cache::new(Budget::new(0));
        for (name, batch) in [("a", 1), ("b", 1), ("c", 2)] {
            cache.insert(key(name), entry(batch));
        }
        cache.demote(&key("c"), 1);
        cache.demote(&key("b"), 1);
        let oldest = |cache: &Cache| cache.entries.peek_lru().map(|(key, _)| key.clone());
        assert_eq!(oldest(&cache), Some(key("b")));
        cache.demote(&key("c"), 2);
        assert_eq!(oldest(&cache), Some(key("c")));
    }

    #[test]
    fn a_dropped_cache_gives_its_bytes_back() {
        let budget = Budget::new(1 << 20);
        let mut cache = Cache::new(budget.clone());
        cache.insert(key("a"), entry(1));
        cache.insert(key("a"), entry(1));
        cache.remeasure(&key("a"));
        assert!(budget.used() > 0);
        drop(cache);
        assert_eq!(budget.used(), 0);
    }
}
