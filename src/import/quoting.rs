//! Rows of delimited text with quotes: a field may be quoted, and then holds delimiters, line ends, and quotes
//! that are doubled (RFC 4180). Where quotes do not fit together, the row says so and the next line begins a row:
//! one open quote must not take the rest of the file with it.

use std::io::Read;

use super::lines::{BadRow, Line, Lines};

/// The largest row in bytes. A quote that is not closed within it is an open one.
const MAX_ROW_BYTES: usize = 1024 * 1024;

/// The characters that delimit and quote fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoting {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
}

/// The fields of a row, and its lines.
#[derive(Debug)]
pub(super) struct QuotedRow {
    pub(super) first_line: u64,
    pub(super) last_line: u64,
    pub(super) fields: Vec<Vec<u8>>,
}

/// The place within a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before its first character that is not white space.
    Start,
    Plain,
    Quoted,
    /// After a quote within a quoted field: it is closed, unless another quote follows.
    Closed,
}

impl Quoting {
    /// Returns the next row that is not blank; `None` at the end of the file.
    pub(super) fn read<R: Read>(self, lines: &mut Lines<R>) -> Option<Result<QuotedRow, BadRow>> {
        let first = loop {
            match lines.next() {
                Ok(Some(line)) if self.is_blank(&line) => {}
                Ok(line) => break line?,
                Err(error) => return Some(Err(BadRow::new(lines.number() + 1, error.to_string()))),
            }
        };
        let mut row = UnfinishedRow::new(self);
        let mut read = vec![first];
        let problem = loop {
            let Some(line) = read.last() else {
                unreachable!("a row has a line")
            };
            if let Err(problem) = row.extend(line) {
                break problem;
            }
            if row.place != Place::Quoted {
                return Some(Ok(row.finish(&read)));
            }
            if row.bytes > MAX_ROW_BYTES {
                break format!("a quote is not closed within {MAX_ROW_BYTES} bytes");
            }
            match lines.next() {
                Ok(Some(line)) => read.push(line),
                Ok(None) => break "a quote is not closed".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        let rest = read.split_off(1);
        lines.put_back(rest);
        Some(Err(BadRow::new(read[0].number, problem)))
    }

    /// Returns whether a line has no fields: a line of delimiters has empty ones.
    fn is_blank(self, line: &Line) -> bool {
        let is_space = |byte: &u8| *byte != self.delimiter && byte.is_ascii_whitespace();
        line.text().iter().all(is_space)
    }
}

/// A row of which the first lines are read.
#[derive(Debug)]
struct UnfinishedRow {
    quoting: Quoting,
    place: Place,
    field: Vec<u8>,
    fields: Vec<Vec<u8>>,
    bytes: usize,
}

impl UnfinishedRow {
    const fn new(quoting: Quoting) -> Self {
        Self {
            quoting,
            place: Place::Start,
            field: Vec::new(),
            fields: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the next line.
    fn extend(&mut self, line: &Line) -> Result<(), String> {
        self.bytes += line.bytes.len();
        let text = line.text();
        for byte in text {
            self.push(*byte).map_err(|()| {
                let after = String::from_utf8_lossy(&[*byte]).into_owned();
                let line = line.number;
                format!("`{after}` follows a closing quote in line {line}: is one opened that is not meant?")
            })?;
        }
        if self.place == Place::Quoted {
            self.field.extend_from_slice(&line.bytes[text.len()..]);
        }
        Ok(())
    }

    fn push(&mut self, byte: u8) -> Result<(), ()> {
        let Quoting { delimiter, quote } = self.quoting;
        match self.place {
            Place::Quoted if byte == quote => self.place = Place::Closed,
            Place::Quoted => self.field.push(byte),
            Place::Closed if byte == quote => {
                self.field.push(byte);
                self.place = Place::Quoted;
            }
            _ if byte == delimiter => {
                self.fields.push(std::mem::take(&mut self.field));
                self.place = Place::Start;
            }
            Place::Closed if byte.is_ascii_whitespace() => {}
            Place::Closed => return Err(()),
            Place::Start if byte == quote => {
                self.field.clear();
                self.place = Place::Quoted;
            }
            Place::Start | Place::Plain => {
                self.field.push(byte);
                if !byte.is_ascii_whitespace() {
                    self.place = Place::Plain;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, lines: &[Line]) -> QuotedRow {
        self.fields.push(self.field);
        let number = |line: Option<&Line>| line.map_or(0, |line| line.number);
        QuotedRow {
            first_line: number(lines.first()),
            last_line: number(lines.last()),
            fields: self.fields,
        }
    }
}
