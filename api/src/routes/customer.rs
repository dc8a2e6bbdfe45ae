//! `GET /v1/customers/{id}`: everything about one customer, derived from its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use sqlx::FromRow;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::outputs::{self, Churn, OrdersSummary, StageOutput};
use tidemark_projections::standing::Standing;
use tidemark_projections::state::{CustomerState, Tracked};
use tidemark_schemas::{AttributeValue, CustomerId, Instant};
use utoipa::ToSchema;

use super::warming::CountsFrom;
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::auth::Caller;
use crate::database::{Access, Query, Snapshot, clock, instant};
use crate::extract::{Named, NothingAsked, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;
use crate::request_id::RequestId;
use membership::{Candidate, Membership};

mod membership;
mod summary;

/// One customer, asked for in one request.
#[derive(Debug)]
struct OneCustomer {
    id: CustomerId,
    request_id: RequestId,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Customer)]
pub(crate) struct Profile {
    customer_id: CustomerId,
    /// When the oldest of its events occurred.
    first_seen_at: Instant,
    /// When the newest of its events occurred.
    last_seen_at: Instant,
    /// By name, without those that are masked.
    attributes: BTreeMap<Arc<str>, AttributeValue>,
    /// Attributes the customer has whose values this caller may not see.
    masked_attributes: Vec<Arc<str>>,
    /// What was bought, in the tenant's currency.
    orders: OrdersSummary,
    /// What was done, by the event's name.
    activity: BTreeMap<Arc<str>, summary::Done>,
    /// What was said in the days that are kept.
    conversations: summary::Said,
    /// Where the customer stands, by journey; journeys never entered are absent.
    journeys: BTreeMap<Arc<str>, StageOutput>,
    /// Those the customer is in.
    segments: Vec<Membership>,
    /// Segments that the customer is not in as far as was counted, and that are not exact yet.
    may_be_in: Vec<Candidate>,
    /// How likely the customer is gone.
    churn: Churn,
    /// The instant everything here is true at.
    as_of: Instant,
    /// Version of the tenant's definitions it was derived with.
    definitions: i64,
    /// Personal attributes are shown, which is recorded.
    #[serde(skip)]
    is_recorded: bool,
}

#[derive(Debug, FromRow)]
struct Row {
    state: Vec<u8>,
    tracked: Option<Vec<u8>>,
    standing: Vec<u8>,
    first_seen_at: i64,
    last_seen_at: i64,
    clock: Option<i64>,
    definitions: Option<i64>,
    newest_definitions: Option<i64>,
}

/// Everything about one customer
///
/// Derived from the customer's state at the clock of its partition (`as_of`), so also what time
/// alone changed is in it. Viewers see no personal attributes, only their names; when another role
/// reads them, that is recorded with the request id, and no cache may keep the answer.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}",
    operation_id = "get_customer",
    tag = "customers",
    params(("id" = CustomerId, Path, description = "The customer's id, percent-encoded.")),
    responses(
        (status = 200, description = "The customer.", body = Profile),
        NotFound,
    ),
)]
pub(crate) async fn one(
    State(service): State<Service>,
    Named(id): Named,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let id = CustomerId::new(&id)
        .map_err(|error| Problem::unprocessable("id", format!("the customer id {error}")))?;
    let request_id = asking.request_id.clone();
    service
        .answer(&asking, &OneCustomer { id, request_id })
        .await
}

impl Query for OneCustomer {
    type Answer = Profile;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::on(&self.id))
    }

    fn is_recorded(profile: &Profile) -> bool {
        profile.is_recorded
    }

    fn access(&self, caller: &Caller) -> Access {
        if caller.role.sees_personal_attributes() {
            Access::Audited
        } else {
            Access::Read
        }
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Self::Answer, Problem> {
        let row = self.row(snapshot).await?;
        snapshot.require_own_fold_version()?;
        let (Some(used), Some(newest)) = (row.definitions, row.newest_definitions) else {
            let detail = format!("customer {} has state, its tenant no definitions", self.id);
            return Err(Problem::internal(detail));
        };
        let definitions = snapshot.definitions_of(used).await?;
        let newest = snapshot.definitions_of(newest).await?;
        let counts_from = CountsFrom::read(snapshot, &definitions).await?;
        let mut customer = self.derive(&row, &definitions, &counts_from)?;
        let is_personal = |name: &str| definitions.is_personal(name) || newest.is_personal(name);
        let personal: Vec<Arc<str>> = customer
            .attributes
            .keys()
            .filter(|name| is_personal(name))
            .cloned()
            .collect();
        if personal.is_empty() {
            return Ok(customer);
        }
        if snapshot.caller().role.sees_personal_attributes() {
            self.record(snapshot).await?;
            customer.is_recorded = true;
            return Ok(customer);
        }
        customer.attributes.retain(|name, _| !is_personal(name));
        customer.masked_attributes = personal;
        Ok(customer)
    }
}

impl OneCustomer {
    async fn row(&self, snapshot: &mut Snapshot<'_>) -> Result<Row, Problem> {
        let topic = snapshot.generation().topic.clone();
        let row = sqlx::query_as::<_, Row>(include_str!("../sql/customer.sql"))
            .bind(snapshot.tenant())
            .bind(self.id.as_str())
            .bind(topic)
            .fetch_optional(snapshot.connection())
            .await?;
        row.ok_or_else(|| Problem::NotFound {
            kind: "customer",
            name: self.id.to_string(),
        })
    }

    fn derive(
        &self,
        row: &Row,
        definitions: &TenantDefinitions,
        counts_from: &CountsFrom,
    ) -> Result<Profile, Problem> {
        let mut state = CustomerState::decode(&row.state).map_err(Problem::internal)?;
        let tracked = row.tracked.as_deref().unwrap_or_default();
        state.tracked = Tracked::decode(tracked).map_err(Problem::internal)?;
        state.belongs_to(&self.id);
        let mut standing = Standing::decode(&row.standing).map_err(Problem::internal)?;
        let clock = row.clock.and_then(clock).unwrap_or(Instant::MIN);
        let as_of = clock.max(standing.evaluated_at);
        // The processor steps through due times before it moves the clock; where it was stopped in
        // between, the same steps are taken here, so that `since` is what it will say too.
        standing.step_to(&state, definitions, as_of, &mut Vec::new());
        let known = standing.history(definitions, as_of);
        let outputs = outputs::derive_knowing(known, &state, definitions, as_of);
        let (segments, may_be_in) =
            membership::told(standing.segments, definitions, counts_from, as_of);
        Ok(Profile {
            customer_id: self.id.clone(),
            first_seen_at: instant(row.first_seen_at)?,
            last_seen_at: instant(row.last_seen_at)?,
            attributes: outputs.attributes,
            masked_attributes: Vec::new(),
            orders: outputs.orders,
            activity: summary::done(&state.activity),
            conversations: summary::said(&state.conversations),
            journeys: outputs.journeys,
            segments,
            may_be_in,
            churn: outputs.churn,
            as_of,
            definitions: definitions.version,
            is_recorded: false,
        })
    }

    /// In the transaction of the read: no answer without its record.
    async fn record(&self, snapshot: &mut Snapshot<'_>) -> Result<(), Problem> {
        let caller = snapshot.caller();
        sqlx::query(include_str!("../sql/audit.sql"))
            .bind(caller.tenant.as_str())
            .bind(&caller.subject)
            .bind(caller.role.as_str())
            .bind("customer.personal_attributes")
            .bind(self.id.as_str())
            .bind(self.request_id.as_str())
            .execute(snapshot.connection())
            .await?;
        Ok(())
    }
}
