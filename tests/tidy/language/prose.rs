//! Takes the prose out of a file: comments, texts for users, names of functions that are sentences.

use crate::files::File;
use crate::source::{Kind, Piece, pieces};

/// The number of words from which a string literal or the name of a function counts as a sentence.
const WORDS_OF_A_SENTENCE: usize = 4;

/// A piece of prose and the line on which it begins.
pub(super) struct Prose {
    pub(super) line: usize,
    pub(super) text: String,
}

/// The first words of a doc comment: of an item (`///`) or of a module (`//!`).
pub(super) struct Opening {
    pub(super) line: usize,
    pub(super) text: String,
}

/// Returns all prose of a file; nothing for files that hold data.
pub(super) fn prose(file: &File) -> Vec<Prose> {
    match file.extension() {
        "rs" => rust(&file.text),
        "java" | "js" | "ts" => comments(&file.text),
        "md" => markdown(&file.text),
        "sql" => after_mark(&file.text, "--"),
        "toml" | "sh" | "py" | "properties" => after_mark(&file.text, "#"),
        "yml" | "yaml" => yaml(&file.text),
        "" => script(&file.text),
        _ => Vec::new(),
    }
}

/// Returns how every doc comment of a Rust file opens.
pub(super) fn openings(file: &File) -> Vec<Opening> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim_start();
        let text = line
            .strip_prefix("///")
            .filter(|rest| !rest.starts_with('/'))
            .or_else(|| line.strip_prefix("//!"));
        if let (Some(text), false) = (text, inside) {
            found.push(Opening {
                line: index + 1,
                text: text.trim().to_owned(),
            });
        }
        inside = text.is_some();
    }
    found
}

/// Splits text into lower-case words of letters alone, so that `of_tenants` is two words.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

fn rust(text: &str) -> Vec<Prose> {
    let mut found: Vec<Prose> = pieces(text)
        .iter()
        .filter(|piece| match piece.kind {
            Kind::Comment => true,
            Kind::Literal => is_sentence(&piece.text),
            Kind::Code => false,
        })
        .flat_map(lines_of)
        .collect();
    let names = text.lines().enumerate().filter_map(|(index, line)| {
        let (_, rest) = line.split_once("fn ")?;
        let name = rest.split(['(', '<']).next()?;
        (words(name).count() >= WORDS_OF_A_SENTENCE).then(|| Prose {
            line: index + 1,
            text: name.to_owned(),
        })
    });
    found.extend(names);
    found
}

fn comments(text: &str) -> Vec<Prose> {
    pieces(text)
        .iter()
        .filter(|piece| piece.kind == Kind::Comment)
        .flat_map(lines_of)
        .collect()
}

fn lines_of(piece: &Piece) -> Vec<Prose> {
    let lines = (piece.line..).zip(piece.text.lines());
    lines
        .map(|(line, text)| Prose {
            line,
            text: text.to_owned(),
        })
        .collect()
}

/// Returns whether a string literal is a message rather than SQL, JSON, YAML or a format.
fn is_sentence(literal: &str) -> bool {
    let is_sql = [
        "select ", "insert ", "update ", "delete ", "create ", "alter ", "with ",
    ]
    .iter()
    .any(|begin| literal.starts_with(begin));
    !is_sql
        && !literal.replace("\\\n", "").contains('\n')
        && !literal.contains("{\\\"")
        && literal.split_whitespace().count() >= WORDS_OF_A_SENTENCE
}

/// Returns the text of a page, without its blocks of code.
fn markdown(text: &str) -> Vec<Prose> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.push(Prose {
                line: index + 1,
                text: line.to_owned(),
            });
        }
    }
    found
}

fn after_mark(text: &str, mark: &str) -> Vec<Prose> {
    let comment_of = |line: &str| {
        let begin = line.match_indices(mark).map(|(at, _)| at);
        let mut begin = begin.filter(|at| {
            let before = line.get(..*at).unwrap_or_default();
            before.is_empty() || before.ends_with(char::is_whitespace)
        });
        line.get(begin.next()?..).map(str::to_owned)
    };
    (1..)
        .zip(text.lines())
        .filter_map(|(line, text)| comment_of(text).map(|text| Prose { line, text }))
        .collect()
}

/// Returns the comments of a YAML file and the texts it has for readers.
fn yaml(text: &str) -> Vec<Prose> {
    let mut found = after_mark(text, "#");
    let keys = ["description:", "summary:", "- description:"];
    let texts = (1..).zip(text.lines()).filter(|(_, line)| {
        let line = line.trim_start();
        keys.iter().any(|key| line.starts_with(key))
    });
    found.extend(texts.map(|(line, text)| Prose {
        line,
        text: text.to_owned(),
    }));
    found
}

/// Returns the comments of a script or a recipe and what it prints; nothing for other files.
fn script(text: &str) -> Vec<Prose> {
    let is_recipe = text.contains("\n.PHONY:") || text.contains("\nFROM ");
    if !text.starts_with("#!") && !is_recipe {
        return Vec::new();
    }
    let mut found = after_mark(text, "#");
    let printed = (1..).zip(text.lines()).filter(|(_, line)| {
        let line = line.trim_start();
        line.starts_with("echo ") || line.starts_with("printf ")
    });
    found.extend(printed.map(|(line, text)| Prose {
        line,
        text: text.to_owned(),
    }));
    found
}
