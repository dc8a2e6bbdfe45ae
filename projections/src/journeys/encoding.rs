//! The canonical form of a path, within that of an evaluated state: exactly one encoding of each.
//!
//! Stages are written once and then named by their place; instants as distances from the one
//! before, days as distances from the day by UTC.

use std::sync::Arc;

use tidemark_schemas::Instant;

use super::path::{Early, MAX_STEPS, Path, Step, Trigger};
use crate::state::StateError;
use crate::state::encoding::{Reader, Writer, ascending, damaged};

const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;
/// A place, a distance and a day.
const LEAST_STEP_BYTES: usize = 3;
/// A distance and a text.
const LEAST_TRIGGER_BYTES: usize = 2;

impl Path {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        let stages = self.stages();
        writer.count(stages.len());
        for (place, stage) in &stages {
            writer.byte(*place);
            writer.text(stage);
        }
        writer.byte(self.last);
        writer.count(self.steps.len());
        let mut before = None;
        for step in &self.steps {
            writer.byte(step.place);
            write_instant(step.since, before, writer);
            writer.signed(i64::from(step.day) - utc_day(step.since));
            before = Some(step.since);
        }
        writer.count(self.early.len());
        for early in &self.early {
            writer.byte(early.place);
            writer.signed(early.day.into());
            writer.byte(early.furthest);
        }
        writer.count(self.triggers.len());
        let mut before = None;
        for trigger in &self.triggers {
            write_instant(trigger.at, before, writer);
            writer.text(&trigger.stage);
            before = Some(trigger.at);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut stages: Vec<(u8, Arc<str>)> = Vec::new();
        for _ in 0..reader.count(2)? {
            let place = reader.byte()?;
            ascending(stages.last().map(|(place, _)| place), &place)?;
            stages.push((place, reader.name()?));
        }
        let last = reader.byte()?;
        if stages.last().is_some_and(|(place, _)| *place > last) {
            return Err(damaged("a stage after the last one"));
        }
        let path = Self {
            steps: decode_steps(&stages, reader)?,
            early: decode_early(&stages, reader)?,
            last,
            triggers: decode_triggers(reader)?,
        };
        if path.stages().len() != stages.len() {
            return Err(damaged("a stage that was not entered"));
        }
        if !path.early.is_empty() && path.steps.len() < MAX_STEPS {
            return Err(damaged("steps are missing"));
        }
        Ok(path)
    }

    /// The entered stages, by index.
    fn stages(&self) -> Vec<(u8, &Arc<str>)> {
        let steps = self.steps.iter().map(|step| (step.place, &step.stage));
        let early = self.early.iter().map(|early| (early.place, &early.stage));
        let mut stages: Vec<_> = steps.chain(early).collect();
        stages.sort_unstable();
        stages.dedup();
        stages
    }
}

fn decode_steps(
    stages: &[(u8, Arc<str>)],
    reader: &mut Reader<'_>,
) -> Result<Vec<Step>, StateError> {
    let count = reader.count_from_one(LEAST_STEP_BYTES)?;
    if count > MAX_STEPS {
        return Err(damaged("a path is too long"));
    }
    let mut steps: Vec<Step> = Vec::with_capacity(count);
    for _ in 0..count {
        let (place, stage) = stage_of(stages, reader)?;
        if steps.last().is_some_and(|before| before.place == place) {
            return Err(damaged("a stage is entered twice in a row"));
        }
        let since = read_instant(steps.last().map(|before| before.since), reader)?;
        let day = reader.signed()?.checked_add(utc_day(since));
        let day = day.and_then(|day| i32::try_from(day).ok());
        steps.push(Step {
            stage,
            place,
            since,
            day: day.ok_or_else(|| damaged("a day out of range"))?,
        });
    }
    Ok(steps)
}

fn decode_early(
    stages: &[(u8, Arc<str>)],
    reader: &mut Reader<'_>,
) -> Result<Vec<Early>, StateError> {
    let mut found: Vec<Early> = Vec::new();
    for _ in 0..reader.count(LEAST_STEP_BYTES)? {
        let (place, stage) = stage_of(stages, reader)?;
        ascending(found.last().map(|early| &early.place), &place)?;
        found.push(Early {
            stage,
            place,
            day: reader.day(0)?,
            furthest: reader.byte()?,
        });
    }
    Ok(found)
}

fn decode_triggers(reader: &mut Reader<'_>) -> Result<Vec<Trigger>, StateError> {
    let mut found: Vec<Trigger> = Vec::new();
    for _ in 0..reader.count(LEAST_TRIGGER_BYTES)? {
        let at = read_instant(found.last().map(|before| before.at), reader)?;
        let stage = reader.name()?;
        found.push(Trigger { at, stage });
    }
    Ok(found)
}

fn stage_of(
    stages: &[(u8, Arc<str>)],
    reader: &mut Reader<'_>,
) -> Result<(u8, Arc<str>), StateError> {
    let place = reader.byte()?;
    let mut known = stages.iter();
    let found = known.find(|(other, _)| *other == place);
    found
        .map(|(place, stage)| (*place, Arc::clone(stage)))
        .ok_or_else(|| damaged("an unknown stage"))
}

fn write_instant(instant: Instant, before: Option<Instant>, writer: &mut Writer) {
    match before {
        Some(before) => writer.distance(before, instant),
        None => writer.signed(instant.micros()),
    }
}

fn read_instant(before: Option<Instant>, reader: &mut Reader<'_>) -> Result<Instant, StateError> {
    let micros = match before {
        Some(before) => i64::try_from(reader.unsigned()?)
            .ok()
            .and_then(|distance| before.micros().checked_add(distance)),
        None => Some(reader.signed()?),
    };
    micros
        .and_then(Instant::from_micros)
        .ok_or_else(|| damaged("an instant out of range"))
}

fn utc_day(instant: Instant) -> i64 {
    instant.micros().div_euclid(MICROS_PER_DAY)
}
