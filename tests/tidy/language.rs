//! The language of the project, counted: how doc comments open, how often prose speaks of persons
//! where it means things, and which retired terms are left.
//!
//! `scripts/words` prints the counts for each part of the project, and with a path every place.

mod prose;
mod terms;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::files::{File, files};
use prose::{openings, prose, words};
use terms::{Lines, TERMS};

/// The first words that make the opening of a doc comment a fragment: prepositions, relative and
/// question words, conjunctions, and particles. A doc comment opens with a verb in the third person
/// ("Returns ...") or with a noun phrase. "Whether ..." stays, as the usual opening for a boolean.
///
/// The published crates this project is built from (tokio, axum, sqlx, rustls, clap, jiff and
/// others) open 1.5 % of their doc comments with one of these words.
const FRAGMENTS: [&str; 45] = [
    "after", "among", "and", "as", "at", "because", "before", "beside", "between", "but", "by",
    "for", "from", "how", "if", "in", "like", "never", "not", "of", "on", "only", "or", "over",
    "since", "than", "that", "those", "to", "under", "until", "what", "whatever", "when", "where",
    "which", "while", "who", "whoever", "whom", "whose", "why", "with", "without", "yet",
];

const PERSONS: [&str; 4] = ["who", "whose", "whom", "whoever"];

const ANYBODY: [&str; 7] = [
    "somebody",
    "nobody",
    "anybody",
    "everybody",
    "someone",
    "anyone",
    "everyone",
];

const FRAGMENTS_NAME: &str = "  that open with a fragment, in per cent";
const PERSONS_NAME: &str = "  who, whose, whom, whoever, in 10,000";
const ANYBODY_NAME: &str = "  somebody, nobody, anybody, everybody, in 10,000";

// The ceilings, in the units of the report. None of the retired terms may stand at all.
const MAX_FRAGMENTS: f64 = 5.0;
const MAX_PERSONS: f64 = 10.0;
const MAX_ANYBODY: f64 = 1.0;

/// What was counted in one file, or in all files of one part of the project.
#[derive(Default)]
struct Count {
    docs: usize,
    words: usize,
    fragments: Vec<String>,
    persons: Vec<String>,
    anybody: Vec<String>,
    /// For each of the retired terms, where it still stands.
    terms: Vec<Vec<String>>,
}

