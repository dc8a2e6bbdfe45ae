//! Where something stands in a timeline.

use tidemark_projections::outputs::Happening;

use crate::cursor::{self, Question};

/// What parts the fields of a cursor: no name has it.
const SEPARATOR: char = '\u{1f}';

/// Where something stands in a timeline, oldest first. What was concluded comes after what
/// happened at the same instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// In microseconds.
    pub(super) at: i64,
    /// 0 of what happened.
    pub(super) seq: i64,
    /// 0 of what happened.
    pub(super) step: i64,
    pub(super) kind: String,
    pub(super) name: String,
    /// Empty of what was concluded.
    part: String,
}

impl Place {
    /// Later than everything.
    pub(super) const LAST: Self = Self {
        at: i64::MAX,
        seq: i64::MAX,
        step: i64::MAX,
        kind: String::new(),
        name: String::new(),
        part: String::new(),
    };

    /// Of something that happened.
    pub(super) fn of(happening: &Happening) -> Self {
        Self {
            at: happening.at.micros(),
            seq: 0,
            step: 0,
            kind: happening.kind.name().to_owned(),
            name: String::from(&*happening.name),
            part: happening.part.clone(),
        }
    }

    /// Of something that was concluded: `seq` is from 1.
    pub(super) fn of_change(at: i64, seq: i64, step: i64, kind: String, name: String) -> Self {
        Self {
            at,
            seq,
            step,
            kind,
            name,
            part: String::new(),
        }
    }

    /// As a cursor.
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

    /// Of what a cursor says; `None` where that is no place.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.contains('\0') {
            return None; // Postgres takes no such text.
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
    fn a_place_is_read_back_and_nothing_else_is_one() {
        let kind = || "touch".to_owned();
        let mut place = Place::of_change(-5, 7, 2, kind(), "spring".to_owned());
        place.part = "post\u{1f}card".to_owned();
        assert_eq!(Place::read(&place.text()), Some(place.clone()));
        assert_eq!(Place::read(&Place::LAST.text()), Some(Place::LAST));
        for wrong in ["", "c-17", "1\u{1f}2\u{1f}x\u{1f}a\u{1f}b\u{1f}c"] {
            assert_eq!(Place::read(wrong), None, "{wrong:?}");
        }
        assert_eq!(
            Place::read(&place.text().replace("spring", "spr\0ng")),
            None
        );
    }

    #[test]
    fn what_was_concluded_comes_after_what_happened_at_that_instant() {
        let happened = Place {
            seq: 0,
            kind: "order".to_owned(),
            ..Place::of_change(5, 0, 0, String::new(), "o-1".to_owned())
        };
        let concluded = Place::of_change(5, 1, 1, "band".to_owned(), "churn".to_owned());
        assert!(happened < concluded && concluded < Place::LAST);
    }
}
