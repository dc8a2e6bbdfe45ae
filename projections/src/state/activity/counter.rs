//! One counter: of the events of one name, or of those that satisfy a condition.

use std::collections::VecDeque;

use tidemark_schemas::Instant;

use super::{Kept, Oldest};
use crate::state::encoding::{Reader, Span, Writer, damaged};
use crate::state::{StateError, price};

/// Events of one day of the tenant's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCount {
    /// The day, counted from 1970-01-01.
    pub day: i32,
    /// The number of events.
    pub events: u32,
}

/// Number and times of the events of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The lifetime count.
    pub count: u64,
    /// The earliest.
    pub first: Instant,
    /// The newest.
    pub last: Instant,
    /// The day buckets, in order.
    days: VecDeque<DayCount>,
    /// The recent instants, in order; an instant of two events is listed twice.
    recent: VecDeque<Instant>,
}

impl Counter {
    /// The count, two instants and two empty lists.
    pub(crate) const LEAST_BYTES: usize = 5;

    /// Returns a counter of one event.
    pub(crate) fn first(at: Instant, day: i32) -> Self {
        Self {
            count: 1,
            first: at,
            last: at,
            days: VecDeque::from([DayCount { day, events: 1 }]),
            recent: VecDeque::from([at]),
        }
    }

    /// Counts one more.
    pub(crate) fn record(&mut self, at: Instant, day: i32) {
        self.count = self.count.saturating_add(1);
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.add_to_day(day, 1);
        let place = self.recent.partition_point(|instant| *instant <= at);
        if place == self.recent.len() {
            self.recent.push_back(at);
        } else {
            self.recent.insert(place, at);
        }
    }

    fn add_to_day(&mut self, day: i32, events: u32) {
        let place = match self.days.back() {
            Some(newest) if newest.day == day => self.days.len() - 1,
            Some(newest) if newest.day > day => self.days.partition_point(|held| held.day < day),
            Some(_) | None => self.days.len(),
        };
        match self.days.get_mut(place) {
            Some(held) if held.day == day => held.events = held.events.saturating_add(events),
            Some(_) | None => self.days.insert(place, DayCount { day, events }),
        }
    }

    /// Forgets what is not kept; says what is the oldest that is.
    pub(crate) fn prune(&mut self, kept: Kept, oldest: &mut Oldest) {
        while self.recent.front().is_some_and(|at| *at < kept.exact_from) {
            self.recent.pop_front();
        }
        while self
            .days
            .front()
            .is_some_and(|held| held.day < kept.first_day)
        {
            self.days.pop_front();
        }
        let day = self.days.front().map(|held| held.day);
        oldest.note(self.recent.front().copied(), day);
    }

    /// Adds what another one counted; prune afterwards.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for held in &other.days {
            self.add_to_day(held.day, held.events);
        }
        self.recent.extend(&other.recent);
        self.recent.make_contiguous().sort_unstable();
    }

    /// The days kept, in order.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = DayCount> {
        self.days.iter().copied()
    }

    /// The instants kept, in order.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = Instant> {
        self.recent.iter().copied()
    }

    /// Returns the number of events from one day to another, both included, as far as days are kept.
    pub fn between(&self, first: i32, last: i32) -> u64 {
        let from = self.days.partition_point(|held| held.day < first);
        let inside = self.days.range(from..).take_while(|held| held.day <= last);
        inside.map(|held| u64::from(held.events)).sum()
    }

    /// The days kept from that one on, in order.
    pub(crate) fn days_from(&self, first: i32) -> impl Iterator<Item = DayCount> + Clone {
        let from = self.days.partition_point(|held| held.day < first);
        self.days.range(from..).copied()
    }

    /// The instants kept that are later than that one, in order.
    pub(crate) fn after(&self, instant: Instant) -> impl Iterator<Item = Instant> + Clone {
        let from = self.recent.partition_point(|at| *at <= instant);
        self.recent.range(from..).copied()
    }

    pub(crate) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.unsigned(self.count);
        writer.distance(span.first, self.first);
        writer.distance(self.first, self.last);
        writer.count(self.days.len());
        let mut before = 0;
        for held in &self.days {
            // The first from 1970, which may be after it, and each other from the one before.
            writer.signed(i64::from(held.day) - i64::from(before));
            writer.unsigned(u64::from(held.events));
            before = held.day;
        }
        writer.count(self.recent.len());
        let mut from = self.first;
        for at in &self.recent {
            writer.distance(from, *at);
            from = *at;
        }
    }

    pub(crate) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let count = reader.unsigned()?;
        let first = reader.instant(span.first, span)?;
        let last = reader.instant(first, span)?;
        let day_count = reader.count(2)?;
        let mut days: VecDeque<DayCount> = VecDeque::with_capacity(day_count);
        for _ in 0..day_count {
            let day = reader.day(days.back().map_or(0, |held| held.day))?;
            if days.back().is_some_and(|newest| newest.day >= day) {
                return Err(damaged("a list is out of order"));
            }
            let events = u32::try_from(reader.unsigned()?);
            let events = events.map_err(|_| damaged("a day's count out of range"))?;
            days.push_back(DayCount { day, events });
        }
        let recent_count = reader.count(1)?;
        let mut recent = VecDeque::with_capacity(recent_count);
        let mut from = first;
        for _ in 0..recent_count {
            from = reader.instant(from, span)?;
            recent.push_back(from);
        }
        Ok(Self {
            count,
            first,
            last,
            days,
            recent,
        })
    }

    /// Returns the size, by fixed prices.
    pub(crate) fn size_bytes(&self) -> usize {
        price::COUNTER + self.days.len() * price::DAY + self.recent.len() * price::NEAR
    }

    /// Returns the memory on the heap, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.days.capacity() * size_of::<DayCount>() + self.recent.capacity() * size_of::<Instant>()
    }
}
