//! Journeys: for each, the sorted set of stages entered.
//!
//! The current stage, when it was entered and the transitions are read off the list, so that a
//! late stage event lands in its right place.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;
use tidemark_schemas::event::StageEntered;

use super::encoding::{ID_BYTES, Reader, Span, Writer, ascending};
use super::{Stamp, StateError, price};

/// One stage entered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageEntry {
    /// The stamp of the event.
    pub stamp: Stamp,
    /// The stage.
    pub stage: Arc<str>,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journeys {
    by_name: BTreeMap<Arc<str>, Vec<StageEntry>>,
    text_bytes: usize,
}

/// The stage of a customer in a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentStage<'a> {
    /// The stage of the newest entry.
    pub stage: &'a Arc<str>,
    /// The start of the current run of the stage: entering it again does not restart the run.
    pub since: Instant,
}

impl Journeys {
    /// Every journey of which a stage was entered, by name, with its entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &[StageEntry])> {
        self.by_name
            .iter()
            .map(|(journey, entries)| (journey, entries.as_slice()))
    }

    /// The stages entered, ordered by (`occurred_at`, event id, stage); empty for none.
    pub fn entries(&self, journey: &str) -> &[StageEntry] {
        self.by_name.get(journey).map_or(&[], Vec::as_slice)
    }

    /// Returns the current stage, if the customer ever entered the journey.
    pub fn current(&self, journey: &str) -> Option<CurrentStage<'_>> {
        let entries = self.entries(journey);
        let stage = &entries.last()?.stage;
        let run = entries
            .iter()
            .rev()
            .take_while(|entry| entry.stage == *stage);
        Some(CurrentStage {
            stage,
            since: run.last()?.stamp.at,
        })
    }

    /// Returns the instant of the first entry of the stage.
    pub fn reached(&self, journey: &str, stage: &str) -> Option<Instant> {
        let first = self
            .entries(journey)
            .iter()
            .find(|entry| &*entry.stage == stage);
        first.map(|entry| entry.stamp.at)
    }

    /// Folds one entry in. False when it was held.
    pub(super) fn enter(&mut self, entered: &StageEntered, stamp: Stamp) -> bool {
        self.insert(
            &entered.journey,
            StageEntry {
                stamp,
                stage: Arc::clone(&entered.stage),
            },
        )
    }

    fn insert(&mut self, journey: &Arc<str>, entry: StageEntry) -> bool {
        let Some(entries) = self.by_name.get_mut(journey) else {
            self.text_bytes += journey.len() + entry.stage.len();
            self.by_name.insert(Arc::clone(journey), vec![entry]);
            return true;
        };
        match entries.binary_search(&entry) {
            Ok(_) => false,
            Err(place) => {
                self.text_bytes += entry.stage.len();
                entries.insert(place, entry);
                true
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (journey, entries) in &other.by_name {
            for entry in entries {
                self.insert(journey, entry.clone());
            }
        }
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.by_name.len());
        for (journey, entries) in &self.by_name {
            writer.text(journey);
            writer.count(entries.len());
            let mut from = span.first;
            for entry in entries {
                writer.distance(from, entry.stamp.at);
                writer.id(entry.stamp.id);
                writer.text(&entry.stage);
                from = entry.stamp.at;
            }
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut journeys = Self::default();
        for _ in 0..reader.count(2)? {
            let name: Arc<str> = reader.name()?;
            ascending(
                journeys.by_name.last_key_value().map(|(last, _)| last),
                &name,
            )?;
            let entries = Self::decode_entries(span, reader)?;
            journeys.text_bytes +=
                name.len() + entries.iter().map(|entry| entry.stage.len()).sum::<usize>();
            journeys.by_name.insert(name, entries);
        }
        Ok(journeys)
    }

    fn decode_entries(span: Span, reader: &mut Reader<'_>) -> Result<Vec<StageEntry>, StateError> {
        let count = reader.count_from_one(2 + ID_BYTES)?;
        let mut entries: Vec<StageEntry> = Vec::with_capacity(count);
        let mut from = span.first;
        for _ in 0..count {
            let stamp = Stamp {
                at: reader.instant(from, span)?,
                id: reader.id()?,
            };
            let entry = StageEntry {
                stamp,
                stage: reader.name()?,
            };
            ascending(entries.last(), &entry)?;
            from = stamp.at;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let entries: usize = self.by_name.values().map(Vec::len).sum();
        self.text_bytes
            + self.by_name.len() * price::TEXT
            + entries * (price::NEAR + price::ID + price::TEXT)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let entries: usize = self.by_name.values().map(Vec::capacity).sum();
        self.text_bytes
            + super::map_bytes::<Arc<str>, Vec<StageEntry>>(self.by_name.len())
            + entries * size_of::<StageEntry>()
    }
}
