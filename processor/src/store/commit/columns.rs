//! Rows turned into the arrays that `unnest` takes: a statement and a round trip for each kind of row
//! and [`ROWS_AT_ONCE`], none where there are no rows. In key order, so that neighbours share pages;
//! batches come in the order of customers.

use std::borrow::Cow;

use sqlx::postgres::PgConnection;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::invalidation::{AggregateKind, COMMITS_KEPT, Invalidation};
use tidemark_schemas::{CustomerKey, Instant, TenantId};

use super::changes;
use crate::store::decode::encode_headers;
use crate::store::rows::Batch;

/// More rows gain nothing, and every connection keeps a buffer as large as its largest message.
pub(super) const ROWS_AT_ONCE: usize = 2_000;

/// References to the rows, in the order of a key; those with the same key stay in their order.
pub(super) fn sorted<'a, T, K: Ord>(rows: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<&'a T> {
    let mut sorted: Vec<&T> = rows.iter().collect();
    sorted.sort_by_key(|row| key(row));
    sorted
}

/// Rows that go and rows that come, so many of each at once.
fn pieces<'a, A, B>(gone: &'a [A], come: &'a [B]) -> impl Iterator<Item = (&'a [A], &'a [B])> {
    let (mut gone, mut come) = (gone.chunks(ROWS_AT_ONCE), come.chunks(ROWS_AT_ONCE));
    std::iter::from_fn(move || match (gone.next(), come.next()) {
        (None, None) => None,
        (gone, come) => Some((gone.unwrap_or_default(), come.unwrap_or_default())),
    })
}