impl Count {
    fn add(&mut self, file: &File) {
        let place = |line: usize, text: &str| format!("{}:{line}: {}", file.path, text.trim());
        if file.is_rust() {
            for opening in openings(file) {
                self.docs += 1;
                if is_fragment(&opening.text) {
                    self.fragments.push(place(opening.line, &opening.text));
                }
            }
        }
        for sentence in prose(file) {
            for word in words(&sentence.text) {
                self.words += 1;
                if PERSONS.contains(&word.as_str()) {
                    self.persons.push(place(sentence.line, &sentence.text));
                } else if ANYBODY.contains(&word.as_str()) {
                    self.anybody.push(place(sentence.line, &sentence.text));
                }
            }
        }
        self.terms.resize_with(TERMS.len(), Vec::new);
        let lines = Lines::new(file);
        for (term, found) in TERMS.iter().zip(&mut self.terms) {
            found.extend(lines.with(term).map(|(line, text)| place(line, text)));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.docs += other.docs;
        self.words += other.words;
        self.fragments.extend_from_slice(&other.fragments);
        self.persons.extend_from_slice(&other.persons);
        self.anybody.extend_from_slice(&other.anybody);
        self.terms.resize_with(TERMS.len(), Vec::new);
        for (all, found) in self.terms.iter_mut().zip(&other.terms) {
            all.extend_from_slice(found);
        }
    }

    /// The share of doc comments that open with a fragment, in per cent.
    fn fragments(&self) -> f64 {
        rate(self.fragments.len(), self.docs, 100.0)
    }

    /// Words for persons in 10,000 words.
    fn persons(&self) -> f64 {
        rate(self.persons.len(), self.words, 10_000.0)
    }

    /// Words such as "somebody" in 10,000 words.
    fn anybody(&self) -> f64 {
        rate(self.anybody.len(), self.words, 10_000.0)
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of words are small")]
fn rate(found: usize, of: usize, per: f64) -> f64 {
    found as f64 * per / of.max(1) as f64
}

fn is_fragment(opening: &str) -> bool {
    let opening = opening.trim_start_matches(|char: char| ['*', '"', '(', '_'].contains(&char));
    let first = opening.split(|char: char| !char.is_alphanumeric() && char != '-');
    let first = first.into_iter().next().unwrap_or_default().to_lowercase();
    FRAGMENTS.contains(&first.as_str())
}

/// The counts of every part of the project, by the name of its folder.
static COUNTS: LazyLock<BTreeMap<String, Count>> = LazyLock::new(|| {
    let mut counts = BTreeMap::<String, Count>::new();
    for file in files().iter().filter(|file| !file.is_tidy()) {
        let (part, _) = file.path.split_once('/').unwrap_or((".", ""));
        counts.entry(part.to_owned()).or_default().add(file);
    }
    counts
});

/// The counts of the whole project.
static ALL: LazyLock<Count> = LazyLock::new(|| {
    let mut all = Count::default();
    COUNTS.values().for_each(|count| all.merge(count));
    all
});

/// Prints the counts, or with `TIDEMARK_WORDS=PATH` every place in files below that path.
#[test]
#[allow(clippy::print_stdout, reason = "the report of scripts/words")]
#[allow(
    clippy::disallowed_methods,
    reason = "scripts/words passes the path on"
)]
fn words_report() {
    match std::env::var("TIDEMARK_WORDS") {
        Ok(path) => print!("{}", places_below(&path)),
        Err(_) => print!("{}", table()),
    }
}

fn places_below(path: &str) -> String {
    let mut lists = vec![
        (FRAGMENTS_NAME.to_owned(), &ALL.fragments),
        (PERSONS_NAME.to_owned(), &ALL.persons),
        (ANYBODY_NAME.to_owned(), &ALL.anybody),
    ];
    for (term, places) in TERMS.iter().zip(&ALL.terms) {
        lists.push((format!("{term}, write: {}", term.instead), places));
    }
    let mut report = String::new();
    for (name, places) in lists {
        let places = places.iter().filter(|place| place.starts_with(path));
        let places: Vec<_> = places.map(|place| format!("  {place}\n")).collect();
        if !places.is_empty() {
            let count = places.len();
            writeln!(report, "\n{}: {count}\n{}", name.trim(), places.concat()).unwrap();
        }
    }
    report
}

/// Returns the counts as a table: a line for each thing counted, a column for each part.
fn table() -> String {
    let mut rows = Vec::new();
    let mut row = |name: String, ceiling: String, cell: &dyn Fn(&Count) -> String| {
        let parts = COUNTS.values().map(cell).collect::<Vec<_>>();
        rows.push((name, parts, cell(&ALL), ceiling));
    };
    row("doc comments".to_owned(), String::new(), &|count| {
        count.docs.to_string()
    });
    row(
        FRAGMENTS_NAME.to_owned(),
        MAX_FRAGMENTS.to_string(),
        &|count| format!("{:.1}", count.fragments()),
    );
    row("words".to_owned(), String::new(), &|count| {
        count.words.to_string()
    });
    row(PERSONS_NAME.to_owned(), MAX_PERSONS.to_string(), &|count| {
        format!("{:.1}", count.persons())
    });
    row(ANYBODY_NAME.to_owned(), MAX_ANYBODY.to_string(), &|count| {
        format!("{:.1}", count.anybody())
    });
    for (index, term) in TERMS.iter().enumerate() {
        row(term.to_string(), "0".to_owned(), &|count| {
            count.terms[index].len().to_string()
        });
    }
    let heads = COUNTS.keys().map(String::clone).collect();
    rows.insert(
        0,
        (String::new(), heads, "all".to_owned(), "ceiling".to_owned()),
    );
    let mut table = String::new();
    for (name, parts, all, ceiling) in rows {
        write!(table, "{name:<56}{all:>8}{ceiling:>9}").unwrap();
        for part in parts {
            write!(table, "{part:>12}").unwrap();
        }
        table.push('\n');
    }
    table
}

#[track_caller]
fn assert_at_most(what: &str, found: f64, ceiling: f64, places: &[String]) {
    assert!(
        found <= ceiling,
        "{what}: {found:.1}, over {ceiling} (scripts/words PATH names all places):\n  {}",
        places[..places.len().min(60)].join("\n  ")
    );
}

#[test]
fn doc_comments_open_with_sentences_or_names() {
    assert_at_most(
        FRAGMENTS_NAME,
        ALL.fragments(),
        MAX_FRAGMENTS,
        &ALL.fragments,
    );
}

#[test]
fn prose_names_things_rather_than_persons() {
    assert_at_most(PERSONS_NAME, ALL.persons(), MAX_PERSONS, &ALL.persons);
    assert_at_most(ANYBODY_NAME, ALL.anybody(), MAX_ANYBODY, &ALL.anybody);
}

#[test]
fn retired_terms_stay_retired() {
    let mut wrong = Vec::new();
    for (term, places) in TERMS.iter().zip(&ALL.terms) {
        if !places.is_empty() {
            wrong.push(format!("{term}, write: {}", term.instead));
            wrong.extend(places.iter().map(|place| format!("  {place}")));
        }
    }
    crate::files::assert_none("retired terms", &wrong);
}

#[test]
fn fragments_are_told_from_sentences() {
    for fragment in [
        "Of a tenant.",
        "What is kept.",
        "**Where** it is.",
        "As `a` says.",
    ] {
        assert!(is_fragment(fragment), "{fragment}");
    }
    for sentence in [
        "Returns what is kept.",
        "A claim.",
        "In-memory state.",
        "`of` a tenant.",
        "Whether it is on.",
    ] {
        assert!(!is_fragment(sentence), "{sentence}");
    }
}

#[test]
fn terms_are_found_as_words() {
    let file = File {
        path: "api/src/a.rs".to_owned(),
        text: "// a wish\nlet wishful = of_nobody();\nfn of(a: u8)\npub struct Doors;\nDoors; WishRow\n".to_owned(),
    };
    let lines = Lines::new(&file);
    let numbers = |start: &str| {
        let term = TERMS
            .iter()
            .find(|term| term.written.starts_with(start))
            .unwrap();
        lines.with(term).map(|(line, _)| line).collect::<Vec<_>>()
    };
    assert_eq!(numbers("wish"), [1, 5]);
    assert_eq!(numbers("of_nobody"), [2]);
    assert_eq!(numbers("fn of"), [3]);
    assert_eq!(numbers("type Doors"), [4]);
}
