//! `GET /v1/customers/{id}/segments/{name}`: the explanation of a membership.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::explain::{Explanation, explain};
use tidemark_schemas::{CustomerId, Instant};
use utoipa::ToSchema;

use super::current::{self, Found};
use crate::auth::Caller;
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams, RequestId};
use crate::openapi::NotFound;
use crate::query::{Query, ReadMode, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::backfilling::{Backfilling, CountsFrom};
use crate::routes::path::{MembershipPath, SegmentName};
use crate::routes::personal;

/// Explanation of a customer's membership in a segment
///
/// Each condition of the segment, whether it holds, the customer's values and events behind it, and
/// the time at which it changes without further events. The answer is derived at the clock of the
/// customer's partition (`as_of`). A segment that is derived from personal attributes, directly or
/// through other segments and journeys, is answered 403 to viewers; a read by another role is
/// recorded in the audit log with the request id and is not cached.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/segments/{name}",
    operation_id = "explain_membership",
    tag = "customers",
    params(MembershipPath),
    responses(
        (status = 200, description = "The explanation, condition by condition.", body = MembershipExplanation),
        NotFound,
    ),
)]
pub(crate) async fn why(
    State(reader): State<Reader>,
    MembershipPath { id, name: segment }: MembershipPath,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let request_id = context.request_id.clone();
    let query = MembershipQuery {
        id,
        segment,
        request_id,
    };
    reader.respond(&context, &query).await
}

/// The explanation of a customer's membership in a segment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembershipExplanation {
    customer_id: CustomerId,
    /// Every condition of the segment, with the customer's values.
    explanation: Explanation,
    /// The state of the segment's backfill; null if the segment is exact.
    #[schema(required)]
    backfilling: Option<Backfilling>,
    /// The instant the answer describes: the clock of the customer's partition.
    as_of: Instant,
    /// The version of the tenant's definitions the answer is derived with.
    definitions: i64,
    /// Whether the segment is derived from personal attributes, so that the read is recorded.
    #[serde(skip)]
    is_audited: bool,
}

/// Reads the explanation of a membership.
#[derive(Debug)]
struct MembershipQuery {
    id: CustomerId,
    segment: SegmentName,
    request_id: RequestId,
}

impl Query for MembershipQuery {
    type Answer = MembershipExplanation;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::on_customer(&self.id))
    }

    fn is_audited(why: &MembershipExplanation) -> bool {
        why.is_audited
    }

    fn access(&self, caller: &Caller) -> ReadMode {
        personal::access(caller)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Self::Answer, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let definitions = &found.definitions;
        let (_, segment) = self.segment.find(Some(definitions))?;
        let personal = found.personal_outputs(snapshot);
        personal.require_segment(&segment.name)?;
        let counts_from = CountsFrom::read(snapshot, definitions).await?;
        let current = found.current(&self.id)?;
        let (customer, at) = (&current.customer, current.as_of);
        let (state, evaluated) = (customer.state(), customer.evaluated());
        let explanation = explain(state, evaluated, definitions, &segment.name, at)
            .ok_or_else(|| Problem::internal("a segment that is defined has no explanation"))?;
        let is_audited = personal.has_segment(&segment.name);
        if is_audited {
            current::record(&self.id, &self.request_id, snapshot).await?;
        }
        Ok(MembershipExplanation {
            customer_id: self.id.clone(),
            backfilling: counts_from.backfilling(definitions, segment, current.as_of),
            explanation,
            as_of: current.as_of,
            definitions: definitions.version,
            is_audited,
        })
    }
}
