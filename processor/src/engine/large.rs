//! The large customers of a partition, for operators.
//!
//! Decides nothing: what is folded depends on a customer's state alone.

use std::collections::BTreeMap;

use tidemark_schemas::{CustomerKey, TenantId};

use crate::store::LargeRow;

/// The bytes of a customer's row from which on it is large.
const LARGE_BYTES: i64 = 64 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LargeCustomers {
    by_key: BTreeMap<CustomerKey, i64>,
}

impl LargeCustomers {
    /// Returns the large customers that the database holds.
    pub(super) fn new(rows: Vec<LargeRow>) -> Self {
        let rows = rows.into_iter();
        Self {
            by_key: rows.filter_map(|row| Some((row.key, row.bytes?))).collect(),
        }
    }

    /// Notes the bytes that are written of a customer. Returns the row to write with them, if any.
    pub(super) fn note(&mut self, key: &CustomerKey, bytes: usize) -> Option<LargeRow> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let bytes = Some(bytes).filter(|bytes| *bytes >= LARGE_BYTES);
        let before = match bytes {
            Some(bytes) => self.by_key.insert(key.clone(), bytes),
            None if self.by_key.is_empty() => None,
            None => self.by_key.remove(key),
        };
        (before != bytes).then(|| LargeRow {
            key: key.clone(),
            bytes,
        })
    }

    /// Removes the customers of a tenant.
    pub(super) fn remove_tenant(&mut self, tenant: &TenantId) {
        self.by_key.retain(|key, _| key.tenant != *tenant);
    }

    /// Returns the bytes of the largest; 0 where none is large.
    pub(super) fn largest(&self) -> i64 {
        self.by_key.values().copied().max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_schemas::CustomerId;

    #[test]
    fn rows_are_written_while_a_customer_is_large_and_removed_once_it_is_not() {
        let key = CustomerKey {
            tenant: TenantId::new("acme").expect("an id"),
            customer: CustomerId::new("ada").expect("an id"),
        };
        let mut large = LargeCustomers::default();
        let mut note = |bytes| large.note(&key, bytes).map(|row| row.bytes);
        assert_eq!(note(65_535), None);
        assert_eq!(note(65_536), Some(Some(65_536)));
        assert_eq!(note(65_536), None, "it is written already");
        assert_eq!(note(70_000), Some(Some(70_000)));
        assert_eq!(note(100), Some(None));
        assert_eq!(note(100), None);
        assert_eq!(large.largest(), 0);
    }
}
