//! Activity: how often, first, last and on which days each kind of event happened.
//!
//! Per event name a count for life with its first and last instant, a count per day of the
//! tenant's zone for [`DAYS_KEPT`] days, and every instant of the last [`EXACT_HOURS`] hours, so
//! that windows up to that long are exact. Both windows end at the customer's newest event, of
//! whatever kind: what is kept is a function of the set of folded events.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use super::encoding::{Reader, Span, Writer, ascending};
use super::{StateError, price};

mod counter;

pub use counter::Counter;

/// The number of days kept behind the newest event: the longest window.
pub const DAYS_KEPT: i32 = 400;
/// The number of hours behind the newest event in which every instant is kept.
pub const EXACT_HOURS: i64 = 72;

/// The bound of the age of data that windows can use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Instants before this one.
    pub(crate) exact_from: Instant,
    /// Days before this one.
    pub(crate) first_day: i32,
}

impl Kept {
    /// Behind a customer's newest event.
    pub(crate) fn behind(newest: Instant) -> Self {
        const HOUR_MICROS: i64 = 3_600_000_000;
        let utc_day = newest.micros().div_euclid(24 * HOUR_MICROS);
        Self {
            exact_from: newest.plus_micros(-EXACT_HOURS * HOUR_MICROS),
            // A zone's day is at most one away from that of UTC, which needs no calendar.
            first_day: i32::try_from(utc_day).unwrap_or(i32::MAX) - DAYS_KEPT - 1,
        }
    }
}

/// The oldest of what a window may hold: as long as it is kept there is nothing to forget, which
/// spares most folds the search. It may be too old, which is harmless, and is no part of the state:
/// all are equal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oldest {
    at: Instant,
    day: i32,
}

impl Oldest {
    /// The value without any event.
    pub(crate) const NONE: Self = Self {
        at: Instant::MAX,
        day: i32::MAX,
    };
    /// It has to be looked for.
    pub(crate) const UNKNOWN: Self = Self {
        at: Instant::MIN,
        day: i32::MIN,
    };

    /// An event of that instant, if it is kept, and that day.
    pub(crate) fn note(&mut self, at: Option<Instant>, day: Option<i32>) {
        self.at = self.at.min(at.unwrap_or(Instant::MAX));
        self.day = self.day.min(day.unwrap_or(i32::MAX));
    }

    /// Whether something may have to go.
    pub(crate) fn is_before(self, kept: Kept) -> bool {
        self.at < kept.exact_from || self.day < kept.first_day
    }
}

impl Default for Oldest {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for Oldest {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Oldest {}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Activity {
    by_name: BTreeMap<Arc<str>, Counter>,
    text_bytes: usize,
}

impl Activity {
    /// Every kind of event, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Counter)> {
        self.by_name.iter()
    }

    /// One kind of event; `None` if it never happened.
    pub fn get(&self, name: &str) -> Option<&Counter> {
        self.by_name.get(name)
    }

    /// Counts one event, not counted before.
    pub(super) fn record(&mut self, name: &Arc<str>, at: Instant, day: i32) {
        if let Some(counter) = self.by_name.get_mut(name) {
            counter.record(at, day);
            return;
        }
        self.text_bytes += name.len();
        self.by_name
            .insert(Arc::clone(name), Counter::first(at, day));
    }

    /// Forgets the days and instants that are out of every window.
    pub(super) fn prune(&mut self, kept: Kept, oldest: &mut Oldest) {
        for counter in self.by_name.values_mut() {
            counter.prune(kept, oldest);
        }
    }

    /// Adds the events of another id of the same person.
    pub(super) fn merge(&mut self, other: &Self) {
        for (name, counter) in &other.by_name {
            if let Some(ours) = self.by_name.get_mut(name) {
                ours.merge(counter);
            } else {
                self.text_bytes += name.len();
                self.by_name.insert(Arc::clone(name), counter.clone());
            }
        }
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.by_name.len());
        for (name, counter) in &self.by_name {
            writer.text(name);
            counter.encode(span, writer);
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut activity = Self::default();
        for _ in 0..reader.count(1 + Counter::LEAST_BYTES)? {
            let name: Arc<str> = reader.name()?;
            let last = activity.by_name.last_key_value();
            ascending(last.map(|(last, _)| last), &name)?;
            activity.text_bytes += name.len();
            let counter = Counter::decode(span, reader)?;
            activity.by_name.insert(name, counter);
        }
        Ok(activity)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let counters: usize = self.by_name.values().map(Counter::size_bytes).sum();
        self.text_bytes + self.by_name.len() * price::TEXT + counters
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let counters: usize = self.by_name.values().map(Counter::memory_bytes).sum();
        self.text_bytes + super::map_bytes::<Arc<str>, Counter>(self.by_name.len()) + counters
    }
}
