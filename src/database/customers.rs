//! Customers as stored, with the definitions of their evaluated state.

use anyhow::{Context as _, anyhow};
use sqlx::FromRow;
use tidemark_projections::customer::{Customer, Encoded};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_schemas::{CustomerId, Instant, TenantId};

use super::Projections;

/// A customer's row.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct StoredCustomer {
    pub(crate) customer_id: String,
    state: Vec<u8>,
    tracked: Option<Vec<u8>>,
    evaluated: Vec<u8>,
    /// The version of the definitions of its evaluated state.
    pub(crate) definition_version: i64,
    /// The clock of its partition, in microseconds.
    clock: Option<i64>,
}

/// A customer at the clock of its partition.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) customer: Customer,
    /// The later of the clock and the instant of the last evaluation.
    pub(crate) as_of: Instant,
}

#[derive(FromRow)]
struct StoredDefinitions {
    version: i64,
    /// The append time, in microseconds.
    appended_at: i64,
    /// The format of the bundle.
    format: i32,
    /// The definitions as JSON.
    definition: String,
}

impl StoredCustomer {
    /// Advances the customer to the clock of its partition, as the processor does. The definitions
    /// must be those of its evaluated state.
    pub(crate) fn current(&self, definitions: &TenantDefinitions) -> anyhow::Result<Current> {
        let id = &self.customer_id;
        let unreadable = || format!("the state of customer {id} cannot be read");
        let id = CustomerId::new(id).map_err(|error| anyhow!("customer {id:?}: the id {error}"))?;
        let stored = Encoded {
            state: &self.state[..],
            tracked: self.tracked.as_deref().unwrap_or_default(),
            evaluated: &self.evaluated,
        };
        let mut customer = Customer::decode(&id, stored).with_context(unreadable)?;
        let clock = self.clock.and_then(Instant::from_micros);
        let evaluated_at = customer.evaluated().evaluated_at;
        let as_of = clock.map_or(evaluated_at, |clock| clock.max(evaluated_at));
        customer.advance(definitions, as_of);
        Ok(Current { customer, as_of })
    }
}

impl Projections {
    /// Returns one customer; `topic` is the topic of its events.
    pub(crate) async fn customer(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        topic: &str,
    ) -> sqlx::Result<Option<StoredCustomer>> {
        sqlx::query_as(include_str!("customer.sql"))
            .bind(tenant.as_str())
            .bind(topic)
            .bind(customer.as_str())
            .fetch_optional(&self.pool)
            .await
    }

    /// Returns a page of a tenant's customers after an id, in the order of ids.
    pub(crate) async fn customers(
        &self,
        tenant: &TenantId,
        topic: &str,
        after: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<StoredCustomer>> {
        sqlx::query_as(include_str!("customers.sql"))
            .bind(tenant.as_str())
            .bind(topic)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }

    /// Returns a tenant's definitions as of a version.
    pub(crate) async fn definitions(
        &self,
        tenant: &TenantId,
        version: i64,
    ) -> anyhow::Result<TenantDefinitions> {
        let stored: StoredDefinitions = sqlx::query_as(include_str!("definition.sql"))
            .bind(tenant.as_str())
            .bind(version)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| anyhow!("tenant {tenant} has no definitions of version {version}"))?;
        let appended_at = Instant::from_micros(stored.appended_at)
            .ok_or_else(|| anyhow!("{} is not an instant", stored.appended_at))?;
        let (format, definition) = (stored.format, &stored.definition);
        TenantDefinitions::from_stored(format, definition, stored.version, appended_at)
            .context("the stored definitions")
    }
}
