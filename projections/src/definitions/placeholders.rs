//! Placeholder ids: values that producers send where they know no customer, such as `null` or `guest`.
//! All their events together are no customer.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidemark_schemas::CustomerId;

use super::fields;
use super::problems::Problems;
use super::tree::{Content, Node};

/// The placeholders of a tenant that names none. They decide folding: another list is another fold version.
const DEFAULT: [&str; 18] = [
    "0",
    "-1",
    "-",
    "anonymous",
    "default",
    "empty",
    "false",
    "guest",
    "n/a",
    "na",
    "nan",
    "nil",
    "none",
    "null",
    "undefined",
    "unknown",
    "00000000-0000-0000-0000-000000000000",
    "[object object]",
];
const MAX_PLACEHOLDERS: usize = 100;

/// The placeholder ids of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholders {
    ids: BTreeSet<Arc<str>>,
    /// The length of the longest, in bytes: most ids of customers are longer.
    longest: usize,
}

impl Default for Placeholders {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl Placeholders {
    fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let ids: BTreeSet<Arc<str>> = ids.into_iter().map(Arc::from).collect();
        let longest = ids.iter().map(|id| id.len()).max().unwrap_or_default();
        Self { ids, longest }
    }

    /// Returns whether an id is a placeholder: one of the list in any case, with any white space around
    /// it, or nothing but white space.
    pub fn contains(&self, customer: &CustomerId) -> bool {
        let id = customer.as_str().trim();
        if id.is_empty() || id.len() > self.longest {
            return id.is_empty();
        }
        let mut lower = [0; MAX_BYTES];
        let Some(lower) = lower.get_mut(..id.len()) else {
            return false;
        };
        lower.copy_from_slice(id.as_bytes());
        lower.make_ascii_lowercase();
        str::from_utf8(lower).is_ok_and(|id| self.ids.contains(id))
    }
}

/// The length of the longest placeholder, in bytes.
const MAX_BYTES: usize = 64;

/// Reads the list of a tenant, if there is one; an empty one leaves only ids of white space.
pub(super) fn placeholders(
    node: Option<&Node>,
    problems: &mut Problems,
) -> Option<(Placeholders, Option<Vec<String>>)> {
    let Some(node) = node else {
        return Some((Placeholders::default(), None));
    };
    let expected = "a list of ids, like [guest, anonymous]";
    let is_empty = matches!(&node.content, Content::List(items) if items.is_empty());
    let items = if is_empty {
        &[]
    } else {
        fields::list(node, expected, MAX_PLACEHOLDERS, problems)?
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        texts.push(fields::parsed(item, "an id as text", problems, |text| {
            let id = text.trim();
            if id.is_empty() || id.len() > MAX_BYTES {
                return Err(format!("an id of 1 to {MAX_BYTES} bytes is expected"));
            }
            Ok(id.to_ascii_lowercase())
        }));
    }
    let texts: Vec<String> = texts.into_iter().collect::<Option<_>>()?;
    let placeholders = Placeholders::new(texts.iter().map(String::as_str));
    Some((placeholders, Some(texts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_recognised_in_any_case_and_with_white_space() {
        let placeholders = Placeholders::default();
        let contains = |id: &str| placeholders.contains(&CustomerId::new(id).expect("an id"));
        for id in [
            "null",
            "NULL",
            " Guest ",
            "undefined",
            "0",
            " ",
            "N/A",
            "[object Object]",
        ] {
            assert!(contains(id), "{id:?}");
        }
        for id in [
            "c-17",
            "00",
            "1",
            "nullable",
            "guest-17",
            "anonymous@example.com",
        ] {
            assert!(!contains(id), "{id:?}");
        }
    }
}
