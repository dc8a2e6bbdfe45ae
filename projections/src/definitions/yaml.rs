//! Parses the text of a file into trees with positions.
//!
//! Built from the parser's events without recursion, so that no file, however it nests, can exhaust
//! the stack. YAML's anchors, aliases and tags are refused: they have no use here, and JSON lacks
//! them.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::problems::Problems;
use super::tree::{Content, Key, Node, Place};

/// The deepest nesting of lists and maps. Expressions, the deepest part, have a lower limit.
const MAX_DEPTH: usize = 64;
/// The largest number of documents in a file.
const MAX_DOCUMENTS: usize = 1_000;

/// The documents of a file. A document that cannot be parsed is a problem and is left out.
pub(crate) fn documents(file: &str, text: &str, problems: &mut Problems) -> Vec<Node> {
    let mut builder = Builder::new(Arc::from(file));
    let mut documents = Vec::new();
    let mut parser = Parser::new_from_str(text);
    for _ in 0..MAX_DOCUMENTS {
        let failed = loop {
            match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => return documents,
                Some(Ok((Event::DocumentEnd, _))) => {
                    documents.extend(builder.finish());
                    break None;
                }
                Some(Ok((event, span))) => {
                    if let Err((place, message)) = builder.accept(&event, &span) {
                        break Some((place, message));
                    }
                }
                Some(Err(error)) => {
                    break Some((builder.place(error.marker()), error.info().clone()));
                }
            }
        };
        if let Some((place, message)) = failed {
            problems.add(&place, message);
            builder = Builder::new(Arc::clone(&builder.file));
            if !matches!(parser.proceed_next_document(), Ok(true)) {
                return documents;
            }
        }
    }
    documents
}

/// The problem and its position.
type Wrong = (Place, String);

/// A document under construction.
struct Builder {
    file: Arc<str>,
    open: Vec<Open>,
    root: Option<Node>,
}

/// An unfinished list or map.
enum Open {
    List {
        place: Place,
        items: Vec<Node>,
    },
    Map {
        place: Place,
        entries: Vec<(Key, Node)>,
        known: BTreeSet<Arc<str>>,
        key: Option<Key>,
    },
}

impl Builder {
    fn new(file: Arc<str>) -> Self {
        Self {
            file,
            open: Vec::new(),
            root: None,
        }
    }

    fn place(&self, marker: &Marker) -> Place {
        // Columns count from 0 there and from 1 for people.
        let file = Arc::clone(&self.file);
        Place::File {
            file,
            line: marker.line().max(1),
            column: marker.col() + 1,
        }
    }

    /// The document, unless it was empty.
    fn finish(&mut self) -> Option<Node> {
        self.root
            .take()
            .filter(|node| !matches!(node.content, Content::Null))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser may come to say more"
    )]
    fn accept(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Wrong> {
        let place = self.place(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_extras(&place, *anchor, tag.is_some())?;
                self.scalar(place, text, *style)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_extras(&place, *anchor, tag.is_some())?;
                self.open(Open::List {
                    place,
                    items: Vec::new(),
                })
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_extras(&place, *anchor, tag.is_some())?;
                let (entries, known) = (Vec::new(), BTreeSet::new());
                self.open(Open::Map {
                    place,
                    entries,
                    known,
                    key: None,
                })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { place, items }) => self.value(Node {
                    place,
                    content: Content::List(items),
                }),
                Some(Open::Map { place, entries, .. }) => self.value(Node {
                    place,
                    content: Content::Map(entries),
                }),
                None => Ok(()),
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => refuse_extras(&place, 1, false),
            // Comments, and where the stream and documents begin and end.
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), Wrong> {
        let (Open::List { place, .. } | Open::Map { place, .. }) = &open;
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return Err((
                place.clone(),
                "a key must be a text, not a list or map".to_owned(),
            ));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err((
                place.clone(),
                format!("nested deeper than {MAX_DEPTH} lists and maps"),
            ));
        }
        self.open.push(open);
        Ok(())
    }

    fn scalar(&mut self, place: Place, text: &str, style: ScalarStyle) -> Result<(), Wrong> {
        if let Some(Open::Map {
            known,
            key: key @ None,
            ..
        }) = self.open.last_mut()
        {
            let text: Arc<str> = Arc::from(text);
            if !known.insert(Arc::clone(&text)) {
                return Err((place, format!("the key {text:?} stands twice")));
            }
            *key = Some(Key { place, text });
            return Ok(());
        }
        let content = if style == ScalarStyle::Plain {
            plain(text).map_err(|message| (place.clone(), message))?
        } else {
            Content::Text(Arc::from(text))
        };
        self.value(Node { place, content })
    }

    fn value(&mut self, node: Node) -> Result<(), Wrong> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match mem::take(key) {
                Some(key) => entries.push((key, node)),
                None => return Err((node.place, "a key must be a text".to_owned())),
            },
        }
        Ok(())
    }
}

fn refuse_extras(place: &Place, anchor: usize, tagged: bool) -> Result<(), Wrong> {
    if anchor > 0 {
        let message = "anchors and aliases (& and *) are not supported: write it out, or quote it";
        return Err((place.clone(), message.to_owned()));
    }
    if tagged {
        let message = "tags (!) are not supported: write values plainly, or quote them";
        return Err((place.clone(), message.to_owned()));
    }
    Ok(())
}

/// Returns the value of an unquoted scalar. `no` is a text, not false, and so is `007`.
fn plain(text: &str) -> Result<Content, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Content::Null),
        "true" | "True" | "TRUE" => return Ok(Content::Boolean(true)),
        "false" | "False" | "FALSE" => return Ok(Content::Boolean(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let numeric = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let leading_zero = digits.len() > 1
        && digits.starts_with('0')
        && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if !numeric || leading_zero {
        return Ok(Content::Text(Arc::from(text)));
    }
    if let Ok(whole) = text.parse() {
        return Ok(Content::Long(whole));
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!(
            "{text} is too large: whole numbers end at {}",
            i64::MAX
        ));
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Content::Double(value)),
        Ok(_) => Err(format!("{text} is too large for a number")),
        // Dates and versions look like numbers, but are texts.
        Err(_) => Ok(Content::Text(Arc::from(text))),
    }
}
