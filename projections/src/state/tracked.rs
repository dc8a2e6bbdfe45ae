//! Tracked counters: activities that satisfy a condition on their properties.
//!
//! Core state does not keep properties, so these cannot be counted afterwards. A counter starts
//! when a definition first asks for it and counts what occurred from then on: it is a function of
//! the set of folded events, as core state is, and of the instant from which it is exact. It is
//! kept beside core state and is no part of its bytes or of any digest. The same holds for
//! sequences, because core state does not keep their steps for long enough.

use std::collections::BTreeMap;

use tidemark_schemas::Instant;

use super::activity::{Counter, Kept, Oldest};
use super::encoding::{Reader, Span, Writer, ascending, damaged};
use super::{FoldRules, StateError, price};

mod sequence;

pub use sequence::{MAX_STEPS, Pace, Steps};

use sequence::Sequence;

/// Names a condition: a hash of the activity's name and what its properties must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafId(pub u64);

/// The role of an event for a tracked leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafRole {
    /// One more to count.
    Count,
    /// Steps of a sequence.
    Steps(Steps, Pace),
}

/// One condition's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Since {
    exact_from: Instant,
    counter: Counter,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracked {
    by_leaf: BTreeMap<LeafId, Since>,
    sequences: BTreeMap<LeafId, Sequence>,
}

impl Tracked {
    /// A condition's counter; `None` if nothing was counted.
    pub fn get(&self, leaf: LeafId) -> Option<&Counter> {
        self.by_leaf.get(&leaf).map(|since| &since.counter)
    }

    /// Returns the instant of the last completion of a sequence; `None` if it was never completed.
    pub fn completed(&self, leaf: LeafId) -> Option<Instant> {
        self.sequences.get(&leaf)?.completed
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty() && self.sequences.is_empty()
    }

    /// Takes in steps of a sequence, not taken in before, unless they are too early; see
    /// [`Self::record`].
    pub(super) fn step(
        &mut self,
        leaf: LeafId,
        exact_from: Instant,
        (at, steps, pace): (Instant, Steps, Pace),
        rules: &FoldRules,
    ) {
        if at < exact_from {
            return;
        }
        let fresh = || Sequence::new(exact_from, pace);
        let sequence = self.sequences.entry(leaf).or_insert_with(fresh);
        if sequence.exact_from != exact_from {
            *sequence = fresh();
        }
        sequence.record((at, steps), pace, &rules.zone, rules.dedup_horizon_micros);
    }

    /// Counts one event, not counted before, unless it occurred too early. A counter that was exact
    /// from another instant belonged to an earlier definition, and starts from zero.
    pub(super) fn record(&mut self, leaf: LeafId, exact_from: Instant, at: Instant, day: i32) {
        if at < exact_from {
            return;
        }
        match self.by_leaf.get_mut(&leaf) {
            Some(since) if since.exact_from == exact_from => since.counter.record(at, day),
            Some(_) | None => {
                let counter = Counter::first(at, day);
                self.by_leaf.insert(
                    leaf,
                    Since {
                        exact_from,
                        counter,
                    },
                );
            }
        }
    }

    /// Removes the counters that no definition needs. `exact_from` returns the others.
    pub fn keep(&mut self, exact_from: impl Fn(LeafId) -> Option<Instant>) {
        self.by_leaf
            .retain(|leaf, since| exact_from(*leaf) == Some(since.exact_from));
        self.sequences
            .retain(|leaf, sequence| exact_from(*leaf) == Some(sequence.exact_from));
    }

    pub(super) fn prune(&mut self, kept: Kept, oldest: &mut Oldest) {
        for since in self.by_leaf.values_mut() {
            since.counter.prune(kept, oldest);
        }
    }

