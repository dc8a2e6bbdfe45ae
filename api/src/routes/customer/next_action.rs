//! `GET /v1/customers/{id}/next-best-action`: what to offer one customer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::definitions::Action;
use tidemark_projections::models::{Candidate, Responses, rank_actions};
use tidemark_projections::outputs::{Requirement, eligible_actions};
use tidemark_schemas::{Currency, CustomerId, Instant};
use utoipa::ToSchema;

use super::current::Found;
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{Named, NothingAsked, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;
use crate::routes::counts;

/// What to offer one customer.
#[derive(Debug)]
struct ForOne {
    id: CustomerId,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextActions {
    customer_id: CustomerId,
    /// The actions the customer is eligible for, that of the greatest expected value first. Those
    /// worth nothing are left out.
    items: Vec<NextAction>,
    /// Of the amounts.
    currency: Currency,
    /// The instant eligibility is true at.
    as_of: Instant,
    /// Version of the tenant's definitions it was derived with.
    definitions: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct NextAction {
    /// Its name.
    action: Arc<str>,
    /// In words, as its author wrote it.
    description: String,
    /// What an accepted offer is worth, in minor units.
    value_minor: i64,
    /// How likely the customer accepts: that of the segment, drawn toward that of everybody where
    /// offers are few.
    rate: f64,
    /// Rate times value, in minor units.
    expected_minor: f64,
    /// Offers of it to everybody.
    everywhere: Answers,
    /// The segment the rate was learnt from: of those the customer is in, and to whose members it was
    /// offered, the one with the fewest members. Null where there is none.
    #[schema(required)]
    segment: Option<SegmentAnswers>,
    /// The conditions of its eligibility; none where everybody is eligible.
    why: Vec<Requirement>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct Answers {
    /// Offers made.
    offered: u64,
    /// Offers accepted.
    accepted: u64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct SegmentAnswers {
    /// Its name.
    name: Arc<str>,
    /// How many customers are in it.
    members: i64,
    /// Offers of the action to who is in it now.
    answers: Answers,
}

/// What to offer a customer next
///
/// The actions the customer is eligible for at the clock of its partition (`as_of`), by expected
/// value: what an accepted offer is worth, times how likely it is accepted. That is a Beta-Binomial
/// posterior mean from the offers and answers of customers who are in the same segment now.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/next-best-action",
    operation_id = "get_next_best_action",
    tag = "predictions",
    params(("id" = CustomerId, Path, description = "The customer's id, percent-encoded.")),
    responses(
        (status = 200, description = "Actions, the best first.", body = NextActions),
        NotFound,
    ),
)]
pub(crate) async fn next_best_action(
    State(service): State<Service>,
    Named(id): Named,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let id = CustomerId::new(&id)
        .map_err(|error| Problem::unprocessable("id", format!("the customer id {error}")))?;
    service.answer(&asking, &ForOne { id }).await
}

impl Query for ForOne {
    type Answer = NextActions;

    /// Also on what others answer, which moves all the time: not kept.
    fn depends(&self) -> Option<Depends> {
        None
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<NextActions, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let definitions = &found.definitions;
        let current = found.current(&self.id)?;
        let (evaluated, as_of) = (&current.evaluated, current.as_of);
        let eligible = eligible_actions(&current.state, evaluated, definitions, as_of);
        let segments: Vec<&Arc<str>> = evaluated.segments.keys().collect();
        let learnt = Learnt::read(snapshot, &eligible, &segments).await?;
        let candidates = eligible.iter().map(|(action, _)| Candidate {
            action: &action.name,
            value_minor: action.value_minor,
            everywhere: learnt.everywhere(&action.name),
            here: learnt
                .here(&action.name, &segments)
                .map_or_else(Responses::default, |of| of.1),
        });
        let ranked = rank_actions(candidates);
        let items = ranked.into_iter().filter_map(|best| {
            let (action, why) = eligible.iter().find(|(of, _)| *of.name == *best.action)?;
            let here = learnt.here(&action.name, &segments);
            Some(NextAction {
                action: Arc::clone(&action.name),
                description: action.description.clone(),
                value_minor: action.value_minor,
                rate: best.rate,
                expected_minor: best.expected_minor,
                everywhere: answers(learnt.everywhere(&action.name)),
                segment: here.map(|(name, responses)| SegmentAnswers {
                    members: learnt.members(name),
                    name: Arc::clone(name),
                    answers: answers(responses),
                }),
                why: why.clone(),
            })
        });
        Ok(NextActions {
            customer_id: self.id.clone(),
            items: items.collect(),
            currency: definitions.currency,
            as_of,
            definitions: definitions.version,
        })
    }
}

/// Counters of offers, and of who is in the customer's segments.
struct Learnt {
    counted: BTreeMap<String, i64>,
}

impl Learnt {
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
        // Of three kinds; no name is one of two of them, for names hold no slash.
        let kinds = ["segment", "offer", "offer_segment"];
        let counted = counts::named(snapshot, &kinds, &names).await?;
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

    /// The smallest segment to whose members it was offered; of equals the first by name.
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

fn answers(of: Responses) -> Answers {
    Answers {
        offered: of.offered,
        accepted: of.accepted,
    }
}
