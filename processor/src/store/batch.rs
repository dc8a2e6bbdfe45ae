//! A batch: everything that one commit of a partition writes.
//!
//! Each kind of row has a file in `batch/`: its data, its columns, its statement and how large it
//! is. The list of kinds is [`Rows`] below. A new kind is a file, its SQL, and a line of that list.

mod activation;
mod changes;
mod checkpoint;
mod clock_marks;
mod columns;
mod counts;
mod customers;
mod deferrals;
mod headers;
mod large;
mod memberships;
mod offboardings;
mod parked;
mod parked_bytes;
mod positions;
mod reevaluations;
mod rollups;
mod settled;
mod timers;
mod tracked;

use std::collections::BTreeSet;

use sqlx::postgres::PgConnection;
use tidemark_projections::invalidation::Invalidation;
use tidemark_schemas::{CustomerKey, Instant, TenantId};
use uuid::Uuid;

use super::error::StoreError;
use super::identity::LogIdentity;

pub use self::changes::ChangeSet;
pub use self::clock_marks::ClockMarks;
pub use self::counts::{Counts, TenantDigest};
pub use self::customers::CustomerRow;
pub use self::deferrals::{DeferralReason, DeferralRow, Deferrals, Scope};
pub use self::large::LargeRow;
pub use self::memberships::Memberships;
pub use self::offboardings::{Offboardings, Unerased};
pub(crate) use self::parked::parked_bytes;
pub use self::parked::{Parked, ParkedRow};
pub use self::parked_bytes::ParkedBytesRow;
pub use self::positions::Positions;
pub use self::reevaluations::{Reevaluation, Reevaluations};
pub use self::rollups::TenantRollups;
pub use self::settled::{Outcome, SettledRequest};
pub use self::timers::TimerRows;
pub use self::tracked::TrackedRow;

/// Everything one commit writes: the position of the partition before and after, and rows.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The partition of the topic.
    pub partition: i32,
    /// The epoch of the claim.
    pub epoch: i64,
    /// The nonce of the claim.
    pub nonce: Uuid,
    /// The count of commits that the fence expects; this batch makes it one more. That is how a
    /// lost answer to COMMIT is resolved, even for a batch that moves no offset.
    pub old_commits: i64,
    /// The position that the fence expects.
    pub old_next_offset: i64,
    /// The position after this batch (may equal the old one: timers, re-evaluation).
    pub new_next_offset: i64,
    /// The clock after this batch, in microseconds.
    pub clock: i64,
    /// The instant by which every timer due has fired after this batch, in microseconds.
    pub fired_to: i64,
    /// The clock follows the wall clock, not a fixed instant.
    pub wall_clock: bool,
    /// The last sequence given to a change set after this batch.
    pub change_seq: i64,
    /// The version of the definitions in force after this batch.
    pub definitions: i64,
    /// The evaluation version by which the partition is folded.
    pub evaluation: i32,
    /// The log up to this batch; what is not known of it stays as it was.
    pub log: LogIdentity,
    /// The rows.
    pub rows: Rows,
}

/// The place of a batch: the partition, and its position before and after the commit.
#[derive(Debug, Clone, Copy)]
struct CommitContext<'a> {
    topic: &'a str,
    partition: i32,
    old_next_offset: i64,
    new_next_offset: i64,
}

/// About how many bytes one row without large values takes.
const ROW_BYTES: usize = 160;

/// One kind of row in a batch.
trait RowKind {
    /// Returns whether there is nothing to write.
    fn is_empty(&self) -> bool;

    /// Returns about how many bytes the rows hold; nothing for kinds of a few rows.
    fn bytes(&self) -> usize {
        0
    }

    /// Adds what the rows invalidate in response caches.
    fn invalidate(&self, _invalidation: &mut Invalidation) {}

    /// Writes the rows, of which there is at least one.
    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error>;
}

