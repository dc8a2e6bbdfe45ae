//! Damaged files and records give an error and never a panic; a definition that is accepted as a
//! file is accepted as a record.

use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_schemas::Instant;

const MANUAL: &str = include_str!("../../../docs/definitions.md");

/// The manual's first example, which holds a bit of everything.
fn example() -> &'static str {
    MANUAL
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap()
}

/// Bits that mean something somewhere.
fn bits() -> impl Strategy<Value = String> {
    let known = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        ",",
        "'",
        "\"",
        "#",
        "&a ",
        "*a",
        "!t ",
        "|",
        ">",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "? ",
        "<<: ",
        "\t",
        "\u{0}",
        "\u{feff}",
        "ü",
        "null",
        "true",
        "1e999",
        "-0",
        "9223372036854775808",
        "0x1f",
        ".inf",
        "99999999999d",
        "all",
        "any",
        "not",
        "segment",
        "9999-12-31",
        "-9999-01-01",
        "{ not: ",
        "[[[[",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        ".{0,4}",
        Just(String::new()),
    ]
}

/// The text with bits put in the place of others.
fn damaged(text: &str, edits: &[(prop::sample::Index, usize, String)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (place, length, bit) in edits {
        let start = place.index(characters.len() + 1);
        let end = (start + length).min(characters.len());
        characters.splice(start..end, bit.chars());
    }
    characters.into_iter().collect()
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, bits()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn damaged_files_never_panic(edits in edits()) {
        let text = damaged(example(), &edits);
        match Bundle::from_files(&[("d.yaml".to_owned(), text.clone())], "test") {
            Ok(bundle) => {
                let applied = Definitions::default().apply(0, Instant::MIN, &bundle.to_record());
                prop_assert!(applied.is_ok(), "{applied:?}\n{text}");
                let yaml = bundle.tenants[0].to_yaml();
                let again = Bundle::from_files(&[("again".to_owned(), yaml)], "test");
                prop_assert_eq!(again.map(|again| again.tenants[0].clone()),
                    Ok(bundle.tenants[0].clone()));
            }
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                // A carriage return alone ends a line, too.
                let lines = text.split(['\n', '\r']).count() + 1;
                for error in errors {
                    prop_assert!((1..=lines).contains(&error.line), "{error}");
                    prop_assert!(error.column >= 1 && !error.message.is_empty());
                }
            }
        }
    }

    #[test]
    fn damaged_records_never_panic(edits in edits()) {
        let files = [("d.yaml".to_owned(), example().to_owned())];
        let bundle = Bundle::from_files(&files, "test").unwrap();
        let record = String::from_utf8(bundle.to_record()).unwrap();
        let record = damaged(&record, &edits);
        let first = Definitions::default().apply(0, Instant::MIN, record.as_bytes());
        let again = Definitions::default().apply(0, Instant::MIN, record.as_bytes());
        // The result is the same for every reader.
        match (first, again) {
            (Ok(first), Ok(again)) => {
                let sources = |all: &Definitions| {
                    all.sources().map(|(_, source)| source.clone()).collect::<Vec<_>>()
                };
                prop_assert_eq!(sources(&first), sources(&again));
            }
            (first, again) => prop_assert_eq!(first.err(), again.err()),
        }
    }
}
