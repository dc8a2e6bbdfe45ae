//! Lines of a file, numbered and bounded in length.

use std::io::{self, BufRead, Read as _};

/// The longest line: a longer event would be larger than Kafka accepts as Avro.
const MAX_LINE_BYTES: u64 = 8 * 1024 * 1024;

/// One line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The number of the line, from 1.
    pub(super) number: u64,
    /// The text, or the reason why it cannot be read.
    pub(super) text: Result<String, String>,
}

/// Reads the lines of an input.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    bytes_read: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            bytes_read: 0,
        }
    }

    /// Returns the number of bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Returns the next line that is not blank.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let length = self
                .input
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut bytes)?;
            if length == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes_read += length as u64;
            let number = self.number;
            if bytes.last() != Some(&b'\n') && length as u64 == MAX_LINE_BYTES {
                self.skip_rest_of_line()?;
                let reason = format!("the line is longer than {MAX_LINE_BYTES} bytes");
                return Ok(Some(Line {
                    number,
                    text: Err(reason),
                }));
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let text = String::from_utf8(bytes).map_err(|error| {
                format!(
                    "not valid UTF-8 at byte {}",
                    error.utf8_error().valid_up_to() + 1
                )
            });
            return Ok(Some(Line { number, text }));
        }
    }

    fn skip_rest_of_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let line_end = buffer.iter().position(|byte| *byte == b'\n');
            let skipped = line_end.map_or(buffer.len(), |position| position + 1);
            self.input.consume(skipped);
            self.bytes_read += skipped as u64;
            if line_end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn all(input: &[u8]) -> Vec<(u64, Result<String, String>)> {
        let mut lines = Lines::new(input);
        std::iter::from_fn(|| lines.next().unwrap())
            .map(|line| {
                (
                    line.number,
                    line.text.map(|text| text.trim_end().to_owned()),
                )
            })
            .collect()
    }

    #[test]
    fn lines_are_numbered_and_blank_ones_skipped() {
        let lines = all(b"{}\r\n\n  \n{\"a\":1}");
        assert_eq!(
            lines,
            [(1, Ok("{}".to_owned())), (4, Ok("{\"a\":1}".to_owned()))]
        );
    }

    #[test]
    fn lines_after_an_invalid_or_too_long_line_are_read() {
        let mut input = b"\xff\n".to_vec();
        input.extend(std::iter::repeat_n(
            b'x',
            usize::try_from(MAX_LINE_BYTES).unwrap() + 10,
        ));
        input.extend(b"\n{}\n");
        let lines = all(&input);
        assert_eq!(lines[0], (1, Err("not valid UTF-8 at byte 1".to_owned())));
        assert!(lines[1].1.as_ref().unwrap_err().contains("longer"));
        assert_eq!(lines[2], (3, Ok("{}".to_owned())));
    }
}
