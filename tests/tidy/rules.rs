//! Rules that hold line by line: one reader of the clock, no randomness in folds, descriptions on
//! routes, and the like.

use crate::files::{assert_none, files, lines_where};

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
            && file.path != "api/src/http/metrics.rs"; // a listener of its own
        is_public && words.iter().any(|word| line.contains(word))
    });
    assert_none("routes of the API are added by `routes!`", &wrong);
}
