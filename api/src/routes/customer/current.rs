//! A stored customer, advanced to the clock of its partition.

use std::sync::Arc;

use sqlx::FromRow;
use tidemark_projections::customer::{Customer, Encoded};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_schemas::{CustomerId, Instant};

use crate::database::{Snapshot, clock};
use crate::http::{Problem, RequestId};
use crate::routes::personal::{self, PersonalOutputs};

/// The stored columns of a customer.
#[derive(Debug, FromRow)]
pub(super) struct Row {
    state: Vec<u8>,
    tracked: Option<Vec<u8>>,
    evaluated: Vec<u8>,
    pub(super) first_seen_at: i64,
    pub(super) last_seen_at: i64,
    clock: Option<i64>,
    definitions: Option<i64>,
    newest_definitions: Option<i64>,
}

/// A stored customer and the versions of the definitions that apply to it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) row: Row,
    /// The definitions its evaluated state was made with.
    pub(super) definitions: Arc<TenantDefinitions>,
    newest: Arc<TenantDefinitions>,
}

/// A customer at the clock of its partition.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) customer: Customer,
    pub(super) as_of: Instant,
}

impl Found {
    /// Reads the customer; a problem if the tenant has no customer with this id.
    pub(super) async fn read(
        id: &CustomerId,
        snapshot: &mut Snapshot<'_>,
    ) -> Result<Self, Problem> {
        let topic = snapshot.generation().topic.clone();
        let row = sqlx::query_as::<_, Row>(include_str!("../../sql/customer.sql"))
            .bind(snapshot.tenant())
            .bind(id.as_str())
            .bind(topic)
            .fetch_optional(snapshot.connection())
            .await?;
        let row = row.ok_or_else(|| Problem::not_found("customer", id.as_str()))?;
        snapshot.require_own_fold_version()?;
        let (Some(used), Some(newest)) = (row.definitions, row.newest_definitions) else {
            let detail = format!("customer {id} has state, its tenant no definitions");
            return Err(Problem::internal(detail));
        };
        Ok(Self {
            row,
            definitions: snapshot.definitions_of(used).await?,
            newest: snapshot.definitions_of(newest).await?,
        })
    }

    /// Returns whether an attribute is hidden from viewers, from the moment it is declared
    /// personal.
    pub(super) fn is_personal(&self, name: &str) -> bool {
        self.definitions.is_personal(name) || self.newest.is_personal(name)
    }

    /// Returns the outputs that are derived from personal attributes, as the caller may see them.
    pub(super) fn personal_outputs(&self, snapshot: &Snapshot<'_>) -> PersonalOutputs {
        let is_personal = |name: &str| self.is_personal(name);
        let mut derived = self.definitions.derived_from(is_personal);
        derived.extend(self.newest.derived_from(is_personal));
        PersonalOutputs::from_derived(derived, snapshot.caller())
    }

    /// Decodes the customer as it is stored.
    pub(super) fn customer(&self, id: &CustomerId) -> Result<Customer, Problem> {
        let stored = Encoded {
            state: &self.row.state[..],
            tracked: self.row.tracked.as_deref().unwrap_or_default(),
            evaluated: &self.row.evaluated,
        };
        Customer::decode(id, stored).map_err(Problem::internal)
    }

    /// Advances the customer to the clock of its partition.
    pub(super) fn current(&self, id: &CustomerId) -> Result<Current, Problem> {
        let mut customer = self.customer(id)?;
        let clock = self.row.clock.and_then(clock).unwrap_or(Instant::MIN);
        let as_of = clock.max(customer.evaluated().evaluated_at);
        // The timers of the customer may be due and not have fired yet; the same steps are taken here, so
        // that `since` is what the processor will write too.
        customer.advance(&self.definitions, as_of);
        Ok(Current { customer, as_of })
    }
}

/// Records a read of a customer's personal attributes, or of what is derived from them.
pub(super) async fn record(
    id: &CustomerId,
    request_id: &RequestId,
    snapshot: &mut Snapshot<'_>,
) -> Result<(), Problem> {
    personal::record("customer", id.as_str(), request_id, snapshot).await
}
