//! Everything wrong with a set of definitions, collected: people fix a file once, not once per
//! error.

use super::tree::{Node, Place};

/// One wrong thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    pub(crate) message: String,
}

/// All of them, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

/// A message for people needs no more than this many.
const SHOWN: usize = 5;

impl Problems {
    pub(crate) fn add(&mut self, place: &Place, message: impl Into<String>) {
        self.0.push(Problem {
            place: place.clone(),
            message: message.into(),
        });
    }

    /// `expected …, found …`. `None`, so that a reader can return it.
    pub(crate) fn expected<T>(&mut self, expected: &str, node: &Node) -> Option<T> {
        self.add(
            &node.place,
            format!("expected {expected}, found {}", node.found()),
        );
        None
    }

    /// Formats the problems on one line, for a rejected record.
    pub(crate) fn summary(&self) -> String {
        let shown = self.0.iter().take(SHOWN);
        let mut parts: Vec<String> = shown
            .map(|problem| format!("{}: {}", problem.place, problem.message))
            .collect();
        if self.0.len() > SHOWN {
            parts.push(format!("and {} more", self.0.len() - SHOWN));
        }
        parts.join("; ")
    }
}

/// Longer lists of valid names are left out of messages.
const LISTED: usize = 16;

/// `unknown {what} "{word}"`, the nearest valid name and, where they are few, all of them.
pub(crate) fn unknown<'a>(
    what: &str,
    word: &str,
    valid: impl IntoIterator<Item = &'a str>,
) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    let hint = match nearest(word, &valid) {
        Some(name) => format!(": did you mean {name:?}?"),
        None => String::new(),
    };
    let known = match valid.len() {
        0 => " (there is none)".to_owned(),
        1..=LISTED => format!(" (known: {})", valid.join(", ")),
        _ => String::new(),
    };
    format!("unknown {what} {word:?}{hint}{known}")
}

/// The valid name nearest to a word, if it is near enough to be a slip of the finger.
fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1) + 1;
    valid
        .iter()
        // Lengths bound the distance from below; skips the quadratic work for hostile names.
        .filter(|name| name.len().abs_diff(word.len()) <= allowed * 4 && word.len() <= 256)
        .map(|name| (strsim::osa_distance(word, name), *name))
        .filter(|(distance, name)| {
            *distance <= allowed && *distance < name.chars().count().max(word.chars().count())
        })
        .min()
        .map(|(_, name)| name)
}
