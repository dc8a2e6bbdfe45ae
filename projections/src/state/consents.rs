//! Consents: of each purpose the newest word, by (`occurred_at`, event id).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use tidemark_schemas::event::ConsentChanged;

use super::encoding::{ID_BYTES, Reader, Span, Writer, ascending, damaged};
use super::{Stamp, StateError, keep_greatest, price};

/// The newest consent for a purpose.
///
/// Ordered so that of two the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consent {
    /// The stamp of the event.
    pub stamp: Stamp,
    /// Given or withdrawn.
    pub granted: bool,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consents {
    by_purpose: BTreeMap<Arc<str>, Consent>,
    text_bytes: usize,
}

impl Consents {
    pub(super) const EMPTY: Self = Self {
        by_purpose: BTreeMap::new(),
        text_bytes: 0,
    };

    /// Every purpose of which something was said, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, Consent)> {
        let consents = self.by_purpose.iter();
        consents.map(|(purpose, consent)| (purpose, *consent))
    }

    /// Returns the newest consent for a purpose; `None` if there is none.
    pub fn get(&self, purpose: &str) -> Option<Consent> {
        self.by_purpose.get(purpose).copied()
    }

    /// Folds a change in. False when it changes nothing.
    pub(super) fn change(&mut self, changed: &ConsentChanged, stamp: Stamp) -> bool {
        let granted = changed.granted;
        self.take_in(&changed.purpose, Consent { stamp, granted })
    }

    fn take_in(&mut self, purpose: &Arc<str>, consent: Consent) -> bool {
        match self.by_purpose.entry(Arc::clone(purpose)) {
            Entry::Vacant(vacant) => {
                self.text_bytes += purpose.len();
                vacant.insert(consent);
                true
            }
            Entry::Occupied(mut held) => keep_greatest(held.get_mut(), consent),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (purpose, consent) in &other.by_purpose {
            self.take_in(purpose, *consent);
        }
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.by_purpose.len());
        for (purpose, consent) in &self.by_purpose {
            writer.text(purpose);
            writer.stamp(span.first, consent.stamp);
            writer.byte(u8::from(consent.granted));
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut consents = Self::EMPTY;
        for _ in 0..reader.count(3 + ID_BYTES)? {
            let purpose: Arc<str> = reader.name()?;
            let last = consents.by_purpose.last_key_value();
            ascending(last.map(|(last, _)| last), &purpose)?;
            consents.text_bytes += purpose.len();
            let stamp = reader.stamp(span.first, span)?;
            let granted = match reader.byte()? {
                0 => false,
                1 => true,
                _ => return Err(damaged("neither given nor withdrawn")),
            };
            let consent = Consent { stamp, granted };
            consents.by_purpose.insert(purpose, consent);
        }
        Ok(consents)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        self.text_bytes + self.by_purpose.len() * (price::TEXT + price::STAMP + 1)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text_bytes + super::map_bytes::<Arc<str>, Consent>(self.by_purpose.len())
    }
}
