//! `GET /v1/customers/{id}`: everything about one customer, derived from its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::outputs::{self, Churn, OrdersSummary, StageOutput};
use tidemark_schemas::{AttributeValue, CustomerId, Instant};
use utoipa::ToSchema;

use super::backfilling::CountsFrom;
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::auth::Caller;
use crate::database::{Access, Query, Snapshot, instant};
use crate::extract::{Named, NothingAsked, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;
use crate::request_id::RequestId;
use current::{Current, Found, Personal};
use membership::{Candidate, Membership};

mod current;
mod membership;
pub(crate) mod next_action;
pub(crate) mod predictions;
mod summary;
pub(crate) mod timeline;
pub(crate) mod why;

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
    pending_segments: Vec<Candidate>,
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
        let found = Found::read(&self.id, snapshot).await?;
        let counts_from = CountsFrom::read(snapshot, &found.definitions).await?;
        let mut customer = self.derive(&found, &counts_from)?;
        let personal: Vec<Arc<str>> = customer
            .attributes
            .keys()
            .filter(|name| found.is_personal(name))
            .cloned()
            .collect();
        match Personal::of(personal.is_empty(), snapshot) {
            Personal::Absent => {}
            Personal::Recorded => {
                current::record(&self.id, &self.request_id, snapshot).await?;
                customer.is_recorded = true;
            }
            Personal::Masked => {
                customer
                    .attributes
                    .retain(|name, _| !found.is_personal(name));
                customer.masked_attributes = personal;
            }
        }
        Ok(customer)
    }
}

impl OneCustomer {
    fn derive(&self, found: &Found, counts_from: &CountsFrom) -> Result<Profile, Problem> {
        let definitions: &TenantDefinitions = &found.definitions;
        let Current {
            state,
            evaluated,
            as_of,
        } = found.current(&self.id)?;
        let known = evaluated.history(definitions, as_of);
        let outputs = outputs::derive_knowing(known, &state, definitions, as_of);
        let (segments, pending_segments) =
            membership::told(evaluated.segments, definitions, counts_from, as_of);
        Ok(Profile {
            customer_id: self.id.clone(),
            first_seen_at: instant(found.row.first_seen_at)?,
            last_seen_at: instant(found.row.last_seen_at)?,
            attributes: outputs.attributes,
            masked_attributes: Vec::new(),
            orders: outputs.orders,
            activity: summary::done(&state.activity),
            conversations: summary::said(&state.conversations),
            journeys: outputs.journeys,
            segments,
            pending_segments,
            churn: outputs.churn,
            as_of,
            definitions: definitions.version,
            is_recorded: false,
        })
    }
}
