//! The rows of one customer at the end of a batch: what differs from the last flush.

use tidemark_projections::counter::CounterKind;
use tidemark_projections::digest::state_hash;
use tidemark_projections::evaluated::Delta;
use tidemark_projections::models::Band;
use tidemark_schemas::CustomerKey;

use super::cache::Entry;
use crate::store::{CustomerRow, Rows, TenantDigest};

/// Writes a touched customer into the batch, its hash into the digest and its moves into the
/// counters and rollups. Returns the bytes that are written of it.
pub(crate) fn flush_customer(
    customer: &CustomerKey,
    entry: &mut Entry,
    batch_number: u64,
    digest: &mut TenantDigest,
    rows: &mut Rows,
) -> usize {
    entry.dirty = false;
    entry.batch = batch_number;
    let before = entry.flushed_evaluated.take();
    let (core, evaluated) = (entry.customer.state(), entry.customer.evaluated());
    let (Some(first_seen_at), Some(last_seen_at)) = (core.first_seen_at(), core.last_seen_at())
    else {
        return 0; // No event of this customer was folded.
    };
    let encoded = entry.customer.encode();
    let bytes = encoded.state.len() + encoded.tracked.len() + encoded.evaluated.len();
    let hash = state_hash(&customer.tenant, &customer.customer, &encoded.state);
    if entry.flushed_hash.is_none() {
        digest.customers += 1;
        rows.counts
            .add(&customer.tenant, CounterKind::Customers, String::new(), 1);
    }
    digest.digest.replace(entry.flushed_hash, Some(hash));
    entry.flushed_hash = Some(hash);

    let mut delta = Delta::between(before.as_ref(), evaluated);
    for (kind, name, by) in delta.counters() {
        rows.counts.add(&customer.tenant, kind, name, by);
    }
    rows.rollups
        .add(&customer.tenant, std::mem::take(&mut delta.rollups));
    write_delta(customer, delta, rows);
    rows.customers.push(CustomerRow {
        key: customer.clone(),
        state: encoded.state,
        tracked: encoded.tracked,
        evaluated: encoded.evaluated,
        evaluated_at: evaluated.evaluated_at,
        definition_version: evaluated.definition_version,
        first_seen_at,
        last_seen_at,
        band: evaluated.band.map(band_number),
        value_minor: evaluated.discrete_scores.value_minor,
    });
    bytes
}

fn write_delta(customer: &CustomerKey, delta: Delta, rows: &mut Rows) {
    let memberships = delta
        .memberships
        .into_iter()
        .map(|(segment, since)| (customer.clone(), segment, since));
    rows.memberships.entered.extend(memberships);
    let left = delta
        .left
        .into_iter()
        .map(|segment| (customer.clone(), segment));
    rows.memberships.left.extend(left);
    let positions = delta
        .positions
        .into_iter()
        .map(|(journey, stage, since)| (customer.clone(), journey, stage, since));
    rows.positions.entered.extend(positions);
    let left = delta
        .positions_left
        .into_iter()
        .map(|journey| (customer.clone(), journey));
    rows.positions.left.extend(left);
}

/// A band as the `customer` table holds it.
fn band_number(band: Band) -> i16 {
    match band {
        Band::Low => 0,
        Band::Medium => 1,
        Band::High => 2,
    }
}