    /// Adds the events of another id of the same person; exact from the later of both instants.
    pub(super) fn merge(&mut self, other: &Self) {
        for (leaf, theirs) in &other.by_leaf {
            if let Some(ours) = self.by_leaf.get_mut(leaf) {
                ours.exact_from = ours.exact_from.max(theirs.exact_from);
                ours.counter.merge(&theirs.counter);
            } else {
                self.by_leaf.insert(*leaf, theirs.clone());
            }
        }
        for (leaf, theirs) in &other.sequences {
            if let Some(ours) = self.sequences.get_mut(leaf) {
                ours.merge(theirs);
            } else {
                self.sequences.insert(*leaf, theirs.clone());
            }
        }
    }

    /// The canonical bytes; none where nothing is counted.
    pub fn encode(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut writer = Writer::default();
        writer.byte(super::canonical::VERSION_BYTE);
        if !self.sequences.is_empty() {
            // No counter at all: then sequences follow, and the counters after them.
            writer.count(0);
            writer.count(self.sequences.len());
        }
        for (leaf, sequence) in &self.sequences {
            writer.raw(&leaf.0.to_be_bytes());
            sequence.encode(&mut writer);
        }
        writer.count(self.by_leaf.len());
        for (
            leaf,
            Since {
                exact_from,
                counter,
            },
        ) in &self.by_leaf
        {
            writer.raw(&leaf.0.to_be_bytes());
            writer.signed(exact_from.micros());
            counter.encode(span_from(*exact_from), &mut writer);
        }
        writer.into_bytes()
    }

    /// The counters of canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut by_leaf = BTreeMap::new();
        let mut reader = Reader::new(bytes);
        if reader.byte()? != super::canonical::VERSION_BYTE {
            return Err(damaged("counters of another fold version"));
        }
        let mut count = reader.count(LEAST_BYTES)?;
        let mut sequences = BTreeMap::new();
        if count == 0 {
            sequences = read_sequences(&mut reader)?;
            count = reader.count(LEAST_BYTES)?;
        }
        for _ in 0..count {
            let leaf = LeafId(u64::from_be_bytes(reader.array()?));
            ascending(by_leaf.last_key_value().map(|(last, _)| last), &leaf)?;
            let exact_from = Instant::from_micros(reader.signed()?)
                .ok_or_else(|| damaged("an instant out of range"))?;
            let counter = Counter::decode(span_from(exact_from), &mut reader)?;
            by_leaf.insert(
                leaf,
                Since {
                    exact_from,
                    counter,
                },
            );
        }
        reader.finish()?;
        Ok(Self { by_leaf, sequences })
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let counters = self.by_leaf.values();
        let counters: usize = counters.map(|since| since.counter.size_bytes()).sum();
        let sequences: usize = self.sequences.values().map(Sequence::size_bytes).sum();
        counters + sequences + self.by_leaf.len() * (price::LEAF + price::INSTANT)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let counters = self.by_leaf.values();
        let counters: usize = counters.map(|since| since.counter.memory_bytes()).sum();
        let sequences = self.sequences.values();
        let sequences: usize = sequences.map(Sequence::memory_bytes).sum();
        counters
            + sequences
            + super::map_bytes::<LeafId, Since>(self.by_leaf.len())
            + super::map_bytes::<LeafId, Sequence>(self.sequences.len())
    }
}

fn read_sequences(reader: &mut Reader<'_>) -> Result<BTreeMap<LeafId, Sequence>, StateError> {
    let mut sequences = BTreeMap::new();
    for _ in 0..reader.count_from_one(8 + Sequence::LEAST_BYTES)? {
        let leaf = LeafId(u64::from_be_bytes(reader.array()?));
        ascending(sequences.last_key_value().map(|(last, _)| last), &leaf)?;
        sequences.insert(leaf, Sequence::decode(reader)?);
    }
    Ok(sequences)
}

/// The leaf, one byte of its instant and a counter.
const LEAST_BYTES: usize = 9 + Counter::LEAST_BYTES;

fn span_from(first: Instant) -> Span {
    Span {
        first,
        last: Instant::MAX,
    }
}
