//! The bytes of the parked events of a partition, by tenant: a tenant with too many is deferred. Does no I/O.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_schemas::TenantId;

use crate::store::{ParkedBytesRow, ParkedRow};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct ParkedBytes {
    /// The bytes by tenant; `None` for events of which no tenant could be read.
    by_tenant: BTreeMap<Option<TenantId>, i64>,
    /// The tenants of which they have changed since the last batch.
    changed: BTreeSet<Option<TenantId>>,
    /// The totals as last computed, and the version of the definitions for which they hold.
    totals: Option<(i64, Totals)>,
}

/// The bytes of a partition's parked events, as they are reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The bytes of the defined tenant that has most.
    pub(crate) largest_tenant: i64,
    /// The bytes of all events without a defined tenant.
    pub(crate) without_tenant: i64,
}

impl ParkedBytes {
    pub(crate) fn new(rows: Vec<ParkedBytesRow>) -> Self {
        Self {
            by_tenant: rows
                .into_iter()
                .map(|row| (row.tenant, row.bytes))
                .collect(),
            ..Self::default()
        }
    }

    /// Adds a parked event.
    pub(crate) fn add(&mut self, row: &ParkedRow) {
        self.change(row, row.bytes());
    }

    /// Removes an event that is not parked any more, or not as it was.
    pub(crate) fn remove(&mut self, row: &ParkedRow) {
        self.change(row, -row.bytes());
    }

    fn change(&mut self, row: &ParkedRow, by: i64) {
        *self.by_tenant.entry(row.tenant.clone()).or_default() += by;
        self.changed.insert(row.tenant.clone());
        self.totals = None;
    }

    /// Returns the bytes of a tenant's parked events.
    pub(crate) fn of_tenant(&self, tenant: &TenantId) -> i64 {
        let held = self.by_tenant.get(&Some(tenant.clone()));
        held.copied().unwrap_or_default()
    }

    /// Forgets a tenant of which everything is erased.
    pub(crate) fn forget(&mut self, tenant: &TenantId) {
        let tenant = Some(tenant.clone());
        self.by_tenant.remove(&tenant);
        self.changed.remove(&tenant);
        self.totals = None;
    }

    /// Returns what has changed since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<ParkedBytesRow> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let rows = changed.map(|tenant| {
            let bytes = self.by_tenant.get(&tenant).copied().unwrap_or_default();
            if bytes == 0 {
                self.by_tenant.remove(&tenant);
            }
            ParkedBytesRow { tenant, bytes }
        });
        rows.collect()
    }

    /// Returns the totals under definitions of a version, by which tenants are defined.
    pub(crate) fn totals(
        &mut self,
        version: i64,
        is_defined: impl Fn(&TenantId) -> bool,
    ) -> Totals {
        if let Some((of, totals)) = self.totals
            && of == version
        {
            return totals;
        }
        let mut totals = Totals::default();
        for (tenant, bytes) in &self.by_tenant {
            if tenant.as_ref().is_some_and(&is_defined) {
                totals.largest_tenant = totals.largest_tenant.max(*bytes);
            } else {
                totals.without_tenant += bytes;
            }
        }
        self.totals = Some((version, totals));
        totals
    }
}

#[cfg(test)]
mod tests {
    use tidemark_schemas::Instant;

    use super::*;
    use crate::parking::Reason;

    fn parked(offset: i64, tenant: Option<&str>, value: usize) -> ParkedRow {
        ParkedRow {
            offset,
            tenant: tenant.map(|id| TenantId::new(id).expect("an id")),
            customer: None,
            source: None,
            reason: Reason::Invalid,
            detail: String::new(),
            field: None,
            key: None,
            value: Some(vec![0; value]),
            headers: Vec::new(),
            appended_at: Instant::MIN,
        }
    }

    #[test]
    fn bytes_are_those_of_the_events_that_are_parked_and_an_emptied_tenant_is_written_once() {
        let mut bytes = ParkedBytes::default();
        let acme = TenantId::new("acme").expect("an id");
        let rows = [1, 2].map(|offset| parked(offset, Some("acme"), 1_000));
        for row in &rows {
            bytes.add(row);
        }
        assert_eq!(bytes.of_tenant(&acme), 2 * rows[0].bytes());
        assert!(rows[0].bytes() > 1_000, "a row costs more than its value");
        assert_eq!(bytes.take_changed().len(), 1);
        for row in &rows {
            bytes.remove(row);
        }
        let emptied = bytes.take_changed();
        assert_eq!((emptied.len(), emptied[0].bytes), (1, 0));
        assert_eq!(bytes.take_changed(), []);
    }

    #[test]
    fn events_without_a_defined_tenant_share_one_total_until_it_is_defined() {
        let mut bytes = ParkedBytes::default();
        let rows = [
            parked(1, Some("acme"), 10),
            parked(2, Some("globex"), 1_000),
            parked(3, None, 100),
        ];
        for row in &rows {
            bytes.add(row);
        }
        let [acme, globex, unread] = [0, 1, 2].map(|row: usize| rows[row].bytes());
        let before = bytes.totals(1, |tenant| tenant.as_str() == "acme");
        let expected = Totals {
            largest_tenant: acme,
            without_tenant: globex + unread,
        };
        assert_eq!(before, expected);
        let after = bytes.totals(2, |_| true);
        let expected = Totals {
            largest_tenant: globex,
            without_tenant: unread,
        };
        assert_eq!(after, expected);
    }
}
