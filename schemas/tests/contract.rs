//! The promise to producers: what was ever written is read for ever.
//!
//! `avro/` holds every version of the schema ever merged and `golden/` events as those versions
//! wrote them, as JSON and as bytes. Neither is edited: a change of the schema is a new file, and
//! its events are written by `TIDEMARK_BLESS=1 cargo test -p tidemark-schemas --test contract`
//! (only missing files are written; one that differs fails in any case).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use tidemark_schemas::CustomerEvent;
use tidemark_schemas::codec::{Decoder, Encoder, SCHEMA, SCHEMAS};
use tidemark_schemas::event::PayloadKind;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every version with its text, oldest first.
fn versions() -> Vec<(u32, String)> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(here("avro")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let number = name
            .strip_prefix("customer_event.v")
            .and_then(|n| n.strip_suffix(".avsc"));
        let number = number.unwrap_or_else(|| panic!("{name} is not customer_event.vN.avsc"));
        versions.push((number.parse().unwrap(), fs::read_to_string(&path).unwrap()));
    }
    versions.sort_unstable();
    versions
}

/// The files of a version that end so, by name.
fn golden(version: u32, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(here(&format!("tests/golden/v{version}")))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}

fn read_event(path: &Path) -> CustomerEvent {
    let text = fs::read_to_string(path).unwrap();
    CustomerEvent::from_json(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .trim()
        .chars()
        .map(|digit| digit.to_digit(16).unwrap())
        .collect();
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

#[test]
fn schema_versions_are_complete_and_the_newest_is_written() {
    let versions = versions();
    let numbers: Vec<u32> = versions.iter().map(|(number, _)| *number).collect();
    let expected: Vec<u32> = (1..).take(versions.len()).collect();
    assert_eq!(numbers, expected);
    assert!(versions.iter().map(|(_, text)| text).eq(SCHEMAS));
    assert_eq!(versions.last().unwrap().1, SCHEMA);
}

#[test]
fn every_schema_version_reads_all_earlier_versions() {
    let parsed: Vec<Schema> = versions()
        .iter()
        .map(|(_, text)| Schema::parse_str(text).unwrap())
        .collect();
    for (newer, reader) in parsed.iter().enumerate() {
        for (older, writer) in parsed[..=newer].iter().enumerate() {
            let compatibility = SchemaCompatibility::can_read(writer, reader);
            let pair = format!("v{} reading v{}", newer + 1, older + 1);
            assert_eq!(compatibility.unwrap(), Compatibility::Full, "{pair}");
        }
    }
}

#[test]
fn every_schema_version_appends_payloads() {
    // The order of the union is the order of `PayloadKind`, which serde goes by.
    let names = |text: &str| -> Vec<String> {
        let schema: serde_json::Value = serde_json::from_str(text).unwrap();
        let payloads = schema["fields"][5]["type"].as_array().unwrap();
        payloads
            .iter()
            .map(|record| record["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let ours: Vec<&str> = PayloadKind::ALL
        .iter()
        .map(|kind| kind.record_name())
        .collect();
    for (version, text) in versions() {
        let theirs = names(&text);
        assert_eq!(theirs[..], ours[..theirs.len()], "v{version}");
    }
    assert_eq!(names(SCHEMA), ours);
}

#[test]
fn golden_bytes_of_every_version_decode() {
    for (version, text) in versions() {
        let decoder = Decoder::without_registry();
        decoder.add_schema(version, &text);
        let files = golden(version, "hex");
        assert!(!files.is_empty());
        for file in files {
            let bytes = from_hex(&fs::read_to_string(&file).unwrap());
            let expected = read_event(&file.with_extension("json"));
            assert_eq!(decoder.decode(&bytes), Ok(expected), "{}", file.display());
        }
    }
}

#[test]
fn encoding_gives_the_golden_bytes_of_the_newest_version() {
    #[allow(
        clippy::disallowed_methods,
        reason = "how a person asks for missing files"
    )]
    let bless = std::env::var_os("TIDEMARK_BLESS").is_some();
    let (newest, _) = versions().pop().unwrap();
    for file in golden(newest, "json") {
        let hex = to_hex(&Encoder::new(newest).encode(&read_event(&file)));
        let hex_file = file.with_extension("hex");
        if bless && !hex_file.exists() {
            fs::write(&hex_file, format!("{hex}\n")).unwrap();
        }
        let expected = fs::read_to_string(&hex_file).unwrap();
        assert_eq!(hex, expected.trim(), "{}", file.display());
    }
}

#[test]
fn every_payload_has_golden_bytes() {
    let covered: BTreeSet<PayloadKind> = versions()
        .iter()
        .flat_map(|(version, _)| golden(*version, "json"))
        .map(|file| read_event(&file).payload.kind())
        .collect();
    assert_eq!(covered, PayloadKind::ALL.iter().copied().collect());
}

#[test]
fn the_json_form_round_trips() {
    for file in versions()
        .iter()
        .flat_map(|(version, _)| golden(*version, "json"))
    {
        let event = read_event(&file);
        assert_eq!(CustomerEvent::from_json(&event.to_json()).unwrap(), event);
    }
}
