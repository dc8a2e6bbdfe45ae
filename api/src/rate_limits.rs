//! The rate limits of tenants and tokens, and the cost of each route.

use axum::extract::{MatchedPath, Request};
use tidemark_schemas::TenantId;

use crate::ApiError;
use crate::auth::{TokenId, Verified};
use crate::http::{Buckets, Exceeded, LimitMetrics, Problem, Quotas, Rate};

/// The cost of a request, by its route. A read of one row by its key costs 1.
const COSTS: &[(&str, u32)] = &[
    ("/v1/customers", 5),
    ("/v1/customers/{id}", 1),
    ("/v1/customers/{id}/segments/{name}", 2),
    ("/v1/customers/{id}/timeline", 5),
    ("/v1/segments", 2),
    ("/v1/segments/{name}/members", 5),
    ("/v1/journeys", 1),
    ("/v1/segments/{name}/series", 5),
    ("/v1/series", 5),
    ("/v1/journeys/{name}/stages", 3),
    ("/v1/journeys/{name}/flows", 3),
    ("/v1/journeys/{name}/bottlenecks", 3),
    ("/v1/revenue", 5),
    ("/v1/conversations", 5),
    ("/v1/campaigns", 5),
    ("/v1/customers/{id}/predictions", 1),
    ("/v1/customers/{id}/next-best-action", 2),
    ("/v1/churn", 2),
    ("/v1/churn/at-risk", 5),
    ("/v1/value", 2),
    ("/v1/rfm", 2),
    ("/v1/clusters", 2),
    ("/v1/parked/summary", 5),
    ("/v1/status", 2),
];
/// The greatest cost, which also applies to routes that the table does not name.
pub(crate) const MAX_COST: u32 = 5;

/// Returns the cost of a request of this route.
pub(crate) fn cost(route: &str) -> u32 {
    let named = COSTS.iter().find(|(name, _)| *name == route);
    named.map_or(MAX_COST, |(_, cost)| *cost)
}

/// Returns the routes that the table names.
#[cfg(test)]
pub(crate) fn priced_routes() -> impl Iterator<Item = &'static str> {
    COSTS.iter().map(|(route, _)| *route)
}

/// The buckets of all tenants and tokens.
#[derive(Debug)]
pub(crate) struct RateLimits {
    tenants: Option<Buckets<TenantId>>,
    tokens: Option<Buckets<TokenId>>,
    metrics: LimitMetrics,
}

impl RateLimits {
    pub(crate) fn new(
        tenant_rate: Rate,
        token_rate: Rate,
        metrics: LimitMetrics,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            tenants: Buckets::new("tenant", tenant_rate, MAX_COST)?,
            tokens: Buckets::new("token", token_rate, MAX_COST)?,
            metrics,
        })
    }

    /// Draws the cost of a request; 429 if a limit is exceeded.
    pub(crate) fn draw(&self, request: &Request, verified: &Verified) -> Result<Quotas, Problem> {
        let route = request.extensions().get::<MatchedPath>();
        let cost = route.map_or(MAX_COST, |route| cost(route.as_str()));
        let (quotas, exceeded) = self.draw_cost(verified, cost);
        let Some(exceeded) = exceeded else {
            return Ok(quotas);
        };
        self.metrics.count(exceeded.limit);
        Err(exceeded.into_problem(&quotas))
    }

    fn draw_cost(&self, verified: &Verified, cost: u32) -> (Quotas, Option<Exceeded>) {
        let mut quotas = Quotas::default();
        if let Some(buckets) = &self.tokens {
            let (quota, exceeded) = buckets.draw(verified.token, cost);
            quotas.0.push(quota);
            if exceeded.is_some() {
                // The refusal of one token is not charged to the other tokens of its tenant.
                return (quotas, exceeded);
            }
        }
        if let Some(buckets) = &self.tenants {
            let (quota, exceeded) = buckets.draw(verified.caller.tenant.clone(), cost);
            quotas.0.push(quota);
            return (quotas, exceeded);
        }
        (quotas, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_costs_at_least_one_and_at_most_the_maximum() {
        assert!(priced_routes().all(|route| (1..=MAX_COST).contains(&cost(route))));
        assert!(cost("/v1/customers") > cost("/v1/customers/{id}"));
    }
}
