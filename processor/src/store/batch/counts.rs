//! Rows of `counter` and `digest`, written by one statement.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_projections::counter::CounterKind;
use tidemark_projections::digest::Digest;
use tidemark_projections::invalidation::{AggregateKind, Invalidation};
use tidemark_schemas::TenantId;

use super::columns::{column, sorted};
use super::{CommitContext, RowKind};
use crate::store::decode::tenant;
use crate::store::error::StoreError;

/// Counters by their deltas, and digests as they are after the batch.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// The delta of each counter. A delta of zero is not written.
    pub counters: BTreeMap<(TenantId, CounterKind, String), i64>,
    /// The digest of each tenant of which it changed.
    pub digests: Vec<(TenantId, TenantDigest)>,
}

/// Count and digest of one tenant's customers in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantDigest {
    /// The number of customers with state.
    pub customers: i64,
    /// The number of events folded, duplicates not counted.
    pub events: i64,
    /// The sum of the hashes of states.
    pub digest: Digest,
}

impl TenantDigest {
    pub(in crate::store) fn from_row(row: &PgRow) -> Result<(TenantId, Self), StoreError> {
        let tenant = tenant(row)?;
        let bytes: &[u8] = row.try_get("digest")?;
        let bytes = bytes.try_into().map_err(|_| {
            StoreError::Damaged(format!(
                "the digest of tenant {tenant} has {} bytes",
                bytes.len()
            ))
        })?;
        let counts = Self {
            customers: row.try_get("customers")?,
            events: row.try_get("events")?,
            digest: Digest::from_bytes(bytes),
        };
        Ok((tenant, counts))
    }
}

impl Counts {
    /// Adds to a counter.
    pub fn add(&mut self, tenant: &TenantId, kind: CounterKind, name: String, delta: i64) {
        let counter = (tenant.clone(), kind, name);
        *self.counters.entry(counter).or_default() += delta;
    }
}

impl RowKind for Counts {
    fn is_empty(&self) -> bool {
        self.counters.is_empty() && self.digests.is_empty()
    }

    fn invalidate(&self, invalidation: &mut Invalidation) {
        for ((tenant, kind, _), delta) in &self.counters {
            if *delta == 0 {
                continue;
            }
            let aggregate = match kind {
                CounterKind::Customers => AggregateKind::Population,
                CounterKind::Band
                | CounterKind::Rfm
                | CounterKind::Cluster
                | CounterKind::RenewalBand => AggregateKind::Scores,
                CounterKind::Segment => AggregateKind::Memberships,
                CounterKind::Stage => AggregateKind::Positions,
                // No response with these counters is cached.
                CounterKind::Offer
                | CounterKind::OfferSegment
                | CounterKind::Parked
                | CounterKind::Discarded
                | CounterKind::Forwarded => continue,
            };
            invalidation.add_aggregate(tenant, aggregate);
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        // In key order as they are.
        let counters: Vec<_> = self.counters.iter().filter(|(_, by)| **by != 0).collect();
        let counters: Vec<_> = counters.iter().collect();
        let digests = sorted(&self.digests, |(tenant, _)| tenant);
        if counters.is_empty() && digests.is_empty() {
            return Ok(());
        }
        sqlx::query(include_str!("../counts.sql"))
            .bind(context.partition)
            .bind(column(&counters, |((tenant, ..), _)| tenant.as_str()))
            .bind(column(&counters, |((_, kind, _), _)| kind.name()))
            .bind(column(&counters, |((.., name), _)| name.as_str()))
            .bind(column(&counters, |(_, delta)| **delta))
            .bind(column(&digests, |row| row.0.as_str()))
            .bind(column(&digests, |row| row.1.customers))
            .bind(column(&digests, |row| row.1.events))
            .bind(column(&digests, |row| row.1.digest.to_bytes().to_vec()))
            .execute(connection)
            .await?;
        Ok(())
    }
}
