//! The next best action: how often an offer is accepted, and which one is worth making.

use serde::{Deserialize, Serialize};

use super::special::double;

/// The weight of the action's overall acceptance rate in each segment, in offers.
const PRIOR_OFFERS: f64 = 10.0;

/// Counts of offers; an unanswered offer counts as not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Responses {
    /// Made.
    pub offered: u64,
    /// Accepted.
    pub accepted: u64,
}

impl Responses {
    /// The posterior mean of the rate of acceptance (Beta-Binomial), drawn toward `prior` where
    /// offers are few.
    pub fn rate(self, prior: f64) -> f64 {
        let accepted = double(self.accepted.min(self.offered));
        (accepted + PRIOR_OFFERS * prior) / (double(self.offered) + PRIOR_OFFERS)
    }

    /// The prior for the parts of a whole: its own rate, drawn toward one in two by two offers.
    pub fn prior(self) -> f64 {
        let accepted = double(self.accepted.min(self.offered));
        (accepted + 1.0) / (double(self.offered) + 2.0)
    }
}

/// An action a customer is eligible for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<'a> {
    /// The action's name.
    pub action: &'a str,
    /// The value of an accepted offer, in minor units.
    pub value_minor: i64,
    /// The offers of the action, in all segments.
    pub everywhere: Responses,
    /// The offers of the action, in the customer's segment.
    pub here: Responses,
}

/// The answer, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestAction<'a> {
    /// The action's name.
    pub action: &'a str,
    /// The probability that the customer accepts.
    pub rate: f64,
    /// Rate times value, in minor units.
    pub expected_minor: f64,
    /// The offers the rate was learnt from, in the customer's segment.
    pub here: Responses,
}

/// Returns the action with the greatest expected value, of equal ones the first by name; `None` if
/// no expected value is above zero.
pub fn best_action<'a>(
    candidates: impl IntoIterator<Item = Candidate<'a>>,
) -> Option<BestAction<'a>> {
    rank_actions(candidates).into_iter().next()
}

/// Ranks the actions with an expected value above zero, the greatest first, equal ones by name.
pub fn rank_actions<'a>(
    candidates: impl IntoIterator<Item = Candidate<'a>>,
) -> Vec<BestAction<'a>> {
    let scored = candidates.into_iter().map(|candidate| {
        let rate = candidate.here.rate(candidate.everywhere.prior());
        BestAction {
            action: candidate.action,
            rate,
            expected_minor: rate * double(candidate.value_minor),
            here: candidate.here,
        }
    });
    let mut ranked: Vec<_> = scored
        .filter(|action| action.expected_minor > 0.0)
        .collect();
    ranked.sort_by(|left, right| {
        let by_value = right.expected_minor.total_cmp(&left.expected_minor);
        by_value.then_with(|| left.action.cmp(right.action))
    });
    ranked
}
