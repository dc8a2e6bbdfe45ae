//! The lines of a file, whatever ends them, and the errors of rows that begin there.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read};

/// A line with its end: a line feed, a carriage return, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The number of the line, from 1.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

impl Line {
    /// Returns the bytes before the end of the line.
    pub(super) fn text(&self) -> &[u8] {
        let end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let length = self.bytes.iter().rposition(|byte| !end(byte));
        &self.bytes[..length.map_or(0, |last| last + 1)]
    }
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

impl BadRow {
    pub(super) const fn new(line: u64, reason: String) -> Self {
        Self { line, reason }
    }
}

/// Reads the lines of a file, in order.
#[derive(Debug)]
pub(super) struct Lines<R> {
    file: BufReader<R>,
    number: u64,
    /// Lines that were put back, to be read first.
    waiting: VecDeque<Line>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(file: BufReader<R>) -> Self {
        Self {
            file,
            number: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Returns the number of the line that was read last.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.waiting.pop_front() {
            return Ok(Some(line));
        }
        let bytes = self.read()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line {
            number: self.number,
            bytes,
        }))
    }

    /// Puts lines back that were read last, in their order.
    pub(super) fn put_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.waiting.push_front(line);
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                return Ok(bytes);
            }
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = end.map_or(buffer.len(), |end| end + 1);
            bytes.extend_from_slice(&buffer[..length]);
            self.file.consume(length);
            if end.is_none() {
                continue;
            }
            if bytes.ends_with(b"\r") && self.file.fill_buf()?.first() == Some(&b'\n') {
                bytes.push(b'\n');
                self.file.consume(1);
            }
            return Ok(bytes);
        }
    }
}
