//! The size of a customer's core state and tracked counters, for the bound of a tenant.
//!
//! The size decides whether events are folded, so it must be the same for a state in memory and for
//! one read from the database, and cheap. It is therefore no length of an encoding: each thing that is
//! held has a fixed price, about the bytes that it takes in the canonical form and rather more. Prices
//! are part of the fold version.

use tidemark_schemas::event::Payload;
use tidemark_schemas::{CustomerEvent, Instant};

use super::activity::{Kept, Oldest};
use super::{CustomerState, FoldRules, price};

/// The most that an event adds, attributes and tracked leaves excepted: an id and two names of 255
/// bytes with what is counted under them.
const GROWTH: usize = 1_024;
/// The most that an event adds for a tracked leaf: a new sequence of eight steps.
const GROWTH_OF_LEAF: usize = 128;
/// The distance of the instants for which it is computed how much of a state is forgotten.
const HOUR_MICROS: i64 = 3_600_000_000;

/// Returns at least what an event adds to the size of a state, if so many tracked leaves ask for it.
pub(crate) fn growth(event: &CustomerEvent, leaves: usize) -> usize {
    let attributes = if let Payload::ProfileUpdated(update) = &event.payload {
        let written = update.attributes.iter();
        written
            .map(|(name, value)| price::text(name) + price::point(value))
            .sum()
    } else {
        0
    };
    GROWTH + attributes + leaves * GROWTH_OF_LEAF
}

/// Returns the last full hour by an event of that instant.
pub(crate) fn full_hour(at: Instant) -> Instant {
    at.plus_micros(-at.micros().rem_euclid(HOUR_MICROS))
}

impl CustomerState {
    /// Returns the size of core state and tracked counters, in bytes: a function of what is held.
    pub fn size_bytes(&self) -> usize {
        self.identity.size_bytes()
            + self.attributes.size_bytes()
            + self.orders.size_bytes()
            + self.journeys.size_bytes()
            + self.activity.size_bytes()
            + self.conversations.size_bytes()
            + self.records.as_ref().map_or(0, |it| it.size_bytes())
            + self.tracked.size_bytes()
    }

    /// Returns the size that is left once an event of that instant has made the state forget what is
    /// too old. Never more than [`Self::size_bytes`], and never more than for an earlier instant.
    pub(crate) fn size_bytes_at(&self, at: Instant, rules: &FoldRules) -> usize {
        let mut state = self.clone();
        let horizon = state.identity.horizon_with(at, rules.dedup_horizon_micros);
        state.identity.prune(horizon);
        state.attributes.prune(horizon);
        let newest = state.last_seen_at().map_or(at, |last| last.max(at));
        let mut oldest = Oldest::NONE;
        state.prune(Kept::behind(newest), &mut oldest);
        state.size_bytes()
    }
}
