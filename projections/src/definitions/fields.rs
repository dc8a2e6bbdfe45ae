//! Reading maps, lists and scalars of a document, each mistake noted with its place.

use std::sync::Arc;

use super::problems::{Problems, unknown};
use super::tree::{Content, Key, Node, Place};

/// The longest name of a segment, journey or stage.
const MAX_NAME_BYTES: usize = 64;
/// The longest description.
const MAX_DESCRIPTION_BYTES: usize = 1_000;
/// The longest text compared with.
const MAX_TEXT_BYTES: usize = 1_000;

/// A map with a known set of keys.
pub(crate) struct Fields<'n> {
    place: &'n Place,
    what: &'n str,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// Reads a map; keys not in `known` are problems. `what` names the map in messages.
    pub(crate) fn read(
        node: &'n Node,
        what: &'n str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        Self::with_keys(node, what, "key", known, problems)
    }

    /// Reads a map of operators, as [`Self::read`] does.
    pub(crate) fn read_operators(
        node: &'n Node,
        what: &'n str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        Self::with_keys(node, what, "operator", known, problems)
    }

    fn with_keys(
        node: &'n Node,
        what: &'n str,
        kind: &str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            return problems.expected(&format!("{what} (a map)"), node);
        };
        for (key, _) in entries {
            if !known.contains(&&*key.text) {
                let kind = format!("{kind} of {what}");
                let message = unknown(&kind, &key.text, known.iter().copied());
                problems.add(&key.place, message);
            }
        }
        Some(Self {
            place: &node.place,
            what,
            entries,
        })
    }

    /// The value of a key, unless it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(key, node)| &*key.text == name && !matches!(node.content, Content::Null))
            .map(|(_, node)| node)
    }

    /// Returns the position of the map.
    pub(crate) fn place(&self) -> &'n Place {
        self.place
    }

    /// Keys with a value, in the order of the document.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'n str, &'n Node)> {
        self.entries
            .iter()
            .filter(|(_, node)| !matches!(node.content, Content::Null))
            .map(|(key, node)| (&*key.text, node))
    }

    /// The value of a key that must be there.
    pub(crate) fn require(&self, name: &str, problems: &mut Problems) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() {
            problems.add(self.place, format!("{} lacks {name:?}", self.what));
        }
        node
    }
}

/// The entries of a map with free keys.
pub(crate) fn map<'n>(
    node: &'n Node,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'n [(Key, Node)]> {
    match &node.content {
        Content::Map(entries) => Some(entries),
        Content::Null
        | Content::Boolean(_)
        | Content::Long(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::List(_) => problems.expected(expected, node),
    }
}

/// The items of a list that is neither empty nor longer than `most`.
pub(crate) fn list<'n>(
    node: &'n Node,
    expected: &str,
    most: usize,
    problems: &mut Problems,
) -> Option<&'n [Node]> {
    match &node.content {
        Content::List(items) if items.is_empty() => {
            problems.add(
                &node.place,
                format!("expected {expected}, found an empty list"),
            );
            None
        }
        Content::List(items) if items.len() > most => {
            problems.add(
                &node.place,
                format!("{} items are more than {most}", items.len()),
            );
            None
        }
        Content::List(items) => Some(items),
        Content::Null
        | Content::Boolean(_)
        | Content::Long(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::Map(_) => problems.expected(expected, node),
    }
}

/// A text.
pub(crate) fn text<'n>(
    node: &'n Node,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'n Arc<str>> {
    match &node.content {
        Content::Text(text) if text.len() > MAX_TEXT_BYTES => {
            problems.add(&node.place, format!("longer than {MAX_TEXT_BYTES} bytes"));
            None
        }
        Content::Text(text) => Some(text),
        Content::Null
        | Content::Boolean(_)
        | Content::Long(_)
        | Content::Double(_)
        | Content::List(_)
        | Content::Map(_) => problems.expected(expected, node),
    }
}

/// True or false.
pub(crate) fn boolean(node: &Node, problems: &mut Problems) -> Option<bool> {
    match &node.content {
        Content::Boolean(value) => Some(*value),
        Content::Null
        | Content::Long(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_) => problems.expected("true or false", node),
    }
}

/// A whole number.
pub(crate) fn long(node: &Node, expected: &str, problems: &mut Problems) -> Option<i64> {
    match &node.content {
        Content::Long(value) => Some(*value),
        Content::Null
        | Content::Boolean(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_) => problems.expected(expected, node),
    }
}

/// A number as a double.
pub(crate) fn double(node: &Node, expected: &str, problems: &mut Problems) -> Option<f64> {
    match &node.content {
        #[expect(clippy::cast_precision_loss, reason = "thresholds near 1 lose nothing")]
        Content::Long(value) => Some(*value as f64),
        Content::Double(value) if value.is_finite() => Some(*value),
        Content::Null
        | Content::Boolean(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_) => problems.expected(expected, node),
    }
}

/// Parses a text, or reports the parser's problem.
pub(crate) fn parsed<T>(
    node: &Node,
    expected: &str,
    problems: &mut Problems,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let text = text(node, expected, problems)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(message) => {
            problems.add(&node.place, message);
            None
        }
    }
}

/// The name of a segment, journey or stage.
pub(crate) fn name(node: &Node, what: &str, problems: &mut Problems) -> Option<Arc<str>> {
    let text = text(node, &format!("the name of {what}"), problems)?;
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let valid = text.len() <= MAX_NAME_BYTES
        && text.bytes().next().is_some_and(lower)
        && text
            .bytes()
            .all(|byte| lower(byte) || byte == b'_' || byte == b'-');
    if valid {
        return Some(Arc::clone(text));
    }
    problems.add(
        &node.place,
        format!(
            "{text:?} cannot name {what}: expected 1 to {MAX_NAME_BYTES} of a-z, 0-9, '_' and \
             '-', the first a letter or a digit"
        ),
    );
    None
}

/// The description, empty where there is none.
pub(crate) fn description(fields: &Fields<'_>, problems: &mut Problems) -> String {
    let Some(node) = fields.get("description") else {
        return String::new();
    };
    match text(node, "a description", problems) {
        Some(text) if text.len() > MAX_DESCRIPTION_BYTES || text.contains('\0') => {
            problems.add(
                &node.place,
                format!("expected a description of {MAX_DESCRIPTION_BYTES} bytes at most"),
            );
            String::new()
        }
        Some(text) => String::from(&**text),
        None => String::new(),
    }
}

/// The name of an attribute, as events carry it.
pub(crate) fn attribute_name(text: &str) -> Result<Arc<str>, String> {
    if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
        return Err(format!(
            "{text:?} cannot name an attribute: expected 1 to 255 bytes without control characters"
        ));
    }
    Ok(Arc::from(text))
}
