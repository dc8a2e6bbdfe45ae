//! Everything wrong with a set of definitions, collected: people fix a file once, not once per
//! error.

use std::fmt::Write;

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

    /// On one line, for a rejected record.
    pub(crate) fn summary(&self) -> String {
        let mut summary = String::new();
        for (index, problem) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            // Writing to a String cannot fail.
            let _: std::fmt::Result =
                write!(summary, "{separator}{}: {}", problem.place, problem.message);
        }
        if self.0.len() > SHOWN {
            let _: std::fmt::Result = write!(summary, "; and {} more", self.0.len() - SHOWN);
        }
        summary
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
    let mut message = format!("unknown {what} {word:?}");
    if let Some(name) = nearest(word, &valid) {
        let _: std::fmt::Result = write!(message, ": did you mean {name:?}?");
    }
    if valid.is_empty() {
        let _: std::fmt::Result = write!(message, " (there is none)");
    } else if valid.len() <= LISTED {
        let _: std::fmt::Result = write!(message, " (known: {})", valid.join(", "));
    }
    message
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
