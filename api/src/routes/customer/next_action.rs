//! `GET /v1/customers/{id}/next-best-action`: the actions to offer one customer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::definitions::Action;
use tidemark_projections::explain::{Requirement, eligible_actions};
use tidemark_projections::models::{Candidate, Responses, rank_actions};
use tidemark_schemas::{Currency, CustomerId, Instant};
use utoipa::ToSchema;

use super::current::{self, Found};
use crate::auth::Caller;
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams, RequestId};
use crate::openapi::NotFound;
use crate::query::{Query, ReadMode, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::counts;
use crate::routes::path::CustomerPath;
use crate::routes::personal::{self, PersonalOutputs};

/// Next best actions for a customer
///
/// The actions the customer is eligible for at the clock of its partition (`as_of`), by expected
/// value: the value of an accepted offer times the probability of acceptance. The probability is a
/// Beta-Binomial posterior mean, based on the offers to customers that are in the same segment now.
/// Actions and segments that are derived from personal attributes are omitted for viewers; a read of
/// them by another role is recorded in the audit log.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/next-best-action",
    operation_id = "get_next_best_action",
    tag = "predictions",
    params(CustomerPath),
    responses(
        (status = 200, description = "The actions, by descending expected value.", body = NextActions),
        NotFound,
    ),
)]
pub(crate) async fn next_best_action(
    State(reader): State<Reader>,
    CustomerPath { id }: CustomerPath,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let request_id = context.request_id.clone();
    reader
        .respond(&context, &NextActionsQuery { id, request_id })
        .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextActions {
    customer_id: CustomerId,
    /// The actions the customer is eligible for, by descending expected value. Actions without
    /// value are omitted.
    items: Vec<NextAction>,
    /// The reason why bounds of value in the eligibility for an action are false, and the command that
    /// helps; null if there are none, or if customers are scored.
    #[schema(required)]
    not_scored_because: Option<&'static str>,
    /// The currency of all amounts.
    currency: Currency,
    /// The instant the answer describes: the clock of the customer's partition.
    as_of: Instant,
    /// The version of the tenant's definitions the answer is derived with.
    definitions: i64,
    /// Whether the answer is derived from personal attributes, so that the read is recorded.
    #[serde(skip)]
    is_audited: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct NextAction {
    /// The name of the action.
    action: Arc<str>,
    /// The author's description of the action.
    description: String,
    /// The value of an accepted offer, in minor units of the tenant's currency.
    value_minor: i64,
    /// The probability that the customer accepts: the acceptance rate of the segment, drawn toward
    /// the overall rate if the segment has few offers.
    rate: f64,
    /// The expected value: rate times value, in minor units of the tenant's currency.
    expected_minor: f64,
    /// The offers of the action to all customers.
    everywhere: OfferCounts,
    /// The segment the rate is based on: the smallest segment that contains the customer and has
    /// received offers of the action; null if there is none.
    #[schema(required)]
    segment: Option<SegmentOffers>,
    /// The conditions of the action's eligibility; empty if every customer is eligible.
    why: Vec<Requirement>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct OfferCounts {
    /// The number of offers made.
    offered: u64,
    /// The number of offers accepted.
    accepted: u64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct SegmentOffers {
    /// The name of the segment.
    name: Arc<str>,
    /// The number of customers in the segment.
    members: i64,
    /// The offers of the action to current members of the segment.
    answers: OfferCounts,
}

/// Reads the next best actions of one customer.
#[derive(Debug)]
struct NextActionsQuery {
    id: CustomerId,
    request_id: RequestId,
}

impl Query for NextActionsQuery {
    type Answer = NextActions;

    /// Dependency on the answers of other customers too, which change constantly: not cached.
    fn dependency(&self) -> Option<Dependency> {
        None
    }

    fn is_audited(actions: &NextActions) -> bool {
        actions.is_audited
    }

    fn access(&self, caller: &Caller) -> ReadMode {
        personal::access(caller)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<NextActions, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let definitions = &found.definitions;
        let current = found.current(&self.id)?;
        let (evaluated, as_of) = (current.customer.evaluated(), current.as_of);
        let personal = found.personal_outputs(snapshot);
        let mut eligible =
            eligible_actions(current.customer.state(), evaluated, definitions, as_of);
        eligible.retain(|(action, _)| personal.shows_action(&action.name));
        let segments = evaluated.segments.keys();
        let segments: Vec<&Arc<str>> = segments
            .filter(|segment| personal.shows_segment(segment))
            .collect();
        let counters = OfferCounters::read(snapshot, &eligible, &segments).await?;
        let candidates = eligible.iter().map(|(action, _)| Candidate {
            action: &action.name,
            value_minor: action.value_minor,
            everywhere: counters.everywhere(&action.name),
            here: counters
                .here(&action.name, &segments)
                .map_or_else(Responses::default, |of| of.1),
        });
        let ranked = rank_actions(candidates);
        let items = ranked.into_iter().filter_map(|best| {
            let (action, why) = eligible.iter().find(|(of, _)| *of.name == *best.action)?;
            let here = counters.here(&action.name, &segments);
            Some(NextAction {
                action: Arc::clone(&action.name),
                description: action.description.clone(),
                value_minor: action.value_minor,
                rate: best.rate,
                expected_minor: best.expected_minor,
                everywhere: answers(counters.everywhere(&action.name)),
                segment: here.map(|(name, responses)| SegmentOffers {
                    members: counters.members(name),
                    name: Arc::clone(name),
                    answers: answers(responses),
                }),
                why: why.clone(),
            })
        });
        let eligibility = definitions.actions.iter();
        let mut eligibility = eligibility.filter_map(|action| action.eligible.as_ref());
        let items: Vec<NextAction> = items.collect();
        let is_audited = items.iter().any(|item| item.is_personal(&personal));
        if is_audited {
            current::record(&self.id, &self.request_id, snapshot).await?;
        }
        Ok(NextActions {
            is_audited,
            customer_id: self.id.clone(),
            not_scored_because: eligibility.find_map(|of| definitions.not_scored_because(of)),
            items,
            currency: definitions.currency,
            as_of,
            definitions: definitions.version,
        })
    }
}

impl NextAction {
    /// Returns whether it is derived from a personal attribute.
    fn is_personal(&self, personal: &PersonalOutputs) -> bool {
        let segment = self.segment.as_ref();
        personal.has_action(&self.action)
            || segment.is_some_and(|segment| personal.has_segment(&segment.name))
    }
}

/// The counters of offers, and the sizes of the customer's segments.
struct OfferCounters {
    counted: BTreeMap<String, i64>,
}

impl OfferCounters {
    async fn read(
        snapshot: &mut Snapshot<'_>,
        eligible: &[(&Action, Vec<Requirement>)],
        segments: &[&Arc<str>],
    ) -> Result<Self, Problem> {
        let mut names: Vec<String> = segments.iter().map(ToString::to_string).collect();
        for (action, _) in eligible {
            for what in ["offered", "accepted"] {
                names.push(format!("{}/{what}", action.name));
                let of = |segment: &&Arc<str>| format!("{}/{segment}/{what}", action.name);
                names.extend(segments.iter().map(of));
            }
        }
        // The three kinds share no counter name, because names of segments and actions hold no slash.
        let kinds = [
            CounterKind::Segment,
            CounterKind::Offer,
            CounterKind::OfferSegment,
        ];
        let counted = counts::by_name(snapshot, &kinds, &names).await?;
        Ok(Self { counted })
    }

    fn count(&self, name: &str) -> u64 {
        let count = self.counted.get(name).copied().unwrap_or(0);
        u64::try_from(count).unwrap_or(0)
    }

    fn responses(&self, of: &str) -> Responses {
        Responses {
            offered: self.count(&format!("{of}/offered")),
            accepted: self.count(&format!("{of}/accepted")),
        }
    }

    fn everywhere(&self, action: &str) -> Responses {
        self.responses(action)
    }

    fn members(&self, segment: &str) -> i64 {
        self.counted.get(segment).copied().unwrap_or(0)
    }

    /// Returns the smallest segment with offers to its members; the first by name among equals.
    fn here<'s>(
        &self,
        action: &str,
        segments: &[&'s Arc<str>],
    ) -> Option<(&'s Arc<str>, Responses)> {
        let of =
            |segment: &&'s Arc<str>| (*segment, self.responses(&format!("{action}/{segment}")));
        let offered = segments.iter().map(of).filter(|(_, of)| of.offered > 0);
        offered.min_by_key(|(segment, _)| (self.members(segment), *segment))
    }
}

fn answers(of: Responses) -> OfferCounts {
    OfferCounts {
        offered: of.offered,
        accepted: of.accepted,
    }
}
