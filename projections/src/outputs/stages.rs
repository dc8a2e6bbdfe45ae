//! The stages of a customer, entered by events and by conditions.

use super::memberships::Memberships;
use super::standpoint::{Standpoint, standpoint};
use super::state_at::StateAt;
use crate::definitions::Journey;

/// Returns the stages of the customer, in the order of the journeys' names, once the membership of
/// all segments that conditions are made of is known.
pub(crate) fn all_stages<'a>(now: &StateAt<'a>, memberships: &Memberships) -> Vec<Standpoint<'a>> {
    let mut stages = now.stages_by_events().to_vec();
    for journey in now.definitions().conditional_journeys() {
        stages.extend(stage_in(journey, now, memberships));
    }
    stages.sort_unstable_by_key(|stands| stands.journey);
    stages
}

/// Returns the stage of the customer in a journey. A segment that asks for it comes after those that
/// its stages' conditions are made of.
pub(crate) fn stage_in<'a>(
    journey: &'a Journey,
    now: &StateAt<'a>,
    memberships: &Memberships,
) -> Option<Standpoint<'a>> {
    if journey.entered_by.is_empty() {
        let mut stages = now.stages_by_events().iter();
        return stages
            .find(|stands| stands.journey == &journey.name)
            .copied();
    }
    standpoint(now.state(), journey, &memberships.triggers(journey))
}
