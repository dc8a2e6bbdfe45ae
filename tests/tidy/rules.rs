//! Rules that hold line by line: one reader of the clock, no randomness in folds, descriptions on
//! routes, and the like.

use crate::files::{assert_none, files, lines_where};
use crate::source::code;

#[test]
fn every_file_begins_with_a_module_doc() {
    let silent: Vec<_> = files()
        .into_iter()
        .filter(|file| file.is_rust() && !file.text.starts_with("//!"))
        .map(|file| file.path)
        .collect();
    assert_none("files that begin without a //! doc", &silent);
}

#[test]
fn modules_are_files_with_their_own_names() {
    let wrong: Vec<_> = files()
        .into_iter()
        .map(|file| file.path)
        .filter(|p| p.ends_with("/mod.rs"))
        .collect();
    assert_none("files called mod.rs; a module is foo.rs and foo/", &wrong);
}

#[test]
fn no_test_is_ignored_or_expects_just_any_panic() {
    let wrong = lines_where(&files(), |file, line| {
        file.is_rust() && (line.contains("#[ignore") || line.contains("#[should_panic"))
    });
    assert_none("tests that are ignored or expect just any panic", &wrong);
}

#[test]
fn code_has_no_unfinished_work() {
    let wrong = lines_where(&files(), |file, line| {
        let words = ["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX:"];
        file.is_rust() && words.iter().any(|word| line.contains(word))
    });
    assert_none("unfinished work", &wrong);
}

#[test]
fn unsafe_code_is_in_one_file_under_one_expectation() {
    const ALLOWED: &str = "kafka/src/headers.rs";
    let mut expectations = 0;
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| file.is_rust()) {
        let code = code(&file.text);
        let words = code.split(|char: char| !char.is_alphanumeric() && char != '_');
        for word in words.filter(|word| ["unsafe", "unsafe_code"].contains(word)) {
            match file.path.as_str() {
                ALLOWED => expectations += usize::from(word == "unsafe_code"),
                path => wrong.push(format!("{path}: {word}")),
            }
        }
    }
    assert_none("unsafe code outside kafka/src/headers.rs", &wrong);
    assert_eq!(expectations, 1, "expectations of unsafe code in {ALLOWED}");
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    // In two parts each, so that a search of the project does not find them here.
    let places = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
    ];
    let wrong = lines_where(&files(), |_, line| {
        places.iter().any(|place| line.contains(place))
    });
    assert_none("paths of one machine", &wrong);
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
    // Tokens are issued and expire by real time.
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
    assert_none("folds that are not a function of their events", &wrong);
}

/// The macro `routes!` of utoipa adds a handler with its description; the other ways to add a route
/// do not.
#[test]
fn every_route_is_added_with_its_description() {
    let wrong = lines_where(&files(), |file, line| {
        let words = [".route(", ".route_service(", ".nest(", ".nest_service("];
        let is_public = file.path.starts_with("api/src")
            && !file.path.contains("/tests")
            && file.path != "api/src/http/metrics.rs"; // a listener of its own
        is_public && words.iter().any(|word| line.contains(word))
    });
    assert_none("routes of the API that are not added by `routes!`", &wrong);
}
