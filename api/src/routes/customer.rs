//! `GET /v1/customers/{id}`: one customer, derived from its state.

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
use super::path::CustomerPath;
use super::personal;
use crate::auth::Caller;
use crate::database::{Snapshot, instant};
use crate::http::{NoParams, Problem, QueryParams, RequestId};
use crate::openapi::NotFound;
use crate::query::{Query, ReadMode, Reader, RequestContext};
use crate::response_cache::Dependency;
use current::{Current, Found};
use membership::{Membership, PendingSegment};

mod current;
mod membership;
pub(crate) mod next_action;
pub(crate) mod predictions;
mod summary;
pub(crate) mod timeline;
pub(crate) mod why;

/// Customer
///
/// The customer is derived from its state at the clock of its partition (`as_of`), so it includes
/// changes caused by time alone. Viewers receive only the names of personal attributes, and no
/// segments and journeys that are derived from them. A read of them by another role is recorded in
/// the audit log with the request id and is not cached.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}",
    operation_id = "get_customer",
    tag = "customers",
    params(CustomerPath),
    responses(
        (status = 200, description = "The customer.", body = Profile),
        NotFound,
    ),
)]
pub(crate) async fn one(
    State(reader): State<Reader>,
    CustomerPath { id }: CustomerPath,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let request_id = context.request_id.clone();
    reader
        .respond(&context, &CustomerQuery { id, request_id })
        .await
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Customer)]
pub(crate) struct Profile {
    customer_id: CustomerId,
    /// The time of the customer's oldest event.
    first_seen_at: Instant,
    /// The time of the customer's newest event.
    last_seen_at: Instant,
    /// The attributes by name, without those in `masked_attributes`.
    attributes: BTreeMap<Arc<str>, AttributeValue>,
    /// The names of the customer's personal attributes, if the caller's role may not see their
    /// values.
    masked_attributes: Vec<Arc<str>>,
    /// The summary of the customer's orders, in the tenant's currency.
    orders: OrdersSummary,
    /// The totals of the customer's activities, by event name.
    activity: BTreeMap<Arc<str>, summary::ActivityTotals>,
    /// The totals of the customer's messages and conversations within the days that are kept.
    conversations: summary::ConversationTotals,
    /// The customer's stage, by journey. Journeys never entered are absent.
    journeys: BTreeMap<Arc<str>, StageOutput>,
    /// The segments that contain the customer.
    segments: Vec<Membership>,
    /// The segments that do not contain the customer by the events counted so far, and are not
    /// exact yet.
    pending_segments: Vec<PendingSegment>,
    /// The churn risk of purchases without a contract.
    churn: Churn,
    /// The instant the answer describes: the clock of the customer's partition.
    as_of: Instant,
    /// The version of the tenant's definitions the answer is derived with.
    definitions: i64,
    /// Whether personal attributes are shown, which is recorded.
    #[serde(skip)]
    is_audited: bool,
}

/// Reads one customer.
#[derive(Debug)]
struct CustomerQuery {
    id: CustomerId,
    request_id: RequestId,
}

impl Query for CustomerQuery {
    type Answer = Profile;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::on_customer(&self.id))
    }

    fn is_audited(profile: &Profile) -> bool {
        profile.is_audited
    }

    fn access(&self, caller: &Caller) -> ReadMode {
        personal::access(caller)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Self::Answer, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let counts_from = CountsFrom::read(snapshot, &found.definitions).await?;
        let mut customer = self.derive(&found, &counts_from)?;
        let outputs = found.personal_outputs(snapshot);
        let mut is_personal = outputs.retain_journeys(&mut customer.journeys);
        customer
            .segments
            .retain(|segment| outputs.shows_segment(&segment.name));
        customer
            .pending_segments
            .retain(|segment| outputs.shows_segment(&segment.name));
        let segments = customer.segments.iter().map(|segment| &segment.name);
        let pending = customer
            .pending_segments
            .iter()
            .map(|segment| &segment.name);
        is_personal |= segments
            .chain(pending)
            .any(|name| outputs.has_segment(name));
        let (shown, masked) = Self::split(&mut customer.attributes, &found, snapshot);
        customer.masked_attributes = masked;
        if is_personal || shown {
            current::record(&self.id, &self.request_id, snapshot).await?;
            customer.is_audited = true;
        }
        Ok(customer)
    }
}

impl CustomerQuery {
    /// Removes the personal attributes that the caller may not see. Returns whether personal ones remain,
    /// and the names of those that were removed.
    fn split(
        attributes: &mut BTreeMap<Arc<str>, AttributeValue>,
        found: &Found,
        snapshot: &Snapshot<'_>,
    ) -> (bool, Vec<Arc<str>>) {
        let personal = attributes.keys().filter(|name| found.is_personal(name));
        let personal: Vec<Arc<str>> = personal.cloned().collect();
        if snapshot.caller().role.sees_personal_attributes() {
            return (!personal.is_empty(), Vec::new());
        }
        attributes.retain(|name, _| !found.is_personal(name));
        (false, personal)
    }

    fn derive(&self, found: &Found, counts_from: &CountsFrom) -> Result<Profile, Problem> {
        let definitions: &TenantDefinitions = &found.definitions;
        let Current { customer, as_of } = found.current(&self.id)?;
        let (state, evaluated) = customer.into_parts();
        let known = evaluated.history(definitions, as_of);
        let outputs = outputs::derive_knowing(known, &state, definitions, as_of);
        let (segments, pending_segments) =
            membership::list(evaluated.segments, definitions, counts_from, as_of);
        Ok(Profile {
            customer_id: self.id.clone(),
            first_seen_at: instant(found.row.first_seen_at)?,
            last_seen_at: instant(found.row.last_seen_at)?,
            attributes: outputs.attributes,
            masked_attributes: Vec::new(),
            orders: outputs.orders,
            activity: summary::activity_totals(&state.activity),
            conversations: summary::conversation_totals(&state.conversations),
            journeys: outputs.journeys,
            segments,
            pending_segments,
            churn: outputs.churn,
            as_of,
            definitions: definitions.version,
            is_audited: false,
        })
    }
}
