//! Tracked counters: activities that satisfy a condition on their properties.
//!
//! Core state does not keep properties, so these cannot be counted afterwards. A counter starts
//! when a definition first asks for it and counts what occurred from then on: it is a function of
//! the set of folded events, as core state is, and of the instant from which it is exact. It is
//! kept beside core state and is no part of its bytes or of any digest.

use std::collections::BTreeMap;

use tidemark_schemas::Instant;

use super::StateError;
use super::activity::{Counter, Kept, Oldest};
use super::encoding::{Reader, Span, Writer, ascending, damaged};

/// Names a condition: a hash of the activity's name and what its properties must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafId(pub u64);

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
}

impl Tracked {
    /// A condition's counter; `None` if nothing was counted.
    pub fn get(&self, leaf: LeafId) -> Option<&Counter> {
        self.by_leaf.get(&leaf).map(|since| &since.counter)
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }

    /// Counts one event, not counted before, unless it occurred too early. A counter that was exact
    /// from another instant belonged to a definition given up since, and begins anew.
    pub(super) fn record(&mut self, leaf: LeafId, exact_from: Instant, at: Instant, day: i32) {
        if at < exact_from {
            return;
        }
        match self.by_leaf.get_mut(&leaf) {
            Some(since) if since.exact_from == exact_from => since.counter.record(at, day),
            Some(_) | None => {
                let counter = Counter::of(at, day);
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

    /// Forgets the counters for which nobody asks any more. `exact_from` tells of those asked for.
    pub fn keep(&mut self, exact_from: impl Fn(LeafId) -> Option<Instant>) {
        self.by_leaf
            .retain(|leaf, since| exact_from(*leaf) == Some(since.exact_from));
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
    }

    /// The canonical bytes; none without a counter.
    pub fn encode(&self) -> Vec<u8> {
        if self.by_leaf.is_empty() {
            return Vec::new();
        }
        let mut writer = Writer::default();
        writer.byte(super::canonical::VERSION_BYTE);
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
        let mut by_leaf = BTreeMap::new();
        if bytes.is_empty() {
            return Ok(Self { by_leaf });
        }
        let mut reader = Reader::new(bytes);
        if reader.byte()? != super::canonical::VERSION_BYTE {
            return Err(damaged("counters of another fold version"));
        }
        for _ in 0..reader.count_from_one(LEAST_BYTES)? {
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
        Ok(Self { by_leaf })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let counters = self.by_leaf.values();
        let counters: usize = counters.map(|since| since.counter.memory_bytes()).sum();
        counters + super::map_bytes::<LeafId, Since>(self.by_leaf.len())
    }
}

/// The leaf, one byte of its instant and a counter.
const LEAST_BYTES: usize = 9 + Counter::LEAST_BYTES;

fn span_from(first: Instant) -> Span {
    Span {
        first,
        last: Instant::MAX,
    }
}