/// Declares the kinds of row, in the order in which they are written.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $field:ident: $kind:ty;)+) => {
        /// The rows of a batch, by kind. Rows are unique by key; writing them sorts them.
        #[derive(Debug, Clone, Default)]
        pub struct Rows {
            $($(#[doc = $doc])+ pub $field: $kind,)+
        }

        impl Rows {
            /// Returns whether there are no rows of any kind.
            pub(crate) fn is_empty(&self) -> bool {
                $(RowKind::is_empty(&self.$field))&&+
            }

            fn bytes(&self) -> usize {
                [$(RowKind::bytes(&self.$field)),+].iter().sum()
            }

            fn invalidation(&self) -> Invalidation {
                let mut invalidation = Invalidation::default();
                $(RowKind::invalidate(&self.$field, &mut invalidation);)+
                invalidation
            }

            async fn write(
                &self,
                connection: &mut PgConnection,
                context: CommitContext<'_>,
            ) -> Result<(), StoreError> {
                $(if !RowKind::is_empty(&self.$field) {
                    let written = RowKind::write(&self.$field, connection, context).await;
                    written.map_err(|error| StoreError::of_rows(stringify!($field), error))?;
                })+
                Ok(())
            }
        }
    };
}

kinds! {
    /// Rows of offboarded tenants that are erased. First: what else the batch writes of them came after.
    offboardings: Offboardings;
    /// The last state of each customer touched.
    customers: Vec<CustomerRow>;
    /// Large customers, and those that are not large any more.
    large: Vec<LargeRow>;
    /// Segments entered and left.
    memberships: Memberships;
    /// Stages entered and journeys left.
    positions: Positions;
    /// Due times written and fired.
    timers: TimerRows;
    /// The changes of each customer, in sequence.
    changes: Vec<ChangeSet>;
    /// Events parked, and events that are not parked any more.
    parked: Parked;
    /// The bytes of parked events, where they have changed.
    parked_bytes: Vec<ParkedBytesRow>;
    /// The outcomes of operator commands.
    settled: Vec<SettledRequest>;
    /// The clock at records of which the append time does not tell it. Before the deferrals: the last
    /// that ends removes them.
    clock_marks: ClockMarks;
    /// Scopes deferred, caught up further, or folded again.
    deferrals: Deferrals;
    /// Counters by their deltas, and digests as they now are.
    counts: Counts;
    /// The deltas of each tenant's rollups.
    rollups: TenantRollups;
    /// Every tenant's digest, set when the batch ends at an offset divisible by 50,000.
    checkpoint: Option<Vec<(TenantId, TenantDigest)>>;
    /// Version and clock, set when new definitions come into force with this batch.
    activation: Option<(i64, Instant)>;
    /// Re-evaluations begun, advanced or finished.
    reevaluations: Reevaluations;
    /// Leaves tracked from now on, or no longer.
    tracked: Vec<TrackedRow>;
}

impl Rows {
    /// Returns the customers that have rows of their own: every row of another kind that a customer causes
    /// comes with one of these.
    pub(crate) fn customer_keys(&self) -> BTreeSet<&CustomerKey> {
        let customers = self.customers.iter().map(|row| &row.key);
        customers.chain(self.timers.keys()).collect()
    }
}

impl Batch {
    /// Returns about how many bytes of memory the batch takes while it is written: its rows, the
    /// arguments and the message made of them, and the capacity that both reserve ahead.
    pub(crate) fn bytes(&self) -> usize {
        4 * self.rows.bytes()
    }

    /// Writes every row, behind the fence.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        topic: &str,
    ) -> Result<(), StoreError> {
        let context = CommitContext {
            topic,
            partition: self.partition,
            old_next_offset: self.old_next_offset,
            new_next_offset: self.new_next_offset,
        };
        self.rows.write(connection, context).await
    }

    /// Returns what the batch invalidates in response caches.
    pub(super) fn invalidation(&self) -> Invalidation {
        self.rows.invalidation()
    }
}
