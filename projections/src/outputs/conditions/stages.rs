//! The `stage` leaf.

use super::ages::has_lasted;
use crate::definitions::expression::StageCondition;
use crate::journeys::runs;
use crate::outputs::memberships::Memberships;
use crate::outputs::next_change::NextChange;
use crate::outputs::stages::stage_in;
use crate::outputs::state_at::StateAt;

pub(crate) fn stage_holds(
    condition: &StageCondition,
    now: &StateAt<'_>,
    memberships: &Memberships,
    next_change: &mut NextChange,
) -> bool {
    let journey = now.definitions().journeys.get(&condition.journey);
    let current = journey.and_then(|journey| stage_in(journey, now, memberships));
    if !condition.is.is_empty()
        && !current.is_some_and(|current| condition.is.contains(current.stage))
    {
        return false;
    }
    if condition
        .reached
        .as_ref()
        .is_some_and(|stage| !is_reached(stage, condition, now, memberships))
    {
        return false;
    }
    match (condition.in_for, current) {
        (None, _) => true,
        (Some(duration), Some(current)) => has_lasted(current.since, duration, now, next_change),
        (Some(_), None) => false,
    }
}

/// Whether a stage or a later one was entered once.
fn is_reached(
    stage: &str,
    condition: &StageCondition,
    now: &StateAt<'_>,
    memberships: &Memberships,
) -> bool {
    let Some(journey) = now.definitions().journeys.get(&condition.journey) else {
        return false;
    };
    let entries = now.state().journeys.entries(&condition.journey);
    let triggers = memberships.triggers(journey);
    let mut reached = runs(journey, entries, &triggers).map(|(place, _)| place);
    let wanted = journey.position(stage);
    wanted.is_some_and(|wanted| reached.any(|place| place >= wanted))
}
