//! Batches to write.

use std::sync::Arc;

use tidemark_processor::parking::Reason;
use tidemark_processor::store::{
    Action, Batch, BundleRow, Claim, CustomerRow, DeferralReason, DeferralRow, LargeRow,
    ParkedBytesRow, ParkedRow, Request, Scope, TenantDigest, TrackedRow,
};
use tidemark_projections::counter::CounterKind;
use tidemark_projections::digest::Digest;
use tidemark_projections::rollups::{Rollup, RollupKind, Rollups};
use tidemark_projections::state::LeafId;
use tidemark_schemas::{CustomerId, CustomerKey, Instant, TenantId};
use uuid::Uuid;

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(crate) fn key(tenant_id: &str, customer: &str) -> CustomerKey {
    CustomerKey {
        tenant: tenant(tenant_id),
        customer: CustomerId::new(customer).unwrap(),
    }
}

pub(crate) fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

pub(crate) fn customer(key: CustomerKey, state: &[u8]) -> CustomerRow {
    CustomerRow {
        key,
        state: state.to_vec(),
        tracked: b"tracked".to_vec(),
        evaluated: b"evaluated".to_vec(),
        evaluated_at: at("2024-05-01T10:00:00.000001Z"),
        definition_version: 3,
        first_seen_at: at("2024-01-01T00:00:00Z"),
        last_seen_at: at("2024-05-01T09:00:00Z"),
        band: Some(1),
        value_minor: Some(12_345),
    }
}

/// The batch after a claim: empty, ten offsets on.
pub(crate) fn after(claim: &Claim, partition: i32) -> Batch {
    Batch {
        partition,
        epoch: claim.epoch,
        nonce: claim.nonce,
        old_commits: claim.commits,
        old_next_offset: claim.next_offset,
        new_next_offset: claim.next_offset + 10,
        clock: at("2024-05-01T10:00:00Z").micros(),
        fired_to: at("2024-05-01T09:00:00Z").micros(),
        change_seq: claim.change_seq,
        definitions: claim.definitions,
        ..Batch::default()
    }
}

/// A batch of one customer, a membership, a counter, a rollup and a digest, to detect a second write.
pub(crate) fn filled(mut batch: Batch, tenant_id: &str, customer_id: &str) -> Batch {
    let key = key(tenant_id, customer_id);
    let counts = TenantDigest {
        customers: 1,
        events: 10,
        digest: Digest(7),
    };
    batch.rows.customers.push(customer(key.clone(), b"state"));
    batch.rows.large.push(large(&key));
    batch.rows.memberships.entered.push((
        key.clone(),
        Arc::from("vip"),
        at("2024-05-01T00:00:00Z"),
    ));
    let counts_of_rows = &mut batch.rows.counts;
    counts_of_rows.add(&key.tenant, CounterKind::Customers, String::new(), 1);
    let mut rollups = Rollups::default();
    rollups.add(Rollup::new(RollupKind::CustomersNew, 19_844), 1);
    batch.rows.rollups.add(&key.tenant, rollups);
    batch.rows.parked_bytes.push(ParkedBytesRow {
        tenant: Some(key.tenant.clone()),
        bytes: 300,
    });
    batch.rows.counts.digests.push((key.tenant, counts));
    batch
}

/// The instant from which a leaf is tracked; `None`: no longer.
pub(crate) fn tracked(tenant: &TenantId, leaf: u64, exact_from: Option<Instant>) -> TrackedRow {
    TrackedRow {
        tenant: tenant.clone(),
        leaf: LeafId(leaf),
        exact_from,
    }
}

/// The batch after this one.
pub(crate) fn next(batch: &Batch) -> Batch {
    Batch {
        partition: batch.partition,
        epoch: batch.epoch,
        nonce: batch.nonce,
        old_commits: batch.old_commits + 1,
        old_next_offset: batch.new_next_offset,
        new_next_offset: batch.new_next_offset + 10,
        clock: batch.clock,
        fired_to: batch.fired_to,
        change_seq: batch.change_seq,
        definitions: batch.definitions,
        ..Batch::default()
    }
}

/// An operator command to redrive events.
pub(crate) fn redrive() -> Request {
    Request {
        id: Uuid::from_u128(7),
        action: Action::Redrive,
        subject: "somebody".to_owned(),
        note: None,
    }
}

/// A deferred tenant.
pub(crate) fn deferred(tenant: &TenantId, clock: Instant) -> DeferralRow {
    DeferralRow {
        scope: Scope::tenant(tenant.clone()),
        reason: DeferralReason::Halted,
        detail: "3 of the last 4 records were parked".to_owned(),
        from_offset: 2,
        next_offset: 2,
        clock,
        fired_to: clock,
        definitions: 1,
        evaluation: 1,
        events: 0,
        tracked: vec![(LeafId(7), clock)],
        redefined_at: None,
        binary_version: "1".to_owned(),
    }
}

/// A large customer.
pub(crate) fn large(key: &CustomerKey) -> LargeRow {
    LargeRow {
        key: key.clone(),
        bytes: Some(70_000),
    }
}

/// A parked event at offset 1.
pub(crate) fn late(tenant: &TenantId, appended_at: Instant) -> ParkedRow {
    ParkedRow {
        offset: 1,
        tenant: Some(tenant.clone()),
        customer: None,
        source: None,
        reason: Reason::Late,
        detail: String::new(),
        field: None,
        key: None,
        value: None,
        headers: Vec::new(),
        appended_at,
    }
}

/// A record of the definitions topic that says nothing.
pub(crate) fn bundle(version: i64, rejected: Option<&str>) -> BundleRow {
    BundleRow {
        version,
        appended_at: at("2024-05-01T12:00:00Z"),
        bundle: format!("{{\"n\":{version}}}"),
        format: 1,
        rejected: rejected.map(str::to_owned),
    }
}
