//! Taking a partition.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use tidemark_projections::evaluated::EVALUATION_VERSION;
use tidemark_schemas::{Instant, TenantId};
use uuid::Uuid;

use super::batch::{DeferralRow, LargeRow, ParkedBytesRow, Reevaluation, TenantDigest, TrackedRow};
use super::connections::{Connections, answered};
use super::decode::{instant, tenant};
use super::error::{StoreError, lock_timed_out};
use super::identity::LogIdentity;

/// The stored position and state of a claimed partition. Nothing of it may be loaded before the claim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The epoch of the fence, valid until another claim.
    pub epoch: i64,
    /// Tells the claim from another of the same epoch, which a failover to an older copy of the database
    /// may issue.
    pub nonce: Uuid,
    /// The number of commits since the partition began: every batch adds one.
    pub commits: i64,
    /// The first offset not folded.
    pub next_offset: i64,
    /// The partition's clock.
    pub clock: Instant,
    /// The instant by which every timer due has fired; at most the clock.
    pub fired_to: Instant,
    /// The last sequence given to a change.
    pub change_seq: i64,
    /// The version of the definitions in force; -1 before the first.
    pub definitions: i64,
    /// The evaluation version by which the partition was last folded: not above this binary's.
    pub evaluation: i32,
    /// Customers, events folded and digest of each tenant.
    pub digests: Vec<(TenantId, TenantDigest)>,
    /// Re-evaluations that are not finished.
    pub reevaluations: Vec<Reevaluation>,
    /// The leaves tracked, and from when on each is exact.
    pub tracked: Vec<TrackedRow>,
    /// The large customers.
    pub large: Vec<LargeRow>,
    /// The bytes of parked events.
    pub parked_bytes: Vec<ParkedBytesRow>,
    /// The log that was folded so far.
    pub log: LogIdentity,
    /// The deferred scopes, and whether an operator resumed each.
    pub deferrals: Vec<(DeferralRow, bool)>,
    /// The tenants of which rows are still to be erased.
    pub offboardings: Vec<TenantId>,
    /// Whether the clock of the partition is kept at any record.
    pub has_clock_marks: bool,
}

/// An epoch lost in a crash would be issued again, so claims wait for the disk; where a failover loses one
/// nevertheless, the nonce fences its owner.
const BEGIN: &str = "begin; set local synchronous_commit = on";

/// The number of times that a claim disconnects the session that blocks it.
const ATTEMPTS: u32 = 3;

pub(super) async fn claim(
    connections: &Connections,
    topic: &str,
    partition: i32,
    owner: &str,
) -> Result<Claim, StoreError> {
    let mut attempt = 1;
    loop {
        let mut pooled = connections.acquire().await?;
        let result = answered(try_claim(pooled.connection(), topic, partition, owner)).await;
        match pooled.settle(result) {
            Err(StoreError::Unavailable(error)) if lock_timed_out(&error) && attempt < ATTEMPTS => {
                attempt += 1;
                disconnect_holder(connections, topic, partition).await?;
            }
            other => return other,
        }
    }
}

async fn try_claim(
    connection: &mut PgConnection,
    topic: &str,
    partition: i32,
    owner: &str,
) -> Result<Claim, StoreError> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let progress = sqlx::query(include_str!("claim.sql"))
        .bind(topic)
        .bind(partition)
        .bind(Instant::MIN.micros())
        .bind(owner)
        .bind(EVALUATION_VERSION)
        .fetch_one(&mut *transaction)
        .await?;
    let evaluation = progress.try_get("evaluation")?;
    if let Err(newer) = check_evaluation(partition, evaluation) {
        transaction.rollback().await?;
        return Err(newer);
    }
    let digests = include_str!("claim_digests.sql");
    let reevaluations = include_str!("claim_reevaluations.sql");
    let tracked = include_str!("claim_tracked.sql");
    let large = include_str!("claim_large_customers.sql");
    let parked_bytes = include_str!("claim_parked_bytes.sql");
    let deferrals = include_str!("load_deferrals.sql");
    let offboardings = include_str!("claim_offboardings.sql");
    let has_clock_marks = sqlx::query_scalar(include_str!("has_clock_marks.sql"))
        .bind(partition)
        .fetch_one(&mut *transaction)
        .await?;
    let (all, of) = (&mut transaction, partition);
    let claim = Claim {
        epoch: progress.try_get("epoch")?,
        nonce: progress.try_get("nonce")?,
        commits: progress.try_get("commits")?,
        next_offset: progress.try_get("next_offset")?,
        clock: instant(&progress, "clock")?,
        fired_to: instant(&progress, "fired_to")?,
        change_seq: progress.try_get("change_seq")?,
        definitions: progress.try_get("definitions")?,
        evaluation,
        digests: rows(all, digests, of, TenantDigest::from_row).await?,
        reevaluations: rows(all, reevaluations, of, Reevaluation::from_row).await?,
        tracked: rows(all, tracked, of, TrackedRow::from_row).await?,
        large: rows(all, large, of, LargeRow::from_row).await?,
        parked_bytes: rows(all, parked_bytes, of, ParkedBytesRow::from_row).await?,
        log: LogIdentity::from_row(&progress)?,
        deferrals: rows(all, deferrals, of, deferral).await?,
        offboardings: rows(all, offboardings, of, tenant).await?,
        has_clock_marks,
    };
    transaction.commit().await?;
    Ok(claim)
}

/// Returns the rows of a partition that a statement selects.
async fn rows<T>(
    connection: &mut PgConnection,
    statement: &'static str,
    partition: i32,
    read: impl Fn(&PgRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = sqlx::query(statement).bind(partition);
    let rows = rows.fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

fn deferral(row: &PgRow) -> Result<(DeferralRow, bool), StoreError> {
    let resume_by: Option<&str> = row.try_get("resume_by")?;
    Ok((DeferralRow::from_row(row)?, resume_by.is_some()))
}

/// Returns an error if a newer binary has begun to evaluate the partition otherwise.
const fn check_evaluation(partition: i32, found: i32) -> Result<(), StoreError> {
    if found <= EVALUATION_VERSION {
        return Ok(());
    }
    Err(StoreError::EvaluationVersion {
        partition,
        found,
        ours: EVALUATION_VERSION,
    })
}

/// Ends the session that holds the partition's row for longer than a commit may take, because its
/// process is stopped or cut off. The epoch would fence it anyway, but only after it releases the row.
async fn disconnect_holder(
    connections: &Connections,
    topic: &str,
    partition: i32,
) -> Result<(), StoreError> {
    let mut pooled = connections.acquire().await?;
    let result = answered(try_disconnect(pooled.connection(), topic, partition)).await;
    pooled.settle(result)
}

async fn try_disconnect(
    connection: &mut PgConnection,
    topic: &str,
    partition: i32,
) -> Result<(), sqlx::Error> {
    let holders: Vec<i32> = sqlx::query_scalar(include_str!("stalled_holder.sql"))
        .bind(topic)
        .bind(partition)
        .fetch_all(&mut *connection)
        .await?;
    for pid in holders {
        tracing::warn!(
            topic,
            partition,
            pid,
            "disconnecting the stalled owner of a partition"
        );
        // A login may end its own sessions, not the group role it has taken on.
        let mut transaction = connection.begin_with("begin; set local role none").await?;
        let ended = sqlx::query(include_str!("terminate.sql"))
            .bind(pid)
            .execute(&mut *transaction)
            .await;
        if let Err(error) = ended {
            tracing::warn!(topic, partition, pid, %error, "cannot disconnect the stalled owner");
        }
        transaction.rollback().await?;
    }
    Ok(())
}
