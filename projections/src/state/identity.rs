//! Identity: when the customer was first and last seen, and which events were folded already.
//!
//! Three ways to recognise an event a second time, by what forgetting it would cost:
//!
//! - High-volume events (activities, messages, touches) by (`occurred_at`, id), for as long as
//!   they are within the dedup horizon behind the customer's newest event. Older ones are [`Late`].
//! - Consequential events with a business key (orders, refunds, stages, subscriptions, tickets,
//!   offers, answers, consents) by that key and the stamps kept beside it, in their accumulators.
//! - The other consequential events (merges, erasures) by id, for life, here; so are high-volume
//!   events that it was decided to fold although they are late.

use std::collections::{BTreeSet, VecDeque};

use tidemark_schemas::{EventId, Instant};

use super::encoding::{ID_BYTES, Reader, Span, Writer, ascending, damaged};
use super::{Late, Recognised, Stamp, StateError, price};

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    seen: Option<Span>,
    recent: VecDeque<Stamp>,
    for_life: BTreeSet<EventId>,
}

impl Identity {
    /// Returns the instant of the earliest folded event.
    pub fn first_seen_at(&self) -> Option<Instant> {
        self.seen.map(|span| span.first)
    }

    /// Returns the instant of the newest folded event.
    pub fn last_seen_at(&self) -> Option<Instant> {
        self.seen.map(|span| span.last)
    }

    /// Returns the dedup horizon once an event of that instant is counted.
    pub(super) fn horizon_with(&self, at: Instant, horizon_micros: i64) -> Instant {
        let newest = self.last_seen_at().map_or(at, |last| last.max(at));
        newest.plus_micros(horizon_micros.saturating_neg())
    }

    /// Widens the first and last instant. True when one of them moved.
    pub(super) fn see(&mut self, at: Instant) -> bool {
        let before = self.seen;
        let span = before.unwrap_or(Span {
            first: at,
            last: at,
        });
        self.seen = Some(Span {
            first: span.first.min(at),
            last: span.last.max(at),
        });
        self.seen != before
    }

    /// Remembers a high-volume event, unless it is late. False when it was known.
    ///
    /// One that was accepted is remembered for life even where it is not late, so that nothing
    /// depends on what came before it.
    pub(super) fn admit(
        &mut self,
        stamp: Stamp,
        horizon: Instant,
        recognised: Recognised,
    ) -> Result<bool, Late> {
        match recognised {
            Recognised::ForLife => {
                let known = self.recent.binary_search(&stamp).is_ok();
                Ok(!known && self.for_life.insert(stamp.id))
            }
            Recognised::WithinTheHorizon if stamp.at < horizon => Err(Late { horizon }),
            Recognised::WithinTheHorizon => Ok(self.remember_recent(stamp)),
        }
    }

    fn remember_recent(&mut self, stamp: Stamp) -> bool {
        if self.recent.back().is_none_or(|newest| *newest < stamp) {
            self.recent.push_back(stamp);
            return true;
        }
        match self.recent.binary_search(&stamp) {
            Ok(_) => false,
            Err(place) => {
                self.recent.insert(place, stamp);
                true
            }
        }
    }

    /// Whether the event is remembered for life.
    pub(crate) fn is_known_for_life(&self, id: EventId) -> bool {
        self.for_life.contains(&id)
    }

    /// Remembers a consequential event that no accumulator keeps. False when it was known.
    pub(super) fn remember_for_life(&mut self, id: EventId) -> bool {
        self.for_life.insert(id)
    }

    /// Forgets high-volume events older than the horizon.
    pub(super) fn prune(&mut self, horizon: Instant) {
        while self
            .recent
            .front()
            .is_some_and(|oldest| oldest.at < horizon)
        {
            self.recent.pop_front();
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if let Some(span) = other.seen {
            self.see(span.first);
            self.see(span.last);
        }
        if !other.recent.is_empty() {
            let union: BTreeSet<Stamp> = self.recent.iter().chain(&other.recent).copied().collect();
            self.recent = union.into_iter().collect();
        }
        self.for_life.extend(&other.for_life);
    }

    pub(super) fn span(&self) -> Option<Span> {
        self.seen
    }

    /// The part after the span, which the frame writes.
    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.recent.len());
        let mut from = span.first;
        for stamp in &self.recent {
            writer.distance(from, stamp.at);
            writer.id(stamp.id);
            from = stamp.at;
        }
        writer.count(self.for_life.len());
        for id in &self.for_life {
            writer.id(*id);
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        if span.first > span.last {
            return Err(damaged("first seen after last seen"));
        }
        let count = reader.count(1 + ID_BYTES)?;
        let mut recent = VecDeque::with_capacity(count);
        let mut from = span.first;
        for _ in 0..count {
            let stamp = Stamp {
                at: reader.instant(from, span)?,
                id: reader.id()?,
            };
            ascending(recent.back(), &stamp)?;
            from = stamp.at;
            recent.push_back(stamp);
        }
        let mut for_life = BTreeSet::new();
        for _ in 0..reader.count(ID_BYTES)? {
            let id = reader.id()?;
            ascending(for_life.last(), &id)?;
            for_life.insert(id);
        }
        Ok(Self {
            seen: Some(span),
            recent,
            for_life,
        })
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        self.recent.len() * (price::NEAR + price::ID) + self.for_life.len() * price::ID
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.recent.capacity() * size_of::<Stamp>() + self.for_life.len() * 2 * ID_BYTES
    }
}