/// One column of the rows.
pub(super) fn column<'a, T, V>(rows: &[&'a T], value: impl FnMut(&&'a T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

fn tenant(key: &CustomerKey) -> &str {
    key.tenant.as_str()
}

fn customer(key: &CustomerKey) -> &str {
    key.customer.as_str()
}

pub(super) async fn customers(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let rows = sorted(&batch.customers, |row| &row.key);
    for rows in rows.chunks(ROWS_AT_ONCE) {
        sqlx::query(include_str!("../customers.sql"))
            .bind(batch.partition)
            .bind(column(rows, |row| tenant(&row.key)))
            .bind(column(rows, |row| customer(&row.key)))
            .bind(column(rows, |row| row.state.as_slice()))
            .bind(column(rows, |row| row.evaluated.as_slice()))
            .bind(column(rows, |row| row.evaluated_at.micros()))
            .bind(column(rows, |row| row.definition_version))
            .bind(column(rows, |row| row.first_seen_at.micros()))
            .bind(column(rows, |row| row.last_seen_at.micros()))
            .bind(column(rows, |row| row.band))
            .bind(column(rows, |row| {
                Some(row.tracked.as_slice()).filter(|tracked| !tracked.is_empty())
            }))
            .bind(column(rows, |row| row.value_minor))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn memberships(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let left = sorted(&batch.memberships_left, |(key, segment)| {
        (&key.tenant, segment)
    });
    let rows = sorted(&batch.memberships, |(key, segment, ..)| {
        (&key.tenant, segment)
    });
    for (left, rows) in pieces(&left, &rows) {
        sqlx::query(include_str!("../memberships.sql"))
            .bind(column(left, |row| tenant(&row.0)))
            .bind(column(left, |row| &*row.1))
            .bind(column(left, |row| customer(&row.0)))
            .bind(column(rows, |row| tenant(&row.0)))
            .bind(column(rows, |row| &*row.1))
            .bind(column(rows, |row| customer(&row.0)))
            .bind(column(rows, |row| row.2.micros()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn positions(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let left = sorted(&batch.positions_left, |(key, journey)| {
        (&key.tenant, journey)
    });
    let rows = sorted(&batch.positions, |(key, journey, ..)| {
        (&key.tenant, journey)
    });
    for (left, rows) in pieces(&left, &rows) {
        sqlx::query(include_str!("../positions.sql"))
            .bind(column(left, |row| tenant(&row.0)))
            .bind(column(left, |row| &*row.1))
            .bind(column(left, |row| customer(&row.0)))
            .bind(column(rows, |row| tenant(&row.0)))
            .bind(column(rows, |row| &*row.1))
            .bind(column(rows, |row| customer(&row.0)))
            .bind(column(rows, |row| &*row.2))
            .bind(column(rows, |row| row.3.micros()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn timers(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let fired = sorted(&batch.timers_fired, |row| row);
    let rows = sorted(&batch.timers, |row| row);
    for (fired, rows) in pieces(&fired, &rows) {
        sqlx::query(include_str!("../timers.sql"))
            .bind(batch.partition)
            .bind(column(fired, |row| row.0.micros()))
            .bind(column(fired, |row| tenant(&row.1)))
            .bind(column(fired, |row| customer(&row.1)))
            .bind(column(rows, |row| row.0.micros()))
            .bind(column(rows, |row| tenant(&row.1)))
            .bind(column(rows, |row| customer(&row.1)))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn changes(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let rows = sorted(&batch.changes, |row| row.seq);
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let json: Result<Vec<String>, _> = rows
            .iter()
            .map(|row| changes::to_json(&row.changes))
            .collect();
        sqlx::query(include_str!("../changes.sql"))
            .bind(batch.partition)
            .bind(column(rows, |row| row.seq))
            .bind(column(rows, |row| tenant(&row.key)))
            .bind(column(rows, |row| customer(&row.key)))
            .bind(column(rows, |row| row.definition_version))
            .bind(json.map_err(|error| sqlx::Error::Encode(error.into()))?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn parked(
    connection: &mut PgConnection,
    topic: &str,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    if batch.parked.is_empty() && batch.unparked.is_empty() {
        return Ok(());
    }
    let rows = sorted(&batch.parked, |row| row.offset);
    // Parked again for another reason: one statement cannot both delete and insert a row.
    let parked_again = |offset: &i64| rows.binary_search_by_key(offset, |row| row.offset).is_ok();
    let folded: Vec<i64> = batch
        .unparked
        .iter()
        .copied()
        .filter(|offset| !parked_again(offset))
        .collect();
    sqlx::query(include_str!("../parked.sql"))
        .bind(topic)
        .bind(batch.partition)
        .bind(folded)
        .bind(column(&rows, |row| row.offset))
        .bind(column(&rows, |row| {
            row.tenant.as_ref().map(TenantId::as_str)
        }))
        .bind(column(&rows, |row| row.customer.as_deref().map(storable)))
        .bind(column(&rows, |row| row.reason.as_str()))
        .bind(column(&rows, |row| storable(&row.detail)))
        .bind(column(&rows, |row| row.field.as_deref().map(storable)))
        .bind(column(&rows, |row| row.key.as_deref()))
        .bind(column(&rows, |row| row.value.as_deref()))
        .bind(column(&rows, |row| encode_headers(&row.headers)))
        .bind(column(&rows, |row| row.appended_at.micros()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Text out of bytes nobody has validated: Postgres' text holds everything but NUL.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        return Cow::Owned(text.replace('\0', "\u{fffd}"));
    }
    Cow::Borrowed(text)
}

pub(super) async fn counts(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    if batch.counters.is_empty() && batch.digests.is_empty() {
        return Ok(());
    }
    let counters = sorted(&batch.counters, |(tenant, kind, name, _)| {
        (tenant, kind, name)
    });
    let digests = sorted(&batch.digests, |(tenant, _)| tenant);
    sqlx::query(include_str!("../counts.sql"))
        .bind(batch.partition)
        .bind(column(&counters, |row| row.0.as_str()))
        .bind(column(&counters, |row| row.1.name()))
        .bind(column(&counters, |row| &*row.2))
        .bind(column(&counters, |row| row.3))
        .bind(column(&digests, |row| row.0.as_str()))
        .bind(column(&digests, |row| row.1.customers))
        .bind(column(&digests, |row| row.1.events))
        .bind(column(&digests, |row| row.1.digest.to_bytes().to_vec()))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn checkpoint(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let Some(tenants) = batch
        .checkpoint
        .as_ref()
        .filter(|tenants| !tenants.is_empty())
    else {
        return Ok(());
    };
    let rows = sorted(tenants, |(tenant, _)| tenant);
    sqlx::query(include_str!("../checkpoint.sql"))
        .bind(batch.partition)
        .bind(batch.new_next_offset)
        .bind(column(&rows, |row| row.0.as_str()))
        .bind(column(&rows, |row| row.1.customers))
        .bind(column(&rows, |row| row.1.digest.to_bytes().to_vec()))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn activation(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let Some((version, clock)) = batch.activation else {
        return Ok(());
    };
    sqlx::query(include_str!("../activation.sql"))
        .bind(batch.partition)
        // They came into force before the first record of this batch.
        .bind(batch.old_next_offset)
        .bind(version)
        .bind(clock.micros())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn reevaluations(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    if batch.reevaluations.is_empty() {
        return Ok(());
    }
    let rows = sorted(&batch.reevaluations, |row| &row.tenant);
    sqlx::query(include_str!("../reevaluations.sql"))
        .bind(batch.partition)
        .bind(column(&rows, |row| row.tenant.as_str()))
        .bind(column(&rows, |row| row.version))
        .bind(column(&rows, |row| row.activated_at.micros()))
        .bind(column(&rows, |row| row.cursor.as_deref()))
        .bind(column(&rows, |row| row.evaluated))
        .bind(column(&rows, |row| row.done))
        .execute(connection)
        .await?;
    Ok(())
}

/// What this batch touches, for whoever keeps answers.
pub(super) async fn invalidation(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let invalidation = invalidation_of(batch);
    if invalidation.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("../invalidation.sql"))
        .bind(batch.partition)
        .bind(batch.old_commits + 1)
        .bind(batch.epoch)
        .bind(invalidation.encode())
        .bind(COMMITS_KEPT)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn tracked(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    if batch.tracked.is_empty() {
        return Ok(());
    }
    let (new, gone): (Vec<_>, Vec<_>) = batch
        .tracked
        .iter()
        .partition(|row| row.exact_from.is_some());
    sqlx::query(include_str!("../tracked_leaves.sql"))
        .bind(batch.partition)
        .bind(column(&gone, |row| row.tenant.as_str()))
        .bind(column(&gone, |row| row.leaf.0.cast_signed()))
        .bind(column(&new, |row| row.tenant.as_str()))
        .bind(column(&new, |row| row.leaf.0.cast_signed()))
        .bind(column(&new, |row| row.exact_from.map(Instant::micros)))
        .execute(connection)
        .await?;
    Ok(())
}

fn invalidation_of(batch: &Batch) -> Invalidation {
    let mut invalidation = Invalidation::default();
    for row in &batch.customers {
        invalidation.add_customer(&row.key.tenant, &row.key.customer);
    }
    let entered = batch.memberships.iter().map(|row| &row.0);
    for key in entered.chain(batch.memberships_left.iter().map(|row| &row.0)) {
        invalidation.add_aggregate(&key.tenant, AggregateKind::Memberships);
    }
    let entered = batch.positions.iter().map(|row| &row.0);
    for key in entered.chain(batch.positions_left.iter().map(|row| &row.0)) {
        invalidation.add_aggregate(&key.tenant, AggregateKind::Positions);
    }
    for (tenant, kind, ..) in &batch.counters {
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
            | CounterKind::Discarded => continue,
        };
        invalidation.add_aggregate(tenant, aggregate);
    }
    for tenant in batch.rollups.keys() {
        invalidation.add_aggregate(tenant, AggregateKind::Rollups);
    }
    for row in &batch.reevaluations {
        invalidation.add_aggregate(&row.tenant, AggregateKind::Evaluation);
    }
    invalidation
}
