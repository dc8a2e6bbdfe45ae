//! Templates: text with columns, such as `crm-{id}`. Doubled braces stand for braces.

use super::mapping::InvalidMapping;
use crate::failure::nearest;

/// The placeholder of the event's own id, unlikely as the name of a column.
const EVENT_ID: &str = "@event_id";

/// A template bound to the columns of a file.
#[derive(Debug, Clone)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Column(usize),
    EventId,
}

impl Template {
    /// Binds a template to columns.
    pub(super) fn bind(
        field: &str,
        text: &str,
        columns: &[String],
    ) -> Result<Self, InvalidMapping> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if letters.peek() == Some(&letter) => {
                    letters.next();
                    plain.push(letter);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match letters.next() {
                            Some('}') => break,
                            Some(letter) => name.push(letter),
                            None => return Err(unbalanced(field, text)),
                        }
                    }
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(if name == EVENT_ID {
                        Part::EventId
                    } else {
                        Part::Column(column(field, &name, columns)?)
                    });
                }
                '}' => return Err(unbalanced(field, text)),
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// Returns the template of a single column.
    pub(super) fn from_column(
        field: &str,
        name: &str,
        columns: &[String],
    ) -> Result<Self, InvalidMapping> {
        Ok(Self {
            parts: vec![Part::Column(column(field, name, columns)?)],
        })
    }

    /// Whether the template has the event's own id, which depends on the event's tenant.
    pub(super) fn uses_event_id(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::EventId))
    }

    /// Returns the text for one row, of each column without the white space around it.
    pub(super) fn render(&self, fields: &[String], event_id: &str) -> String {
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(match part {
                Part::Text(plain) => plain,
                Part::Column(index) => fields.get(*index).map_or("", |field| field.trim()),
                Part::EventId => event_id,
            });
        }
        text
    }
}

/// Returns the index of a column.
pub(super) fn column(field: &str, name: &str, columns: &[String]) -> Result<usize, InvalidMapping> {
    columns
        .iter()
        .position(|column| column == name)
        .ok_or_else(|| {
            let hint = match nearest(name, columns.iter().map(String::as_str)) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!("; the columns are {}", columns.join(", ")),
            };
            InvalidMapping(format!("{field}: there is no column `{name}`{hint}"))
        })
}

fn unbalanced(field: &str, text: &str) -> InvalidMapping {
    InvalidMapping(format!(
        "{field}: unbalanced brace in `{text}` (write {{{{ and }}}} for the braces themselves)"
    ))
}
