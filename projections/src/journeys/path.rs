//! One customer's way through a journey, as it was last evaluated.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tidemark_schemas::Instant;

use crate::days;
use crate::definitions::Journey;
use crate::state::journeys::StageEntry;

/// The number of newest steps kept of a path. A path is a function of its entries, in any order of
/// arrival.
pub const MAX_STEPS: usize = 64;

/// A stage entered, by events or by its condition; entering it again while in it is no step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The stage.
    pub stage: Arc<str>,
    /// Its place in the journey, from 0.
    pub place: u8,
    /// The instant of entry.
    pub since: Instant,
    /// The tenant's day of that, from 1970-01-01.
    pub day: i32,
}

/// A stage first entered before the steps that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Early {
    /// The stage.
    pub stage: Arc<str>,
    /// Its place in the journey, from 0.
    pub place: u8,
    /// The tenant's day on which it was first entered.
    pub day: i32,
    /// The furthest stage entered after that and before the steps that are kept; its own place if
    /// it is.
    pub furthest: u8,
}

/// A stage entered because its condition became true: what was known, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The instant at which the condition became true.
    pub at: Instant,
    /// The stage.
    pub stage: Arc<str>,
}

/// See the module. There is no path without a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The steps, in order; two neighbours have different stages.
    pub(super) steps: Vec<Step>,
    /// The dropped steps, by stage index; empty unless there were more than [`MAX_STEPS`].
    pub(super) early: Vec<Early>,
    /// The place of the journey's last stage.
    pub(super) last: u8,
    /// The newest [`MAX_STEPS`], in order of time. Empty for a journey without conditions.
    pub(super) triggers: Vec<Trigger>,
}

/// The stages entered one after the other, as places, each with when its run began. Stages that the
/// journey does not list are as if they had not been entered. Of what is entered at one instant a
/// condition comes after the events.
pub(crate) fn runs<'a>(
    journey: &'a Journey,
    entries: &'a [StageEntry],
    triggers: &'a [Trigger],
) -> impl Iterator<Item = (usize, Instant)> + 'a {
    let (mut entries, mut triggers) = (entries.iter().peekable(), triggers.iter().peekable());
    let mut current = None;
    std::iter::from_fn(move || {
        loop {
            let event = match (entries.peek(), triggers.peek()) {
                (Some(entry), Some(trigger)) => entry.stamp.at <= trigger.at,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return None,
            };
            let (stage, at) = if event {
                let entry = entries.next()?;
                (&entry.stage, entry.stamp.at)
            } else {
                let trigger = triggers.next()?;
                (&trigger.stage, trigger.at)
            };
            let place = journey.position(stage);
            if place.is_some() && place != current {
                current = place;
                return place.map(|place| (place, at));
            }
        }
    })
}

impl Path {
    /// Returns the path of a customer, if it entered any stage of the journey.
    pub(crate) fn from_entries(
        journey: &Journey,
        entries: &[StageEntry],
        triggers: Vec<Trigger>,
        zone: &TimeZone,
    ) -> Option<Self> {
        let mut steps: Vec<Step> = runs(journey, entries, &triggers)
            .map(|(place, since)| Step {
                stage: Arc::clone(&journey.stages[place]),
                place: small(place),
                since,
                day: days::day_of(zone, since),
            })
            .collect();
        if steps.is_empty() {
            return None;
        }
        let kept = steps.split_off(steps.len().saturating_sub(MAX_STEPS));
        Some(Self {
            early: early(&steps),
            steps: kept,
            last: small(journey.stages.len() - 1),
            triggers,
        })
    }

    /// Whether [`Self::of`] would find the same.
    pub(crate) fn is(
        &self,
        journey: &Journey,
        entries: &[StageEntry],
        triggers: &[Trigger],
        zone: &TimeZone,
    ) -> bool {
        if !self.early.is_empty() {
            let triggers = triggers.to_vec();
            return Self::from_entries(journey, entries, triggers, zone).as_ref() == Some(self);
        }
        // Nothing is allocated: this runs with each evaluation.
        let found = runs(journey, entries, triggers);
        self.last == small(journey.stages.len() - 1)
            && self.triggers == triggers
            && same(found, &self.steps, journey)
    }

    /// Returns the steps, in order; there is at least one.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The stage the customer stands in.
    pub fn stage(&self) -> &Arc<str> {
        &self.newest().stage
    }

    /// The instant of entry.
    pub fn since(&self) -> Instant {
        self.newest().since
    }

    fn newest(&self) -> &Step {
        // There is no path without a step.
        &self.steps[self.steps.len() - 1]
    }

    /// Stages entered because a condition became true, in order of time.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// Each stage ever entered, in no order: its name, the day on which it was first entered, and
    /// the furthest place reached since.
    pub(super) fn first_entries(&self) -> Vec<(&Arc<str>, u8, i32, u8)> {
        let mut found: Vec<(&Arc<str>, u8, i32, u8)> = Vec::new();
        let early = self.early.iter();
        found.extend(early.map(|of| (&of.stage, of.place, of.day, of.furthest)));
        for step in &self.steps {
            for (_, _, _, furthest) in &mut found {
                *furthest = step.place.max(*furthest);
            }
            if !found.iter().any(|(_, place, ..)| *place == step.place) {
                found.push((&step.stage, step.place, step.day, step.place));
            }
        }
        found
    }

    /// About how many bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.steps.capacity() * size_of::<Step>()
            + self.early.capacity() * size_of::<Early>()
            + self.triggers.capacity() * size_of::<Trigger>()
    }
}

/// The summary of dropped steps.
fn early(steps: &[Step]) -> Vec<Early> {
    let mut found: Vec<Early> = Vec::new();
    for step in steps {
        for of in &mut found {
            of.furthest = step.place.max(of.furthest);
        }
        if !found.iter().any(|of| of.place == step.place) {
            found.push(Early {
                stage: Arc::clone(&step.stage),
                place: step.place,
                day: step.day,
                furthest: step.place,
            });
        }
    }
    found.sort_unstable_by_key(|of| of.place);
    found
}

/// A journey has 100 stages at most.
fn small(place: usize) -> u8 {
    u8::try_from(place).unwrap_or(u8::MAX)
}

/// Whether the runs are these steps.
fn same(
    mut found: impl Iterator<Item = (usize, Instant)>,
    steps: &[Step],
    journey: &Journey,
) -> bool {
    let all = steps.iter().all(|step| {
        found.next().is_some_and(|(place, since)| {
            usize::from(step.place) == place
                && step.since == since
                && step.stage == journey.stages[place]
        })
    });
    all && found.next().is_none()
}

/// Notes that a stage was entered by its condition at an instant, unless that is noted. The newest
/// [`MAX_STEPS`] are kept.
pub(crate) fn enter(triggers: &mut Vec<Trigger>, journey: &Journey, stage: &Arc<str>, at: Instant) {
    let found = triggers
        .iter()
        .any(|known| known.at == at && known.stage == *stage);
    if found {
        return;
    }
    triggers.push(Trigger {
        at,
        stage: Arc::clone(stage),
    });
    // Of two that became true together, the later stage is the one that is stood in.
    triggers.sort_by_key(|trigger| (trigger.at, journey.position(&trigger.stage)));
    let surplus = triggers.len().saturating_sub(MAX_STEPS);
    triggers.drain(..surplus);
}
