//! Rows of `deferral`: scopes that are not folded now, and how far they have caught up.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_projections::invalidation::{AggregateKind, Invalidation};
use tidemark_projections::state::LeafId;
use tidemark_schemas::{CustomerId, CustomerKey, Instant, TenantId};

use super::columns::{column, storable};
use super::{CommitContext, RowKind};
use crate::store::decode::{instant, tenant};
use crate::store::error::StoreError;

/// A tenant, or one of its customers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The tenant.
    pub tenant: TenantId,
    /// The customer; `None` for the whole tenant.
    pub customer: Option<CustomerId>,
}

/// The reason why a scope is deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeferralReason {
    /// Too large a share of the tenant's records was parked: an operator resumes it.
    Halted,
    /// The tenant's parked events take as many bytes as they may: an operator removes some and resumes it.
    Quota,
    /// The tenant is not defined.
    Undefined,
    /// The customer could not be folded or evaluated: an operator, or another version, tries again.
    Quarantined,
}

/// A scope that is not folded now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferralRow {
    /// The scope.
    pub scope: Scope,
    /// The reason.
    pub reason: DeferralReason,
    /// What happened.
    pub detail: String,
    /// The first record that was not folded.
    pub from_offset: i64,
    /// The first record that is not folded yet.
    pub next_offset: i64,
    /// The clock of the scope.
    pub clock: Instant,
    /// Every timer of the scope due by then has fired.
    pub fired_to: Instant,
    /// The version of the definitions in force for the scope; -1 before its first.
    pub definitions: i64,
    /// The evaluation version of the scope's customers.
    pub evaluation: i32,
    /// The number of events that the partition has passed over.
    pub events: i64,
    /// The tracked leaves in force, and the instants from which they are exact: of a customer alone, since those
    /// of a tenant have rows of their own.
    pub tracked: Vec<(LeafId, Instant)>,
    /// The clock at which the definitions came into force, for a customer that was not evaluated with them yet.
    pub redefined_at: Option<Instant>,
    /// The version of the processor that could not fold it.
    pub binary_version: String,
}

/// The scopes deferred, caught up further, or folded again with a batch: the last state of each.
#[derive(Debug, Clone, Default)]
pub struct Deferrals {
    set: BTreeMap<Scope, DeferralRow>,
    begun: BTreeSet<Scope>,
    stopped: BTreeSet<Scope>,
    ended: BTreeSet<Scope>,
}

impl Scope {
    /// Returns the scope of a whole tenant.
    pub const fn tenant(tenant: TenantId) -> Self {
        Self {
            tenant,
            customer: None,
        }
    }

    /// Returns the scope of one customer.
    pub fn customer(key: CustomerKey) -> Self {
        Self {
            tenant: key.tenant,
            customer: Some(key.customer),
        }
    }

    /// Returns the key of the customer; `None` for a whole tenant.
    pub fn key(&self) -> Option<CustomerKey> {
        self.customer.clone().map(|customer| CustomerKey {
            tenant: self.tenant.clone(),
            customer,
        })
    }

    /// Returns whether a customer is in the scope.
    pub fn covers(&self, key: &CustomerKey) -> bool {
        let whole = self.customer.is_none();
        self.tenant == key.tenant && (whole || self.customer.as_ref() == Some(&key.customer))
    }

    /// Returns the id of the customer as it is stored: empty for a whole tenant.
    pub fn customer_column(&self) -> &str {
        self.customer.as_ref().map_or("", CustomerId::as_str)
    }

    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        let customer = match row.try_get("customer_id")? {
            "" => None,
            id => Some(CustomerId::new(id).map_err(|error| {
                StoreError::Damaged(format!("the customer id of a deferral {error}"))
            })?),
        };
        let tenant = tenant(row)?;
        Ok(Self { tenant, customer })
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.customer {
            None => write!(f, "tenant {}", self.tenant),
            Some(customer) => write!(f, "customer {}/{}", self.tenant, customer.as_str()),
        }
    }
}

impl DeferralReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Halted,
        Self::Quota,
        Self::Undefined,
        Self::Quarantined,
    ];

    /// Returns the name in tables, metrics and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Quota => "quota",
            Self::Undefined => "undefined",
            Self::Quarantined => "quarantined",
        }
    }

    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        let name: &str = row.try_get("reason")?;
        let found = Self::ALL.into_iter().find(|reason| reason.as_str() == name);
        found.ok_or_else(|| StoreError::Damaged(format!("unknown reason of a deferral: {name:?}")))
    }
}

impl DeferralRow {
    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        let redefined_at: Option<i64> = row.try_get("redefined_at")?;
        Ok(Self {
            scope: Scope::from_row(row)?,
            reason: DeferralReason::from_row(row)?,
            detail: row.try_get("detail")?,
            from_offset: row.try_get("from_offset")?,
            next_offset: row.try_get("next_offset")?,
            clock: instant(row, "clock")?,
            fired_to: instant(row, "fired_to")?,
            definitions: row.try_get("definitions")?,
            evaluation: row.try_get("evaluation")?,
            events: row.try_get("events")?,
            tracked: decode_tracked(row.try_get("tracked")?)?,
            redefined_at: redefined_at.and_then(Instant::from_micros),
            binary_version: row.try_get("binary_version")?,
        })
    }
}

