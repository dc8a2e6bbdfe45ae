//! The sizes of files and functions.

use crate::files::{assert_none, files};

const MAX_LINES_OF_A_FILE: usize = 400;
const MAX_LINES_OF_A_FUNCTION: usize = 60;

#[test]
fn files_stay_readable() {
    let long: Vec<_> = files()
        .into_iter()
        .filter(|file| ["rs", "sql"].contains(&file.extension()))
        .map(|file| (file.text.lines().count(), file.path))
        .filter(|(lines, _)| *lines > MAX_LINES_OF_A_FILE)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none(
        &format!("files of more than {MAX_LINES_OF_A_FILE} lines"),
        &long,
    );
}

#[test]
fn functions_stay_readable() {
    let mut long = Vec::new();
    for file in files().iter().filter(|file| file.is_rust()) {
        for (line, length) in functions(&file.text) {
            if length > MAX_LINES_OF_A_FUNCTION {
                long.push(format!("{}:{line}: {length} lines", file.path));
            }
        }
    }
    assert_none(
        &format!("functions of more than {MAX_LINES_OF_A_FUNCTION} lines"),
        &long,
    );
}

/// Returns where each function begins (from 1) and how many lines it has.
///
/// rustfmt, which `make test` enforces, puts a function's last brace alone on a line, as far in
/// as the function's first word, so that nothing has to be parsed.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        if !begins_function(line) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{:indent$}}}", "");
        let rest = lines.iter().enumerate().skip(first);
        // A declaration ends in a semicolon, and a body of one line in its brace.
        let Some((opening, opened)) = rest
            .clone()
            .find(|(_, line)| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'))
        else {
            continue;
        };
        if !opened.ends_with('{') {
            continue;
        }
        let last = rest
            .skip(opening - first + 1)
            .find(|(_, line)| ***line == closing);
        if let Some((last, _)) = last {
            found.push((first + 1, last - first + 1));
        }
    }
    found
}

fn begins_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern", "\"C\""].contains(word)
    });
    words.next() == Some("fn")
}

#[test]
fn the_scan_finds_functions_and_their_lengths() {
    let text = "pub fn a(\n    b: u8,\n) -> u8 {\n    b\n}\n\nfn c() {}\ntrait D {\n    \
                async fn e(&self);\n    fn f() {\n        fn g() {\n        }\n    }\n}\n";
    assert_eq!(functions(text), [(1, 5), (10, 4), (11, 2)]);
}
