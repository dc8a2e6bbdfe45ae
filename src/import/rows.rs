//! Rows of a delimited file.

use std::io::{BufRead as _, BufReader, Read};

use super::mapping::{Input, InputFormat, InvalidMapping, Mapping};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// The fields, one for each column.
    pub fields: Vec<String>,
}

/// A row that is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadRow {
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// The error, with the field.
    pub reason: String,
}

/// Reads the rows of a file.
#[allow(missing_debug_implementations, reason = "holds a foreign reader")]
pub struct Rows<R: Read> {
    source: Source<R>,
    columns: Vec<String>,
}

#[allow(clippy::large_enum_variant, reason = "there is one per file")]
enum Source<R: Read> {
    Delimited(csv::Reader<BufReader<R>>),
    Whitespace { file: BufReader<R>, line: u64 },
}

impl<R: Read> Rows<R> {
    /// Reads the header, and determines the columns.
    pub fn open(mapping: &Mapping, file: R) -> Result<Self, InvalidMapping> {
        let input = &mapping.input;
        let mut file = BufReader::with_capacity(64 * 1024, file);
        skip_byte_order_mark(&mut file)
            .map_err(|error| InvalidMapping(format!("cannot read the file: {error}")))?;
        let source = match input.format {
            InputFormat::Whitespace => Source::Whitespace { file, line: 0 },
            InputFormat::Csv | InputFormat::Tsv => Source::Delimited(
                csv::ReaderBuilder::new()
                    .delimiter(input.delimiter())
                    .quote(input.quote())
                    .has_headers(false)
                    .flexible(true)
                    .from_reader(file),
            ),
        };
        let mut rows = Self {
            source,
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
            Some(
                row.fields
                    .iter()
                    .map(|name| name.trim().to_owned())
                    .collect(),
            )
        } else {
            None
        };
        input
            .columns
            .clone()
            .or(header)
            .ok_or_else(|| InvalidMapping("the columns have no names".to_owned()))
    }

    /// Returns the next row that is not blank, with any number of fields.
    fn read(&mut self) -> Option<Result<Row, BadRow>> {
        match &mut self.source {
            Source::Delimited(reader) => read_delimited(reader),
            Source::Whitespace { file, line } => read_whitespace(file, line),
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
            Err(BadRow {
                line: row.line,
                reason: format!("{found} columns, not {expected}"),
            })
        }))
    }
}

fn read_delimited<R: Read>(reader: &mut csv::Reader<BufReader<R>>) -> Option<Result<Row, BadRow>> {
    let mut record = csv::ByteRecord::new();
    let line_before = reader.position().line();
    match reader.read_byte_record(&mut record) {
        Ok(false) => None,
        Ok(true) => {
            let line = record.position().map_or(line_before, csv::Position::line);
            Some(match csv::StringRecord::from_byte_record(record) {
                Ok(text) => Ok(Row {
                    line,
                    fields: text.iter().map(str::to_owned).collect(),
                }),
                Err(error) => Err(not_utf8(line, error.utf8_error().field())),
            })
        }
        Err(error) => Some(Err(BadRow {
            line: line_before,
            reason: error.to_string(),
        })),
    }
}

fn read_whitespace<R: Read>(
    file: &mut BufReader<R>,
    line: &mut u64,
) -> Option<Result<Row, BadRow>> {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        *line += 1;
        match file.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => {
                return Some(Err(BadRow {
                    line: *line,
                    reason: error.to_string(),
                }));
            }
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Some(Err(not_utf8(*line, 0)));
        };
        let fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if !fields.is_empty() {
            return Some(Ok(Row {
                line: *line,
                fields,
            }));
        }
    }
}

fn not_utf8(line: u64, field: usize) -> BadRow {
    BadRow {
        line,
        reason: format!("not valid UTF-8 (column {})", field + 1),
    }
}

fn skip_byte_order_mark<R: Read>(file: &mut BufReader<R>) -> std::io::Result<()> {
    if file.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
        file.consume(3);
    }
    Ok(())
}
