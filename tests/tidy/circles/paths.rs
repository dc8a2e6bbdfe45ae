//! Reads paths such as `crate::a::{b, c::D as E}` from Rust code.

/// A path as it is written, and the name under which a `use` makes it known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    pub(super) name: String,
    /// Whether the path stands in a `use`.
    pub(super) imported: bool,
    pub(super) line: usize,
}

/// Returns every path in code that a `use` imports, or that begins with `crate`, `self` or `super`.
pub(super) fn paths(code: &str) -> Vec<Path> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let begins_path = ["crate", "self", "super"].contains(&token.text.as_str())
            && is(&tokens, at + 1, "::")
            && !(at > 0 && is(&tokens, at - 1, "::"));
        let imported = token.text == "use";
        if imported {
            at += 1;
        } else if !begins_path {
            at += 1;
            continue;
        }
        let begin = found.len();
        at = read_tree(&tokens, at, &[], &mut found);
        for path in &mut found[begin..] {
            path.imported = imported;
        }
    }
    found
}

/// Returns the names of the items that code declares.
pub(super) fn declared(code: &str) -> Vec<String> {
    let keywords = [
        "fn", "struct", "enum", "trait", "type", "const", "static", "mod", "union",
    ];
    let tokens = tokens(code);
    tokens
        .windows(2)
        .filter(|pair| keywords.contains(&pair[0].text.as_str()))
        .map(|pair| pair[1].text.clone())
        .collect()
}

struct Token {
    text: String,
    line: usize,
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut line = 1;
    let mut joins = false;
    for char in code.chars() {
        let is_word = char.is_alphanumeric() || char == '_';
        match tokens.last_mut() {
            Some(last) if joins && is_word => last.text.push(char),
            Some(last) if char == ':' && last.text == ":" => last.text.push(char),
            _ if char.is_whitespace() => {}
            _ => tokens.push(Token {
                text: char.to_string(),
                line,
            }),
        }
        joins = is_word;
        line += usize::from(char == '\n');
    }
    tokens
}

fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

/// Reads one path, or a list of paths in braces, and returns where it ends.
fn read_tree(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    loop {
        let Some(token) = tokens.get(at) else {
            return at;
        };
        if token.text == "{" {
            at += 1;
            while !is(tokens, at, "}") && at < tokens.len() {
                at = read_tree(tokens, at, &segments, found);
                at += usize::from(is(tokens, at, ","));
            }
            return at + 1;
        }
        segments.push(token.text.clone());
        at += 1;
        let goes_on = is(tokens, at, "::") && !is(tokens, at + 1, "<");
        if !goes_on {
            break;
        }
        at += 1;
    }
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let mut name = segments.last().cloned().unwrap_or_default();
    if is(tokens, at, "as") {
        name = tokens
            .get(at + 1)
            .map(|token| token.text.clone())
            .unwrap_or_default();
        at += 2;
    }
    found.push(Path {
        segments,
        name,
        imported: false,
        line,
    });
    at
}

#[test]
fn paths_are_read_from_trees() {
    let code = "use crate::a::{self, b as c, d::{e, *}};\nlet x = super::f::<G>(crate::H);";
    let found: Vec<_> = paths(code)
        .into_iter()
        .map(|path| {
            (
                path.segments.join("::"),
                path.name,
                path.imported,
                path.line,
            )
        })
        .collect();
    let expected = [
        ("crate::a", "a", true, 1),
        ("crate::a::b", "c", true, 1),
        ("crate::a::d::e", "e", true, 1),
        ("crate::a::d::*", "*", true, 1),
        ("super::f", "f", false, 2),
        ("crate::H", "H", false, 2),
    ];
    let expected = expected
        .map(|(path, name, imported, line)| (path.to_owned(), name.to_owned(), imported, line));
    assert_eq!(found, expected);
}
