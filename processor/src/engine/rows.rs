//! The rows of one customer at the end of a batch: what differs from the last flush.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::digest::state_hash;
use tidemark_projections::standing::{Membership, Standing};
use tidemark_schemas::{CustomerKey, Instant};

use super::cache::Entry;
use super::pending::band_number;
use crate::store::{Batch, CustomerRow, TenantDigest};

/// Writes a touched customer into the batch, and its hash into the digest; true for a new one.
pub(crate) fn flush_customer(
    customer: &CustomerKey,
    entry: &mut Entry,
    batch_number: u64,
    digest: &mut TenantDigest,
    batch: &mut Batch,
) -> bool {
    entry.dirty = false;
    entry.batch = batch_number;
    let before = entry.flushed_standing.take();
    let (Some(first_seen_at), Some(last_seen_at)) =
        (entry.state.first_seen_at(), entry.state.last_seen_at())
    else {
        return false; // No event of this customer was folded.
    };
    let state = entry.state.encode();
    let hash = state_hash(&customer.tenant, &customer.customer, &state);
    let is_new = entry.flushed_hash.is_none();
    digest.customers += i64::from(is_new);
    digest.digest.replace(entry.flushed_hash, Some(hash));
    entry.flushed_hash = Some(hash);

    let standing = &entry.standing;
    flush_memberships(customer, before.as_ref(), standing, batch);
    flush_positions(customer, before.as_ref(), standing, batch);
    batch.customers.push(CustomerRow {
        key: customer.clone(),
        state,
        standing: standing.encode(),
        evaluated_at: standing.evaluated_at,
        definition_version: standing.definition_version,
        first_seen_at,
        last_seen_at,
        band: standing.band.map(band_number),
    });
    is_new
}

fn flush_memberships(
    customer: &CustomerKey,
    before: Option<&Standing>,
    now: &Standing,
    batch: &mut Batch,
) {
    let none: BTreeMap<Arc<str>, Membership> = BTreeMap::new();
    let before = before.map_or(&none, |standing| &standing.segments);
    for (segment, membership) in &now.segments {
        if before.get(segment) != Some(membership) {
            let Membership { since, version } = *membership;
            batch
                .memberships
                .push((customer.clone(), Arc::clone(segment), since, version));
        }
    }
    for segment in before
        .keys()
        .filter(|segment| !now.segments.contains_key(*segment))
    {
        batch
            .memberships_left
            .push((customer.clone(), Arc::clone(segment)));
    }
}

fn flush_positions(
    customer: &CustomerKey,
    before: Option<&Standing>,
    now: &Standing,
    batch: &mut Batch,
) {
    let none: BTreeMap<Arc<str>, (Arc<str>, Instant)> = BTreeMap::new();
    let before = before.map_or(&none, |standing| &standing.stages);
    for (journey, position) in &now.stages {
        if before.get(journey) != Some(position) {
            let (stage, since) = position;
            let (journey, stage) = (Arc::clone(journey), Arc::clone(stage));
            batch
                .positions
                .push((customer.clone(), journey, stage, *since));
        }
    }
    for journey in before
        .keys()
        .filter(|journey| !now.stages.contains_key(*journey))
    {
        batch
            .positions_left
            .push((customer.clone(), Arc::clone(journey)));
    }
}
