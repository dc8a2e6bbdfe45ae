//! Splits Rust source into code, comments and string literals. Java and JavaScript are near enough
//! to Rust in this respect.

/// The kind of a piece of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    Comment,
    /// The content of a string literal, without its quotes.
    Literal,
}

/// A piece of source of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// The line on which the piece begins, from 1.
    pub(crate) line: usize,
}

/// Splits source into pieces, in order. Quotes and the marks of raw strings belong to the code.
pub(crate) fn pieces(source: &str) -> Vec<Piece> {
    let mut scanner = Scanner {
        chars: source.chars().collect(),
        at: 0,
        line: 1,
        pieces: Vec::new(),
    };
    scanner.scan();
    scanner.pieces
}

/// Returns the code of a source file: without comments, with every string literal empty, and with
/// its line breaks where they are.
pub(crate) fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    for piece in pieces(source) {
        match piece.kind {
            Kind::Code => code.push_str(&piece.text),
            Kind::Comment | Kind::Literal => {
                code.extend(piece.text.chars().filter(|char| *char == '\n'));
            }
        }
    }
    code
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    line: usize,
    pieces: Vec<Piece>,
}

impl Scanner {
    fn scan(&mut self) {
        let mut begin = 0;
        while self.at < self.chars.len() {
            let end = match (self.chars[self.at], self.peek(1)) {
                ('/', Some('/')) => self.end_of_line(),
                ('/', Some('*')) => self.end_of_block(),
                ('"', _) => {
                    // The quote is code, and so is the one that closes the literal.
                    self.at += 1;
                    let end = self.end_of_literal(self.hashes_of_raw_string());
                    self.push(begin, self.at, Kind::Code);
                    self.push(self.at, end, Kind::Literal);
                    begin = end;
                    self.at = (end + 1).min(self.chars.len());
                    continue;
                }
                ('\'', next) => {
                    self.at += self.length_of_char(next);
                    continue;
                }
                _ => {
                    self.at += 1;
                    continue;
                }
            };
            self.push(begin, self.at, Kind::Code);
            self.push(self.at, end, Kind::Comment);
            begin = end;
            self.at = end;
        }
        self.push(begin, self.chars.len(), Kind::Code);
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn push(&mut self, begin: usize, end: usize, kind: Kind) {
        if begin == end {
            return;
        }
        let text: String = self.chars[begin..end].iter().collect();
        let line = self.line;
        self.line += text.matches('\n').count();
        self.pieces.push(Piece { kind, text, line });
    }

    fn end_of_line(&self) -> usize {
        let rest = &self.chars[self.at..];
        let length = rest.iter().position(|char| *char == '\n');
        self.at + length.unwrap_or(rest.len())
    }

    fn end_of_block(&self) -> usize {
        let mut depth = 0;
        let mut at = self.at;
        while at < self.chars.len() {
            match (self.chars[at], self.chars.get(at + 1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    at += 1;
                    continue;
                }
            }
            at += 2;
            if depth == 0 {
                return at;
            }
        }
        self.chars.len()
    }

    /// Returns how many `#` a raw string has, whose quote was just passed; nothing for a string
    /// with escapes.
    fn hashes_of_raw_string(&self) -> Option<usize> {
        let before = &self.chars[..self.at - 1];
        let hashes = before.iter().rev().take_while(|char| **char == '#').count();
        let before = &before[..before.len() - hashes];
        let word: String = before
            .iter()
            .rev()
            .take_while(|char| char.is_alphanumeric() || **char == '_')
            .collect();
        ["r", "rb", "rc"].contains(&word.as_str()).then_some(hashes)
    }

    fn end_of_literal(&self, hashes: Option<usize>) -> usize {
        let mut at = self.at;
        while at < self.chars.len() {
            match (self.chars[at], hashes) {
                ('\\', None) => at += 2,
                ('"', None) => return at,
                ('"', Some(hashes)) => {
                    let rest = self.chars[at + 1..].iter();
                    if rest.take_while(|char| **char == '#').count() >= hashes {
                        return at;
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        self.chars.len()
    }

    /// Returns the length of a character literal, or 1 for the mark of a lifetime.
    fn length_of_char(&self, next: Option<char>) -> usize {
        if next == Some('\\') {
            let rest = self.chars[self.at + 3..].iter();
            return 4 + rest.take_while(|char| **char != '\'').count();
        }
        if self.peek(2) == Some('\'') { 3 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, code, pieces};

    #[test]
    fn source_splits_into_code_comments_and_literals() {
        let source =
            "let a = \"b \\\" // c\"; // d\n/* e /* f */ */ r#\"g \"h\"#; '\"' '\\'' &'i j";
        let found: Vec<_> = pieces(source)
            .into_iter()
            .map(|piece| (piece.kind, piece.text, piece.line))
            .collect();
        let expected = [
            (Kind::Code, "let a = \"", 1),
            (Kind::Literal, "b \\\" // c", 1),
            (Kind::Code, "\"; ", 1),
            (Kind::Comment, "// d", 1),
            (Kind::Code, "\n", 1),
            (Kind::Comment, "/* e /* f */ */", 2),
            (Kind::Code, " r#\"", 2),
            (Kind::Literal, "g \"h", 2),
            (Kind::Code, "\"#; '\"' '\\'' &'i j", 2),
        ];
        let expected = expected.map(|(kind, text, line)| (kind, text.to_owned(), line));
        assert_eq!(found, expected);
        assert_eq!(code("a(\"b\n\") // c\n"), "a(\"\n\") \n");
    }
}
