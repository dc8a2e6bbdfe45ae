//! The sort key of an item in a timeline.

use tidemark_projections::outputs::Happening;

use crate::cursor::{self, Question};

/// Separates the fields of a cursor; no name contains it.
const SEPARATOR: char = '\u{1f}';

/// The sort key of an item in a timeline. At the same instant a change comes
/// after the event that caused it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortKey {
    /// The instant, in microseconds.
    pub(super) at: i64,
    /// The number of the set of changes, from 1; 0 for an event.
    pub(super) seq: i64,
    /// The step within the set; 0 for an event.
    pub(super) step: i64,
    pub(super) kind: String,
    pub(super) name: String,
    /// The item within its name and kind; empty for a change.
    part: String,
}

impl SortKey {
    /// Later than every item.
    pub(super) const MAX: Self = Self {
        at: i64::MAX,
        seq: i64::MAX,
        step: i64::MAX,
        kind: String::new(),
        name: String::new(),
        part: String::new(),
    };

    /// Returns the sort key of an event.
    pub(super) fn from_event(event: &Happening) -> Self {
        Self {
            at: event.at.micros(),
            seq: 0,
            step: 0,
            kind: event.kind.name().to_owned(),
            name: String::from(&*event.name),
            part: event.part.clone(),
        }
    }

    /// Returns the sort key of a change; `seq` starts at 1.
    pub(super) fn from_change(at: i64, seq: i64, step: i64, kind: String, name: String) -> Self {
        Self {
            at,
            seq,
            step,
            kind,
            name,
            part: String::new(),
        }
    }

    /// Encodes the key as a cursor.
    pub(super) fn cursor(&self, question: &Question) -> String {
        cursor::encode(question, &self.text())
    }

    fn text(&self) -> String {
        let Self {
            at,
            seq,
            step,
            kind,
            name,
            part,
        } = self;
        let s = SEPARATOR;
        format!("{at}{s}{seq}{s}{step}{s}{kind}{s}{name}{s}{part}")
    }

    /// Parses the text of a cursor; `None` if it is not a sort key.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains('\0') {
            return None; // Postgres refuses such text.
        }
        let mut fields = text.splitn(6, SEPARATOR);
        let mut next = || fields.next();
        let [at, seq, step] = [next()?, next()?, next()?].map(str::parse);
        let mut text = || next().map(str::to_owned);
        Some(Self {
            at: at.ok()?,
            seq: seq.ok()?,
            step: step.ok()?,
            kind: text()?,
            name: text()?,
            part: text()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_key_round_trips_and_other_text_is_refused() {
        let kind = || "touch".to_owned();
        let mut key = SortKey::from_change(-5, 7, 2, kind(), "spring".to_owned());
        key.part = "post\u{1f}card".to_owned();
        assert_eq!(SortKey::parse(&key.text()), Some(key.clone()));
        assert_eq!(SortKey::parse(&SortKey::MAX.text()), Some(SortKey::MAX));
        for wrong in ["", "c-17", "1\u{1f}2\u{1f}x\u{1f}a\u{1f}b\u{1f}c"] {
            assert_eq!(SortKey::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(
            SortKey::parse(&key.text().replace("spring", "spr\0ng")),
            None
        );
    }

    #[test]
    fn a_change_sorts_after_the_event_of_the_same_instant() {
        let happened = SortKey {
            seq: 0,
            kind: "order".to_owned(),
            ..SortKey::from_change(5, 0, 0, String::new(), "o-1".to_owned())
        };
        let concluded = SortKey::from_change(5, 1, 1, "band".to_owned(), "churn".to_owned());
        assert!(happened < concluded && concluded < SortKey::MAX);
    }
}