fn encode_tracked(tracked: &[(LeafId, Instant)]) -> String {
    let pair = |(leaf, exact_from): &(LeafId, Instant)| {
        serde_json::json!([leaf.0.cast_signed(), exact_from.micros()])
    };
    serde_json::Value::Array(tracked.iter().map(pair).collect()).to_string()
}

fn decode_tracked(text: &str) -> Result<Vec<(LeafId, Instant)>, StoreError> {
    let damaged = || StoreError::Damaged(format!("the tracked leaves of a deferral: {text}"));
    let pairs: Vec<(i64, i64)> = serde_json::from_str(text).map_err(|_| damaged())?;
    let leaf = |(leaf, exact_from): (i64, i64)| {
        let exact_from = Instant::from_micros(exact_from).ok_or_else(damaged)?;
        Ok((LeafId(leaf.cast_unsigned()), exact_from))
    };
    pairs.into_iter().map(leaf).collect()
}

impl Deferrals {
    /// Sets the state of a deferred scope.
    pub fn set(&mut self, row: DeferralRow) {
        self.set.insert(row.scope.clone(), row);
    }

    /// Begins the deferral of a scope; an earlier one may end with the same batch.
    pub fn begin(&mut self, row: DeferralRow) {
        self.begun.insert(row.scope.clone());
        self.set(row);
    }

    /// Lets a scope stand still until it is resumed again.
    pub fn stand(&mut self, row: DeferralRow) {
        self.stopped.insert(row.scope.clone());
        self.set(row);
    }

    /// Ends a deferral: the partition folds the scope after this batch.
    pub fn end(&mut self, scope: Scope) {
        self.set.remove(&scope);
        self.begun.remove(&scope);
        self.stopped.remove(&scope);
        self.ended.insert(scope);
    }

    /// Returns the scopes deferred or caught up further.
    pub fn rows(&self) -> impl Iterator<Item = &DeferralRow> {
        self.set.values()
    }

    /// Returns the scopes that are folded again.
    pub fn ended(&self) -> impl Iterator<Item = &Scope> {
        self.ended.iter()
    }
}

impl RowKind for Deferrals {
    fn is_empty(&self) -> bool {
        self.set.is_empty() && self.ended.is_empty()
    }

    /// What is read of a tenant that stands still, or no longer does, is fresh otherwise.
    fn invalidate(&self, invalidation: &mut Invalidation) {
        let scopes = self.begun.iter().chain(&self.ended);
        for scope in scopes.filter(|scope| scope.customer.is_none()) {
            for kind in AggregateKind::ALL {
                invalidation.add_aggregate(&scope.tenant, kind);
            }
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let partition = context.partition;
        let ended: Vec<&Scope> = self.ended.iter().collect();
        if !ended.is_empty() {
            of_scopes(
                include_str!("../end_deferrals.sql"),
                partition,
                &ended,
                connection,
            )
            .await?;
        }
        let rows: Vec<&DeferralRow> = self.set.values().collect();
        if !rows.is_empty() {
            sqlx::query(include_str!("../deferrals.sql"))
                .bind(partition)
                .bind(column(&rows, |row| row.scope.tenant.as_str()))
                .bind(column(&rows, |row| row.scope.customer_column()))
                .bind(column(&rows, |row| row.reason.as_str()))
                .bind(column(&rows, |row| storable(&row.detail)))
                .bind(column(&rows, |row| row.from_offset))
                .bind(column(&rows, |row| row.next_offset))
                .bind(column(&rows, |row| row.clock.micros()))
                .bind(column(&rows, |row| row.fired_to.micros()))
                .bind(column(&rows, |row| row.definitions))
                .bind(column(&rows, |row| row.evaluation))
                .bind(column(&rows, |row| row.events))
                .bind(column(&rows, |row| encode_tracked(&row.tracked)))
                .bind(column(&rows, |row| row.redefined_at.map(Instant::micros)))
                .bind(column(&rows, |row| row.binary_version.as_str()))
                .execute(&mut *connection)
                .await?;
        }
        if !ended.is_empty() {
            sqlx::query(include_str!("../clear_clock_marks.sql"))
                .bind(partition)
                .execute(&mut *connection)
                .await?;
        }
        let stopped: Vec<&Scope> = self.stopped.iter().collect();
        if !stopped.is_empty() {
            let statement = include_str!("../stop_deferrals.sql");
            of_scopes(statement, partition, &stopped, connection).await?;
        }
        Ok(())
    }
}

async fn of_scopes(
    statement: &'static str,
    partition: i32,
    scopes: &[&Scope],
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(statement)
        .bind(partition)
        .bind(column(scopes, |scope| scope.tenant.as_str()))
        .bind(column(scopes, |scope| scope.customer_column()))
        .execute(connection)
        .await?;
    Ok(())
}
