//! The `churn` leaf.

use crate::definitions::expression::{Bounds, ChurnCondition};
use crate::outputs::churn_score::ChurnScore;
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;

/// Whether the condition holds for a score. The next change of the band itself is not noted here.
pub(crate) fn churn_holds(
    condition: &ChurnCondition,
    score: &ChurnScore,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    if !condition.bands.is_empty() && !condition.bands.contains(&score.band) {
        return false;
    }
    bounds_hold(
        &condition.risk,
        score,
        |p_alive| 1.0 - p_alive,
        now,
        next_change,
    ) && bounds_hold(
        &condition.p_alive,
        score,
        |p_alive| p_alive,
        now,
        next_change,
    )
}

/// Whether bounds of a probability hold, which is computed from P(alive). P(alive) only falls by
/// itself, so each bound changes once at most.
fn bounds_hold(
    bounds: &Bounds<f64>,
    score: &ChurnScore,
    of: impl Fn(f64) -> f64,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let model = &now.definitions().churn;
    bounds.0.iter().all(|(comparison, bound)| {
        let holds_for = |value: f64| comparison.holds(value.total_cmp(bound));
        let holds = holds_for(of(score.p_alive));
        let near = of(*bound);
        let changes = |p_alive| holds_for(of(p_alive)) != holds;
        next_change.note(now.start_of_age(model.age_when(score.history, near, changes)));
        holds
    })
}
