//! Rows of a delimited file.

use std::io::{BufRead as _, BufReader, Read};

use super::lines::{BadRow, Lines};
use super::mapping::{Input, InputFormat, InvalidMapping, Mapping};
use super::quoting::{QuotedRow, Quoting};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// The line on which it ends: a quoted field may hold line ends.
    pub last_line: u64,
    /// The fields, one for each column, as they stand in the file.
    pub fields: Vec<String>,
}

/// Reads the rows of a file.
#[derive(Debug)]
pub struct Rows<R> {
    lines: Lines<R>,
    /// How fields are quoted; `None` where white space delimits them.
    quoting: Option<Quoting>,
    columns: Vec<String>,
}

impl<R: Read> Rows<R> {
    /// Reads the header, and determines the columns.
    pub fn open(mapping: &Mapping, file: R) -> Result<Self, InvalidMapping> {
        let input = &mapping.input;
        let mut file = BufReader::with_capacity(64 * 1024, file);
        skip_byte_order_mark(&mut file)?;
        let quoting = Quoting {
            delimiter: input.delimiter(),
            quote: input.quote(),
        };
        let mut rows = Self {
            lines: Lines::new(file),
            quoting: (input.format != InputFormat::Whitespace).then_some(quoting),
            columns: Vec::new(),
        };
        rows.columns = rows.find_columns(input)?;
        Ok(rows)
    }

    /// Returns the names of the columns, in the file's order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    fn find_columns(&mut self, input: &Input) -> Result<Vec<String>, InvalidMapping> {
        let header = if input.header {
            let row = self
                .read()
                .ok_or_else(|| InvalidMapping("the file has no header: it is empty".to_owned()))?
                .map_err(|bad| InvalidMapping(format!("the header: {bad}")))?;
            let names = row.fields.iter().map(|name| name.trim().to_owned());
            Some(names.collect())
        } else {
            None
        };
        let columns = input.columns.clone().or(header);
        let columns =
            columns.ok_or_else(|| InvalidMapping("the columns have no names".to_owned()))?;
        check_names(&columns)?;
        Ok(columns)
    }

    /// Returns the next row that is not blank, with any number of fields.
    fn read(&mut self) -> Option<Result<Row, BadRow>> {
        match self.quoting {
            Some(quoting) => read_delimited(&mut self.lines, quoting),
            None => read_whitespace(&mut self.lines),
        }
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.read()?;
        Some(row.and_then(|row| {
            if row.fields.len() == self.columns.len() {
                return Ok(row);
            }
            let (found, expected) = (row.fields.len(), self.columns.len());
            let to = match row.last_line {
                last if last > row.line => format!(
                    " (the row ends in line {last}: a quoted field holds line ends, or a quote is not closed)"
                ),
                _ => String::new(),
            };
            let reason = format!("{found} columns, not {expected}{to}");
            Err(BadRow::new(row.line, reason))
        }))
    }
}

fn read_delimited<R: Read>(lines: &mut Lines<R>, quoting: Quoting) -> Option<Result<Row, BadRow>> {
    let read = match quoting.read(lines)? {
        Ok(read) => read,
        Err(bad) => return Some(Err(bad)),
    };
    let QuotedRow {
        first_line: line,
        last_line,
        fields,
    } = read;
    let texts = fields
        .into_iter()
        .enumerate()
        .map(|(index, field)| String::from_utf8(field).map_err(|_| not_utf8(line, index)));
    let fields = texts.collect::<Result<Vec<_>, BadRow>>();
    Some(fields.map(|fields| Row {
        line,
        last_line,
        fields,
    }))
}

fn read_whitespace<R: Read>(lines: &mut Lines<R>) -> Option<Result<Row, BadRow>> {
    loop {
        let line = match lines.next() {
            Ok(line) => line?,
            Err(error) => return Some(Err(BadRow::new(lines.number() + 1, error.to_string()))),
        };
        let number = line.number;
        let Ok(text) = std::str::from_utf8(line.text()) else {
            return Some(Err(not_utf8(number, 0)));
        };
        let fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if !fields.is_empty() {
            return Some(Ok(Row {
                line: number,
                last_line: number,
                fields,
            }));
        }
    }
}

/// Refuses a name of two columns: one of them would be read for the other.
fn check_names(columns: &[String]) -> Result<(), InvalidMapping> {
    for (index, name) in columns.iter().enumerate() {
        let earlier = columns.iter().take(index).position(|other| other == name);
        if let Some(earlier) = earlier.filter(|_| !name.is_empty()) {
            return Err(InvalidMapping(format!(
                "the header names two columns `{name}`, the {}. and the {}.: name all columns in `columns` of [input]",
                earlier + 1,
                index + 1
            )));
        }
    }
    Ok(())
}

fn not_utf8(line: u64, field: usize) -> BadRow {
    BadRow {
        line,
        reason: format!("not valid UTF-8 (column {})", field + 1),
    }
}

fn skip_byte_order_mark<R: Read>(file: &mut BufReader<R>) -> Result<(), InvalidMapping> {
    let begin = file
        .fill_buf()
        .map_err(|error| InvalidMapping(format!("cannot read the file: {error}")))?;
    if begin.starts_with(b"\xFF\xFE") || begin.starts_with(b"\xFE\xFF") {
        return Err(InvalidMapping(
            "the file is in UTF-16: save it in UTF-8".to_owned(),
        ));
    }
    if begin.starts_with(b"\xEF\xBB\xBF") {
        file.consume(3);
    }
    Ok(())
}
