//! The documents: the index of decisions is complete, and the tests that a document names exist.

use std::fs;

use crate::files::{File, assert_none, files, root};

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

/// Names of three words and more in ARCHITECTURE.md are names of tests.
#[test]
fn every_test_that_the_architecture_names_exists() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let code: Vec<File> = files().into_iter().filter(File::is_rust).collect();
    let is_name = |text: &&str| {
        let is_part = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
        text.chars().all(|char| is_part(char) || char == '_') && text.matches('_').count() >= 2
    };
    let names: Vec<&str> = page.split('`').filter(is_name).collect();
    assert!(!names.is_empty(), "ARCHITECTURE.md names no test");
    let missing: Vec<String> = names
        .into_iter()
        .filter(|name| {
            let declaration = format!("fn {name}(");
            !code.iter().any(|file| file.text.contains(&declaration))
        })
        .map(str::to_owned)
        .collect();
    assert_none("ARCHITECTURE.md names tests that do not exist", &missing);
}
