//! What the compiler does not check: arrows between crates, sizes, module docs, and what must not
//! be in the project at all. Each failure names the file and the line.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own project has nothing to say but so"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const MOST_LINES_OF_A_FILE: usize = 400;
const MOST_LINES_OF_A_FUNCTION: usize = 60;

/// A text file of the project.
struct File {
    /// From the project's root.
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, wanted: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|extension| extension == wanted)
    }

    fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// This file itself spells out what it looks for.
    fn is_this(&self) -> bool {
        self.path == "tests/tidy.rs"
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What is in the work tree: without build output, hidden folders (but .ci) and real-world data.
fn files() -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci";
            if hidden || ["target", "data", "node_modules", "Cargo.lock"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        found.iter().any(File::is_this),
        "the walk missed this very file"
    );
    found
}

#[track_caller]
fn assert_none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

/// Every line for which `is_wrong` says so, as `path:line: text`.
fn lines_where(files: &[File], is_wrong: impl Fn(&File, &str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !file.is_this()) {
        for (index, line) in file.text.lines().enumerate() {
            if is_wrong(file, line) {
                wrong.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    wrong
}

/// The names of all crates that `package` is built from.
fn crates_in(package: &str, features: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--package", package])
        .args(features)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[track_caller]
fn assert_builds_without(package: &str, features: &[&str], forbidden: &[&str]) {
    let crates = crates_in(package, features);
    assert!(
        crates.iter().any(|name| name == package),
        "cargo tree said nothing of {package}"
    );
    let wrong: Vec<_> = crates
        .into_iter()
        .filter(|name| forbidden.contains(&name.as_str()))
        .collect();
    assert_none(&format!("{package} must be built without"), &wrong);
}

#[test]
fn arrows_point_one_way() {
    let outside = ["tokio", "rdkafka", "sqlx", "axum", "reqwest", "hyper"];
    assert_builds_without("tidemark-projections", &[], &outside);
    assert_builds_without("tidemark-schemas", &["--no-default-features"], &outside);
    let above = [
        "tidemark",
        "tidemark-api",
        "tidemark-processor",
        "tidemark-projections",
    ];
    assert_builds_without("tidemark-schemas", &["--all-features"], &above);
    assert_builds_without("tidemark-projections", &[], &above[..3]);
    assert_builds_without("tidemark-processor", &[], &["tidemark", "tidemark-api"]);
    assert_builds_without(
        "tidemark-api",
        &[],
        &["tidemark", "tidemark-processor", "rdkafka"],
    );
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<_> = files()
        .into_iter()
        .filter(|file| file.is_rust() && !file.text.starts_with("//!"))
        .map(|file| file.path)
        .collect();
    assert_none("these begin without a //! doc", &silent);
}

#[test]
fn files_stay_readable() {
    let long: Vec<_> = files()
        .into_iter()
        .filter(|file| file.has_extension("rs") || file.has_extension("sql"))
        .map(|file| (file.text.lines().count(), file.path))
        .filter(|(lines, _)| *lines > MOST_LINES_OF_A_FILE)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none(
        &format!("files of more than {MOST_LINES_OF_A_FILE} lines"),
        &long,
    );
}

#[test]
fn functions_stay_readable() {
    let mut long = Vec::new();
    for file in files().iter().filter(|file| file.is_rust()) {
        for (line, length) in functions(&file.text) {
            if length > MOST_LINES_OF_A_FUNCTION {
                long.push(format!("{}:{line}: {length} lines", file.path));
            }
        }
    }
    assert_none(
        &format!("functions of more than {MOST_LINES_OF_A_FUNCTION} lines"),
        &long,
    );
}

/// Where each function begins (from 1) and how many lines it has.
///
/// rustfmt, which `make test` enforces, puts a function's last brace alone on a line, as far in
/// as the function's first word: so there is nothing to parse.
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
fn the_scan_for_functions_sees_them() {
    let text = "pub fn a(\n    b: u8,\n) -> u8 {\n    b\n}\n\nfn c() {}\ntrait D {\n    \
                async fn e(&self);\n    fn f() {\n        fn g() {\n        }\n    }\n}\n";
    assert_eq!(functions(text), [(1, 5), (10, 4), (11, 2)]);
}

#[test]
fn modules_are_files_with_their_own_names() {
    let wrong: Vec<_> = files()
        .into_iter()
        .map(|file| file.path)
        .filter(|p| p.ends_with("/mod.rs"))
        .collect();
    assert_none("modules are foo.rs and foo/, never mod.rs", &wrong);
}

#[test]
fn every_test_runs_and_says_what_it_expects() {
    let wrong = lines_where(&files(), |file, line| {
        file.is_rust() && (line.contains("#[ignore") || line.contains("#[should_panic"))
    });
    assert_none(
        "a test that does not run, or only asks for some panic, proves nothing",
        &wrong,
    );
}

#[test]
fn nothing_is_left_for_later() {
    let wrong = lines_where(&files(), |file, line| {
        let words = ["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX:"];
        file.is_rust() && words.iter().any(|word| line.contains(word))
    });
    assert_none("unfinished work", &wrong);
}

#[test]
fn no_machine_is_named() {
    // In two parts each, so that a search of the project for them finds nothing here either.
    let places = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
    ];
    let wrong = lines_where(&files(), |_, line| {
        places.iter().any(|place| line.contains(place))
    });
    assert_none("paths of somebody's machine", &wrong);
}

#[test]
fn only_the_clock_module_reads_the_wall_clock() {
    let clocks = [
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "UNIX_EPOCH",
    ];
    let wrong = lines_where(&files(), |file, line| {
        file.is_rust()
            && file.path != "processor/src/clock.rs"
            && !line.trim_start().starts_with("//")
            && clocks.iter().any(|clock| line.contains(clock))
    });
    // Tokens expire, and are issued, by real time; nothing else may know it.
    let wrong: Vec<_> = wrong
        .into_iter()
        .filter(|line| !line.starts_with("api/src/auth"))
        .collect();
    assert_none("the wall clock read outside processor/src/clock.rs", &wrong);
}

#[test]
fn folds_draw_no_random_numbers_and_read_no_environment() {
    let wrong = lines_where(&files(), |file, line| {
        let words = [
            "new_v4",
            "rand::",
            "env::var",
            "Instant::now",
            "HashMap",
            "HashSet",
        ];
        file.path.starts_with("projections/src") && words.iter().any(|word| line.contains(word))
    });
    assert_none("a fold is a function of its events alone", &wrong);
}

/// utoipa's `routes!` takes a handler together with its description; what else adds a route does not.
#[test]
fn no_route_comes_without_its_description() {
    let wrong = lines_where(&files(), |file, line| {
        let words = [".route(", ".route_service(", ".nest(", ".nest_service("];
        let is_public = file.path.starts_with("api/src")
            && !file.path.contains("/tests")
            && file.path != "api/src/metrics.rs"; // a listener of its own
        is_public && words.iter().any(|word| line.contains(word))
    });
    assert_none("routes of the API are added by `routes!`", &wrong);
}

#[test]
fn every_decision_is_in_the_index() {
    let folder = root().join("docs/adr");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut records: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    records.sort();
    let mut wrong = Vec::new();
    for (number, name) in (1..).zip(&records) {
        if !name.starts_with(&format!("{number:04}-")) {
            wrong.push(format!("{name}: expected number {number:04}"));
        }
        if !index.contains(&format!("({name})")) {
            wrong.push(format!("{name}: not in docs/adr/README.md"));
        }
    }
    assert_none("architecture decision records", &wrong);
    assert!(
        !records.is_empty(),
        "no architecture decision record at all"
    );
}
