//! How much each may ask: rates of a tenant, of a token, of a peer that shows no good token.
//!
//! Each has a bucket of tokens (the kind that is spent) which fills at a steady rate. A request
//! costs what [`cost`] says of its route. Buckets nobody draws from are forgotten once they are
//! full again, so memory follows who asks and not who ever asked.

mod buckets;
mod peers;
mod shares;

use std::fmt::Write as _;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tidemark_schemas::TenantId;

use self::buckets::Buckets;
pub use self::peers::{InvalidNetwork, Network};
pub(crate) use self::peers::{Peer, Peers};
pub(crate) use self::shares::Shares;
use crate::auth::{Caller, TokenId, Verified};
use crate::http::Problem;
use crate::{ApiError, Limits, Service};

/// What a request costs, by its route. One row by its key costs 1.
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
    ("/v1/status", 2),
];
/// Of a route that the table does not name: as the dearest.
const UNNAMED_COST: u32 = 5;

/// What a request of this route costs.
pub(crate) fn cost(route: &str) -> u32 {
    let named = COSTS.iter().find(|(name, _)| *name == route);
    named.map_or(UNNAMED_COST, |(_, cost)| *cost)
}

/// The routes the table names.
#[cfg(test)]
pub(crate) fn priced_routes() -> impl Iterator<Item = &'static str> {
    COSTS.iter().map(|(route, _)| *route)
}

/// How fast somebody may ask, in costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Over a long time; 0 is without limit.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// The buckets of all.
#[derive(Debug)]
pub(crate) struct RateLimits {
    tenants: Option<Buckets<TenantId>>,
    tokens: Option<Buckets<TokenId>>,
    pub(crate) peers: Peers,
}

impl RateLimits {
    pub(crate) fn new(limits: &Limits) -> Result<Self, ApiError> {
        Ok(Self {
            tenants: Buckets::of("tenant", limits.tenant_rate)?,
            tokens: Buckets::of("token", limits.token_rate)?,
            peers: Peers::new(limits)?,
        })
    }

    /// Draws from the buckets of the token and of the tenant.
    fn draw(&self, caller: &Caller, token: TokenId, cost: u32) -> (Quotas, Option<Refusal>) {
        let mut quotas = Quotas::default();
        if let Some(buckets) = &self.tokens {
            let (quota, refusal) = buckets.draw(token, cost);
            quotas.0.push(quota);
            if refusal.is_some() {
                // One greedy token is not charged to the others of its tenant.
                return (quotas, refusal);
            }
        }
        if let Some(buckets) = &self.tenants {
            let (quota, refusal) = buckets.draw(caller.tenant.clone(), cost);
            quotas.0.push(quota);
            return (quotas, refusal);
        }
        (quotas, None)
    }
}

/// What is left to somebody by one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    name: &'static str,
    burst: u32,
    /// Seconds in which an empty bucket fills.
    window: u64,
    remaining: u32,
    /// Seconds until it is full again.
    reset: u64,
}

/// Too much was asked, by this limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) limit: &'static str,
    /// When context again would succeed, if nobody else asks.
    pub(crate) wait: Duration,
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Of a request: one quota for each limit that binds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Quotas(pub(crate) Vec<Quota>);

impl Quotas {
    /// Adds the headers of the IETF's draft-ietf-httpapi-ratelimit-headers-10.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (mut policies, mut limits) = (String::new(), String::new());
        for quota in &self.0 {
            let separator = if policies.is_empty() { "" } else { ", " };
            let Quota {
                name,
                burst,
                window,
                remaining,
                reset,
            } = quota;
            // Writing to a String cannot fail.
            let written = write!(policies, "{separator}\"{name}\";q={burst};w={window}")
                .and_then(|()| write!(limits, "{separator}\"{name}\";r={remaining};t={reset}"));
            debug_assert!(written.is_ok());
        }
        for (name, value) in [(POLICY, policies), (LIMIT, limits)] {
            if let Ok(value) = HeaderValue::try_from(value)
                && !value.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

/// Draws what the request costs; a problem where it is too much.
pub(crate) fn limit_rate(
    service: &Service,
    request: &Request,
    verified: &Verified,
) -> Result<Quotas, Problem> {
    let route = request.extensions().get::<MatchedPath>();
    let cost = route.map_or(UNNAMED_COST, |route| cost(route.as_str()));
    let (quotas, refusal) = service.rates().draw(&verified.caller, verified.token, cost);
    if let Some(refusal) = refusal {
        service.admission_metrics().limited(refusal.limit);
        return Err(Problem::RateLimited { refusal, quotas });
    }
    Ok(quotas)
}

#[cfg(test)]
mod tests;
