//! The progress of a customer through a sequence of steps, each later than the one before, all
//! within a bound.
//!
//! Events may come in any order within the dedup horizon, so every step within it is kept, as its
//! event's id is. What is older can no longer be added to: of that, for each step, the latest
//! beginning of a chain that has come so far says everything, because a chain that began later can
//! be completed for longer. So whatever the length of the sequence, what is kept is bounded by the
//! horizon, and is a function of the set of folded events.
//!
//! The horizon here ends behind the newest step, not behind the customer's newest event, so that
//! other events need not be told. A step accepted although it is late is left out if it lies before
//! that: the steps that followed it are no longer known one by one.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use tidemark_schemas::Instant;

use crate::days::{self, Duration};
use crate::state::encoding::{Reader, Span, Writer, ascending, damaged};
use crate::state::{StateError, price};

/// The largest number of steps of a sequence: the steps of an event must fit a byte.
pub const MAX_STEPS: usize = 8;

/// The parameters of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The number of steps, from 2 to [`MAX_STEPS`].
    pub steps: usize,
    /// The bound of the time from the first step to the last. Days are whole days of the
    /// tenant's zone, from the day of the first step.
    pub length: Duration,
}

impl Pace {
    /// Whether a chain that began then may go on at this later instant.
    fn lasts(self, begun: Instant, at: Instant, zone: &TimeZone) -> bool {
        match self.length {
            Duration::Exact(micros) => at < begun.plus_micros(micros),
            Duration::Days(length) => {
                let last = days::day_of(zone, begun).saturating_add(length - 1);
                days::day_of(zone, at) <= last
            }
        }
    }
}

/// The steps of a sequence that an event is, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps(pub u8);

/// The latest start of a chain, for each step but the last, that has reached the step.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chains(Vec<Option<Instant>>);

impl Chains {
    /// Goes on with an instant later than all before; true when a chain is completed.
    fn advance(&mut self, at: Instant, steps: Steps, pace: Pace, zone: &TimeZone) -> bool {
        let mut completed = false;
        // From the last step back, so that no event is two steps of one chain.
        for step in (0..pace.steps)
            .rev()
            .filter(|step| steps.0 >> step & 1 == 1)
        {
            let begun = match step.checked_sub(1) {
                None => Some(at),
                Some(before) => (self.0.get(before).copied().flatten())
                    .filter(|begun| pace.lasts(*begun, at, zone)),
            };
            match self.0.get_mut(step) {
                Some(latest) => *latest = begun.max(*latest),
                None => completed |= begun.is_some(),
            }
        }
        completed
    }

    fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            *ours = (*ours).max(*theirs);
        }
    }
}

/// [`Chains`] of everything, unless they have to be recomputed; no part of the state: all are
/// equal.
#[derive(Debug, Clone)]
struct Current(Option<Chains>);

impl PartialEq for Current {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Current {}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) exact_from: Instant,
    /// The instant of the last completion.
    pub(super) completed: Option<Instant>,
    /// The chains of the steps before the horizon.
    settled: Chains,
    /// The steps within the horizon, in order. All steps of one instant are one entry.
    recent: VecDeque<(Instant, Steps)>,
    current: Current,
}

impl Sequence {
    /// The leaf's instant, whether completed, the count of chains, one of them, the count of steps.
    pub(super) const LEAST_BYTES: usize = 5;

    pub(super) fn new(exact_from: Instant, pace: Pace) -> Self {
        let settled = Chains(vec![None; pace.steps.saturating_sub(1)]);
        Self {
            exact_from,
            completed: None,
            current: Current(Some(settled.clone())),
            settled,
            recent: VecDeque::new(),
        }
    }

