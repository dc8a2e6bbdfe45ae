//! The mapping file.

use serde::Deserialize;

/// An error in a mapping, or between a mapping and the columns of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMapping(pub String);

/// A mapping of rows to events. See `docs/importing.md` for the format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    #[serde(default)]
    pub(super) input: Input,
    pub(super) event: EventMapping,
    pub(super) payload: toml::Table,
}

impl Mapping {
    /// Parses a mapping. Columns are checked later, against a file.
    pub fn parse(text: &str) -> Result<Self, InvalidMapping> {
        let mapping: Self = toml::from_str(text)
            .map_err(|error| InvalidMapping(error.to_string().trim_end().to_owned()))?;
        mapping.input.check()?;
        Ok(mapping)
    }
}

/// `[input]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Input {
    pub(super) format: InputFormat,
    pub(super) delimiter: Option<char>,
    pub(super) quote: Option<char>,
    pub(super) header: bool,
    pub(super) columns: Option<Vec<String>>,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            format: InputFormat::Csv,
            delimiter: None,
            quote: None,
            header: true,
            columns: None,
        }
    }
}

impl Input {
    fn check(&self) -> Result<(), InvalidMapping> {
        let problem = |text: &str| Err(InvalidMapping(format!("input: {text}")));
        if !self.header && self.columns.is_none() {
            return problem("without a header, `columns` must name the columns");
        }
        if self.delimiter.is_some() && self.format != InputFormat::Csv {
            return problem("`delimiter` belongs to the format csv");
        }
        if let Some(columns) = &self.columns {
            for (position, column) in columns.iter().enumerate() {
                if columns
                    .iter()
                    .take(position)
                    .any(|earlier| earlier == column)
                {
                    return problem(&format!("column `{column}` is named twice"));
                }
            }
        }
        for (name, letter) in [("delimiter", self.delimiter), ("quote", self.quote)] {
            if letter.is_some_and(|letter| !letter.is_ascii() || matches!(letter, '\r' | '\n')) {
                return problem(&format!(
                    "`{name}` must be one ASCII character, and no line end"
                ));
            }
        }
        if self.delimiter() == self.quote() {
            return problem("`delimiter` and `quote` are the same character");
        }
        Ok(())
    }

    /// Returns the delimiter of csv and tsv.
    pub(super) fn delimiter(&self) -> u8 {
        let default = if self.format == InputFormat::Tsv {
            b'\t'
        } else {
            b','
        };
        self.delimiter
            .and_then(|letter| u8::try_from(letter).ok())
            .unwrap_or(default)
    }

    /// Returns the quote of csv and tsv.
    pub(super) fn quote(&self) -> u8 {
        self.quote
            .and_then(|letter| u8::try_from(letter).ok())
            .unwrap_or(b'"')
    }
}

/// The format of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InputFormat {
    Csv,
    Tsv,
    Whitespace,
}

/// `[event]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventMapping {
    pub(super) tenant_id: String,
    pub(super) customer_id: String,
    pub(super) source: String,
    #[serde(rename = "type")]
    pub(super) payload_type: String,
    pub(super) occurred_at: TimeMapping,
    pub(super) identity: Option<Vec<String>>,
}

/// `occurred_at`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeMapping {
    pub(super) column: Option<String>,
    pub(super) template: Option<String>,
    #[serde(default = "rfc3339")]
    pub(super) format: String,
    pub(super) zone: Option<String>,
}

fn rfc3339() -> String {
    "rfc3339".to_owned()
}

/// A value with a conversion: `{ column = …, as = … }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueMapping {
    pub(super) column: Option<String>,
    pub(super) template: Option<String>,
    #[serde(rename = "as", default)]
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) when_empty: WhenEmpty,
    pub(super) values: Option<std::collections::BTreeMap<String, String>>,
    pub(super) digits: Option<u8>,
    #[serde(default = "point")]
    pub(super) decimal_separator: char,
    pub(super) thousands_separator: Option<char>,
}

impl ValueMapping {
    /// Checks that numbers can be read with these separators.
    pub(super) fn check(&self, path: &str) -> Result<(), InvalidMapping> {
        let (decimal, thousands) = (self.decimal_separator, self.thousands_separator);
        if thousands == Some(decimal) {
            return Err(InvalidMapping(format!(
                "{path}: `{decimal}` is both `decimal_separator` and `thousands_separator`; the former is a point \
                 unless it is given"
            )));
        }
        let names = [
            ("decimal_separator", Some(decimal)),
            ("thousands_separator", thousands),
        ];
        let is_of_number = |letter: &char| letter.is_alphanumeric() || matches!(letter, '+' | '-');
        for (name, letter) in names {
            if let Some(letter) = letter.filter(is_of_number) {
                return Err(InvalidMapping(format!(
                    "{path}: `{name}` cannot be `{letter}`, which is part of a number itself"
                )));
            }
        }
        Ok(())
    }
}

fn point() -> char {
    '.'
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    #[default]
    Text,
    Integer,
    Number,
    Boolean,
    Money,
}

/// The meaning of an empty column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhenEmpty {
    /// The field is left out.
    #[default]
    Omit,
    /// The field is null.
    Null,
    /// The field is the empty text.
    Keep,
}
