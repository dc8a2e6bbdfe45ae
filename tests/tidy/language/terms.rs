//! The retired terms, and what to write instead.

use std::fmt;

use crate::files::File;

/// How a retired term is recognised.
#[derive(Clone, Copy)]
enum Form {
    /// A phrase in prose or in names, whatever its case: `wish` is in `WishRow` and in `a_wish`.
    Phrase,
    /// An identifier as it is written, or a flag.
    Identifier,
    /// The declaration of a type or function.
    Declaration,
}

/// A term that the project no longer uses.
pub(super) struct Term {
    /// The term; of a phrase all its forms, separated by `|`.
    pub(super) written: &'static str,
    form: Form,
    pub(super) instead: &'static str,
}

/// The folders in which identifiers are retired.
const CRATES: [&str; 6] = [
    "projections/",
    "processor/",
    "api/",
    "kafka/",
    "src/",
    "tests/it/",
];

const fn phrase(written: &'static str, instead: &'static str) -> Term {
    Term {
        written,
        form: Form::Phrase,
        instead,
    }
}

const fn identifier(written: &'static str, instead: &'static str) -> Term {
    Term {
        written,
        form: Form::Identifier,
        instead,
    }
}

const fn declaration(written: &'static str, instead: &'static str) -> Term {
    Term {
        written,
        form: Form::Declaration,
        instead,
    }
}

/// Ordinary English keeps its words: "figure" and "worth" are retired as identifiers alone.
pub(super) const TERMS: &[Term] = &[
    phrase("anew", "re-..., retry"),
    phrase("let go|lets go|letting go", "discard, release"),
    phrase(
        "wait for company|waits for company|waiting for company",
        "linger",
    ),
    phrase("wish|wishes|wished", "operator command"),
    phrase("warming", "backfilling"),
    phrase("standing", "evaluated state"),
    phrase("household|households", "/64 prefix"),
    phrase("looker|lookers", "poller"),
    phrase("kept answer|kept answers", "response cache"),
    phrase(
        "judge|judges|judged|judging|verdict|verdicts",
        "classify, classification",
    ),
    phrase("placement|placements", "discrete outputs"),
    identifier("may_be_in", "pending_segments"),
    identifier("passed_by", "bypassed"),
    identifier("of_tenants", "authenticated"),
    identifier("of_nobody", "readiness"),
    identifier("of_anybody", "public"),
    identifier("of_life", "liveness"),
    identifier("worth", "value_minor, value"),
    identifier("figure", "rollup"),
    identifier("figures", "rollups"),
    identifier("Figure", "Rollup"),
    identifier("Figures", "Rollups"),
    identifier("--because", "--reason"),
    declaration("fn of", "from_..., for_..., new"),
    declaration("type Access", "Credentials"),
    declaration("type Doors", "Credentials"),
    declaration("type Heard", "LastError"),
    declaration("type Home", "the expected partition"),
    declaration("type Ended", "TaskExit"),
    declaration("type Ends", "the exit queue"),
    declaration("type Owned", "PartitionHandle"),
    declaration("type Prepared", "PendingPartition"),
    declaration("type Charge", "MemoryReservation"),
    declaration("type Answers", "ResponseCache"),
    declaration("type Touched", "an invalidation"),
    declaration("type Moves", "an invalidation"),
    declaration("type Asking", "RequestContext"),
    declaration("type Asked", "...Params"),
    declaration("type NothingAsked", "NoParams"),
    declaration("type Shares", "the concurrency limit"),
    declaration("type Lease", "a pooled connection"),
];

/// The lines of a file, prepared once for the search for all terms.
pub(super) struct Lines<'a> {
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    text: &'a str,
    /// The line's words in lower case, split at the humps of names, between single spaces.
    words: String,
    /// The line's identifiers and flags; none in comments and documents.
    identifiers: Vec<&'a str>,
    /// What a line of Rust declares: `fn name` or `type Name`.
    declaration: Option<String>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &'a File) -> Self {
        let data = ["snap", "hex", "csv", "avsc", "lock", "html", "json", "txt"];
        let text = if data.contains(&file.extension()) {
            ""
        } else {
            &file.text
        };
        let in_crates = CRATES.iter().any(|path| file.path.starts_with(path));
        let lines = text.lines().map(|text| Line {
            text,
            words: spaced_words(text),
            identifiers: if in_crates {
                identifiers(text)
            } else {
                Vec::new()
            },
            declaration: file.is_rust().then(|| declaration_in(text)).flatten(),
        });
        Self {
            lines: lines.collect(),
        }
    }

    /// Returns the lines in which a term occurs, with their numbers.
    pub(super) fn with(&self, term: &Term) -> impl Iterator<Item = (usize, &'a str)> {
        let found = (1..).zip(&self.lines).filter(|(_, line)| line.has(term));
        found.map(|(number, line)| (number, line.text))
    }
}

impl Line<'_> {
    fn has(&self, term: &Term) -> bool {
        match term.form {
            Form::Phrase => term
                .written
                .split('|')
                .any(|phrase| self.words.contains(&format!(" {phrase} "))),
            Form::Identifier => self.identifiers.contains(&term.written),
            Form::Declaration => self.declaration.as_deref() == Some(term.written),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Phrase => write!(out, "{}", self.written.replace('|', ", ")),
            Form::Identifier | Form::Declaration => write!(out, "`{}`", self.written),
        }
    }
}

fn spaced_words(line: &str) -> String {
    let mut words = String::with_capacity(line.len() + 8);
    words.push(' ');
    let mut before = ' ';
    for char in line.chars() {
        if !words.ends_with(' ') && (!char.is_alphanumeric() || begins_hump(before, char)) {
            words.push(' ');
        }
        if char.is_alphanumeric() {
            words.extend(char.to_lowercase());
        }
        before = char;
    }
    words.push(' ');
    words
}

fn begins_hump(before: char, char: char) -> bool {
    before.is_lowercase() && char.is_uppercase()
}

fn identifiers(line: &str) -> Vec<&str> {
    let code = line.split(" // ").next().unwrap_or_default();
    if ["//", "--", "#"]
        .iter()
        .any(|mark| code.trim_start().starts_with(mark))
    {
        return Vec::new();
    }
    code.split(|char: char| !char.is_alphanumeric() && char != '_' && char != '-')
        .filter(|word| !word.is_empty())
        .collect()
}

fn declaration_in(line: &str) -> Option<String> {
    let mut words = line
        .split_whitespace()
        .skip_while(|word| word.starts_with("pub") || ["const", "async", "unsafe"].contains(word));
    let keyword = match words.next()? {
        "fn" => "fn",
        "struct" | "enum" | "trait" | "type" => "type",
        _ => return None,
    };
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    let name = words.next()?.split(|char| !is_part(char)).next()?;
    Some(format!("{keyword} {name}"))
}
