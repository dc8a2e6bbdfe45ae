//! The stage of a customer in a journey, as the state and the conditions of stages give it.

use std::sync::Arc;

use tidemark_schemas::Instant;

use crate::definitions::Journey;
use crate::journeys::{Trigger, runs};
use crate::state::CustomerState;
use crate::state::journeys::StageEntry;

/// The stage of a customer in a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standpoint<'a> {
    /// The journey's name.
    pub journey: &'a Arc<str>,
    /// The stage.
    pub stage: &'a Arc<str>,
    /// The instant of entry.
    pub since: Instant,
}

/// The newest stage that belongs to the journey, since the run of it began. Stages the definition
/// does not list are as if they had not been entered.
pub(crate) fn standpoint<'a>(
    state: &'a CustomerState,
    journey: &'a Journey,
    triggers: &[Trigger],
) -> Option<Standpoint<'a>> {
    let entries = state.journeys.entries(&journey.name);
    let (place, since) = if triggers.is_empty() {
        newest(journey, entries)?
    } else {
        runs(journey, entries, triggers).last()?
    };
    Some(Standpoint {
        journey: &journey.name,
        stage: &journey.stages[place],
        since,
    })
}

fn newest(journey: &Journey, entries: &[StageEntry]) -> Option<(usize, Instant)> {
    let mut listed = entries.iter().rev().filter_map(|entry| {
        let place = journey.position(&entry.stage)?;
        Some((place, entry.stamp.at))
    });
    let (place, mut since) = listed.next()?;
    for (_, at) in listed.take_while(|(other, _)| *other == place) {
        since = at;
    }
    Some((place, since))
}