    /// Takes one event in, not taken in before and not before [`Self::exact_from`].
    pub(super) fn record(
        &mut self,
        (at, steps): (Instant, Steps),
        pace: Pace,
        zone: &TimeZone,
        horizon_micros: i64,
    ) {
        let newest = self.recent.back().map_or(at, |(newest, _)| at.max(*newest));
        let horizon = newest.plus_micros(horizon_micros.saturating_neg());
        if at < horizon {
            return;
        }
        match self.current.0.as_mut() {
            Some(current) if self.recent.back().is_none_or(|(newest, _)| *newest < at) => {
                self.recent.push_back((at, steps));
                if current.advance(at, steps, pace, zone) {
                    self.completed = Some(at);
                }
            }
            Some(_) | None => {
                self.insert(at, steps);
                self.recompute(pace, zone);
            }
        }
        while let Some((at, steps)) = self.recent.front().copied().filter(|(at, _)| *at < horizon) {
            self.settled.advance(at, steps, pace, zone);
            self.recent.pop_front();
        }
    }

    fn insert(&mut self, at: Instant, steps: Steps) {
        let place = self.recent.partition_point(|(other, _)| *other < at);
        match self.recent.get_mut(place) {
            Some((same, known)) if *same == at => known.0 |= steps.0,
            Some(_) | None => self.recent.insert(place, (at, steps)),
        }
    }

    fn recompute(&mut self, pace: Pace, zone: &TimeZone) {
        let mut chains = self.settled.clone();
        for (at, steps) in &self.recent {
            if chains.advance(*at, *steps, pace, zone) {
                self.completed = self.completed.max(Some(*at));
            }
        }
        self.current = Current(Some(chains));
    }

    /// Adds what another id of the same person did. A sequence is completed by one of them.
    pub(super) fn merge(&mut self, other: &Self) {
        self.exact_from = self.exact_from.max(other.exact_from);
        self.completed = self.completed.max(other.completed);
        self.settled.merge(&other.settled);
        for (at, steps) in &other.recent {
            self.insert(*at, *steps);
        }
        self.current = Current(None);
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let optional = |writer: &mut Writer, instant: Option<Instant>| match instant {
            None => writer.byte(0),
            Some(instant) => {
                writer.byte(1);
                writer.signed(instant.micros());
            }
        };
        writer.signed(self.exact_from.micros());
        optional(writer, self.completed);
        writer.count(self.settled.0.len());
        for begun in &self.settled.0 {
            optional(writer, *begun);
        }
        writer.count(self.recent.len());
        let mut from = Instant::MIN;
        for (at, steps) in &self.recent {
            writer.distance(from, *at);
            writer.byte(steps.0);
            from = *at;
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let exact_from = instant(reader)?;
        let completed = optional(reader)?;
        let chains = reader.count_from_one(1)?;
        if chains >= MAX_STEPS {
            return Err(damaged("a sequence of too many steps"));
        }
        let settled = (0..chains)
            .map(|_| optional(reader))
            .collect::<Result<_, _>>()?;
        let span = Span {
            first: Instant::MIN,
            last: Instant::MAX,
        };
        let mut recent: VecDeque<(Instant, Steps)> = VecDeque::new();
        let mut from = Instant::MIN;
        for _ in 0..reader.count(2)? {
            let at = reader.instant(from, span)?;
            ascending(recent.back().map(|(before, _)| before), &at)?;
            let steps = reader.byte()?;
            if steps == 0 || u32::from(steps) >> (chains + 1) != 0 {
                return Err(damaged("a step that does not exist"));
            }
            recent.push_back((at, Steps(steps)));
            from = at;
        }
        let settled = Chains(settled);
        Ok(Self {
            exact_from,
            completed,
            settled,
            recent,
            current: Current(None),
        })
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let optional = 1 + price::INSTANT;
        price::LEAF
            + price::INSTANT
            + optional * (1 + self.settled.0.len())
            + self.recent.len() * (price::NEAR + 1)
    }

    /// Returns the memory on the heap, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let chains = 2 * self.settled.0.capacity() * size_of::<Option<Instant>>();
        chains + self.recent.capacity() * size_of::<(Instant, Steps)>()
    }
}

fn instant(reader: &mut Reader<'_>) -> Result<Instant, StateError> {
    Instant::from_micros(reader.signed()?).ok_or_else(|| damaged("an instant out of range"))
}

fn optional(reader: &mut Reader<'_>) -> Result<Option<Instant>, StateError> {
    match reader.byte()? {
        0 => Ok(None),
        1 => instant(reader).map(Some),
        _ => Err(damaged("neither there nor not")),
    }
}
