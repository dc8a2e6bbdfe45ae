//! Tenants halted in a partition, because too large a share of their recent records was parked.
//!
//! A halted tenant is deferred there: the partition and every other tenant go on. Does no I/O.

use std::collections::{BTreeMap, VecDeque};

use tidemark_schemas::TenantId;

use crate::config::HaltLimit;

/// The counts of a tenant when it passed the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    /// The number of parked records among those considered.
    pub(crate) parked: usize,
    /// The number of records considered.
    pub(crate) records: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Halts {
    limit: HaltLimit,
    /// The windows of tenants, since the claim or their last halt.
    windows: BTreeMap<TenantId, Window>,
}

/// The last records of a tenant: which of them were parked.
#[derive(Debug, Default)]
struct Window {
    parked: VecDeque<bool>,
    count: usize,
}

impl Halts {
    pub(crate) const fn new(limit: HaltLimit) -> Self {
        Self {
            limit,
            windows: BTreeMap::new(),
        }
    }

    /// Forgets the records of the tenants that are not kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&TenantId) -> bool) {
        self.windows.retain(|tenant, _| keep(tenant));
    }

    /// Counts one record of a tenant; says so if that passes the limit, and begins again.
    pub(crate) fn note(&mut self, tenant: &TenantId, parked: bool) -> Option<Passed> {
        if !self.windows.contains_key(tenant) {
            self.windows.insert(tenant.clone(), Window::default());
        }
        let window = self.windows.get_mut(tenant)?;
        window.push(parked, self.limit.window);
        // Only a parked record can raise the share.
        if !parked || !window.is_beyond(&self.limit) {
            return None;
        }
        let passed = Passed {
            parked: window.count,
            records: window.parked.len(),
        };
        self.windows.remove(tenant);
        Some(passed)
    }
}

impl Window {
    fn push(&mut self, parked: bool, most: usize) {
        self.parked.push_back(parked);
        self.count += usize::from(parked);
        if self.parked.len() > most.max(1) {
            let left = self.parked.pop_front().unwrap_or_default();
            self.count -= usize::from(left);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a window is small")]
    fn is_beyond(&self, limit: &HaltLimit) -> bool {
        let records = self.parked.len();
        records >= limit.minimum && self.count as f64 > limit.share * records as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: HaltLimit = HaltLimit {
        share: 0.5,
        window: 10,
        minimum: 4,
    };

    fn tenant(id: &str) -> TenantId {
        TenantId::new(id).expect("an id")
    }

    /// Notes records, `p` parked and `f` folded; after how many the tenant was halted.
    fn halted_after(limit: HaltLimit, records: &str) -> Option<usize> {
        let mut halts = Halts::new(limit);
        records
            .chars()
            .position(|record| halts.note(&tenant("acme"), record == 'p').is_some())
            .map(|place| place + 1)
    }

    #[test]
    fn more_than_the_share_of_enough_records_halts() {
        assert_eq!(halted_after(LIMIT, "ppp"), None, "too few for a decision");
        assert_eq!(halted_after(LIMIT, "pppp"), Some(4));
        assert_eq!(halted_after(LIMIT, "fpfpfpfpfp"), None, "exactly the share");
        assert_eq!(halted_after(LIMIT, "ppffp"), Some(5));
        // What is behind the window is forgotten, in both directions.
        assert_eq!(halted_after(LIMIT, "ppfffffffffffpppp"), None);
        assert_eq!(halted_after(LIMIT, "fffffffffffffpppppp"), Some(19));
    }

    #[test]
    fn a_share_of_one_never_halts() {
        let never = HaltLimit {
            share: 1.0,
            ..LIMIT
        };
        assert_eq!(halted_after(never, &"p".repeat(100)), None);
    }

    #[test]
    fn a_halt_is_of_one_tenant_and_the_next_count_begins_again() {
        let mut halts = Halts::new(LIMIT);
        let mut noted = |id, parked| halts.note(&tenant(id), parked).is_some();
        for _ in 0..3 {
            assert!(!noted("acme", true) && !noted("globex", false));
        }
        assert!(noted("acme", true), "the fourth passes the limit");
        for _ in 0..3 {
            assert!(!noted("acme", true), "nothing is held against it");
        }
        assert!(noted("acme", true));
    }
}
