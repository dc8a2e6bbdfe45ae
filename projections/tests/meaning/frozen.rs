//! The validators of each format of bundles, frozen: what a record of a format may hold never changes,
//! or two versions of Tidemark would disagree about what is in force.
//!
//! The corpus of a format is a list of records, each with the outcomes of its mutations: every place of
//! the record replaced, removed, repeated or given a foreign member, in a fixed order. A failure means
//! that a validator decides otherwise than it did. Bring the decision back, and give what is new a format
//! of its own; the test writes its corpus where it finds an empty one.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemark_projections::definitions::{Bundle, Definitions, NEWEST_FORMAT, TenantSource};
use tidemark_schemas::Instant;

use crate::documentation;

/// The corpora, by format from 1.
const CORPORA: [&str; 4] = [
    include_str!("frozen/format_1.jsonl"),
    include_str!("frozen/format_2.jsonl"),
    include_str!("frozen/format_3.jsonl"),
    include_str!("frozen/format_4.jsonl"),
];
/// Trained models of every kind, which no page of the documentation shows.
const MODELS: &str = include_str!("frozen/models.yaml");
/// The zones and currencies, by format from 1.
const NAMES: [&str; 4] = [
    include_str!("frozen/names_1.txt"),
    include_str!("frozen/names_1.txt"),
    include_str!("frozen/names_1.txt"),
    include_str!("frozen/names_4.txt"),
];

/// A line of a corpus.
#[derive(Debug, Serialize, Deserialize)]
struct Case {
    /// The record before it, if it is not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    record: Value,
    /// A digit for each mutation, the record itself first: 1 where it is accepted.
    outcomes: String,
}

/// The values that a place is replaced by.
fn replacements() -> [Value; 17] {
    [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(401),
        json!(0.5),
        json!(1e18),
        json!(""),
        json!("x"),
        json!(" "),
        json!("0d"),
        json!("73h"),
        json!("2024-02-30"),
        json!("x".repeat(300)),
        json!([]),
        json!({}),
    ]
}

/// Returns every mutation of a value, in a fixed order: `wrap` puts each in its place in the record.
fn mutations(value: &Value, wrap: &dyn Fn(Value) -> Value, into: &mut Vec<Value>) {
    into.extend(replacements().map(wrap));
    match value {
        Value::Object(members) => {
            let with = |change: &dyn Fn(&mut Map<String, Value>)| {
                let mut changed = members.clone();
                change(&mut changed);
                wrap(Value::Object(changed))
            };
            into.push(with(&|all| {
                all.insert("foreign".to_owned(), json!(1));
            }));
            for (key, member) in members {
                into.push(with(&|all| drop(all.remove(key))));
                let inside =
                    |value: Value| with(&|all| drop(all.insert(key.clone(), value.clone())));
                mutations(member, &inside, into);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let with = |change: &dyn Fn(&mut Vec<Value>)| {
                    let mut changed = items.clone();
                    change(&mut changed);
                    wrap(Value::Array(changed))
                };
                into.push(with(&|all| drop(all.remove(index))));
                into.push(with(&|all| all.push(item.clone())));
                let inside = |value: Value| with(&|all| all[index] = value.clone());
                mutations(item, &inside, into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_accepted(record: &Value) -> bool {
    is_accepted_after(&Definitions::default(), record)
}

fn is_accepted_after(before: &Definitions, record: &Value) -> bool {
    let bytes = serde_json::to_vec(record).unwrap();
    before.apply(1, Instant::MIN, &bytes).is_ok()
}

/// Returns the definitions after the record before that of a case.
fn definitions_before(before: Option<&Value>) -> Definitions {
    let apply = |record: &Value| {
        let bytes = serde_json::to_vec(record).unwrap();
        Definitions::default().apply(0, Instant::MIN, &bytes)
    };
    before.map(apply).transpose().unwrap().unwrap_or_default()
}

fn all_of(record: &Value) -> Vec<Value> {
    let mut all = vec![record.clone()];
    mutations(record, &|value| value, &mut all);
    all
}

#[test]
fn every_format_decides_as_it_always_did() {
    assert_eq!(CORPORA.len(), NEWEST_FORMAT as usize, "a corpus a format");
    if CORPORA.iter().any(|corpus| corpus.is_empty()) {
        write_corpus();
        panic!(
            "the corpus of format {NEWEST_FORMAT} was empty and is written now: read it, and test again"
        );
    }
    for (format, corpus) in (1..).zip(CORPORA) {
        let mut decided = 0;
        for (line, case) in (1..).zip(corpus.lines()) {
            let Case {
                before,
                record,
                outcomes,
            } = serde_json::from_str(case).unwrap();
            let definitions = definitions_before(before.as_ref());
            assert_eq!(record["format"], json!(format), "line {line}");
            let all = all_of(&record);
            assert_eq!(all.len(), outcomes.len(), "line {line}");
            for (mutation, outcome) in all.iter().zip(outcomes.chars()) {
                let accepted = outcome == '1';
                assert_eq!(
                    is_accepted_after(&definitions, mutation),
                    accepted,
                    "format {format} accepts this: {accepted}, and no longer so (line {line})\n{mutation}"
                );
                decided += 1;
            }
        }
        assert!(decided > 20_000, "format {format}: {decided}");
    }
}

fn changed(source: &TenantSource, change: impl Fn(&mut TenantSource)) -> TenantSource {
    let mut changed = source.clone();
    change(&mut changed);
    changed
}

/// Returns a record of the newest format.
fn record_of(tenant: &TenantSource) -> Value {
    let bundle = Bundle::from_sources(vec![tenant.clone()], "test");
    let mut record = serde_json::to_value(bundle).unwrap();
    record["format"] = json!(NEWEST_FORMAT);
    record["writer"] = json!("0.1.0");
    record
}

/// Returns the zones and currencies that a format accepts, a line each, in order.
fn names(format: u32) -> String {
    let zones = jiff::tz::TimeZoneDatabase::bundled()
        .available()
        .map(|zone| ("zone", zone.to_string()))
        .collect::<Vec<_>>();
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(move |a| {
        letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}")))
    });
    let currencies = codes.map(|code| ("currency", code));
    let mut names: Vec<_> = zones.into_iter().chain(currencies).collect();
    names.sort();
    let mut accepted = String::new();
    for (key, name) in names {
        let mut tenant = json!({ "id": "acme", "zone": "UTC", "currency": "EUR" });
        tenant[key] = json!(name);
        let record = json!({
            "format": format, "based_on": null, "author": "", "tenants": [{ "tenant": tenant }],
        });
        if is_accepted(&record) {
            writeln!(accepted, "{key} {name}").unwrap();
        }
    }
    accepted
}

#[test]
fn zones_and_currencies_are_those_of_the_format() {
    for (format, frozen) in (1..).zip(NAMES) {
        let now = names(format);
        let differ: Vec<&str> = frozen
            .lines()
            .filter(|name| !now.lines().any(|other| other == *name))
            .chain(
                now.lines()
                    .filter(|name| !frozen.lines().any(|other| other == *name)),
            )
            .collect();
        assert!(
            differ.is_empty(),
            "format {format} accepted these before or now, and not both: {differ:?}"
        );
    }
    assert_eq!(NAMES.len(), NEWEST_FORMAT as usize, "a list a format");
}

/// Returns each part of the definitions by itself, with the journeys and the segments that it may refer to
/// where it needs them: the smaller a record, the faster its mutations are read.
fn parts(source: &TenantSource) -> Vec<TenantSource> {
    let bare = TenantSource {
        segments: Vec::new(),
        journeys: Vec::new(),
        actions: Vec::new(),
        triggers: Vec::new(),
        models: None,
        ..source.clone()
    };
    let mut parts = vec![bare.clone()];
    let mut add = |add: &dyn Fn(&mut TenantSource)| {
        let alone = changed(&bare, add);
        let in_journeys = changed(&bare, |part| {
            part.journeys.clone_from(&source.journeys);
            add(part);
        });
        let beside = source.segments.iter().map(|other| {
            changed(&bare, |part| {
                part.segments.push(other.clone());
                add(part);
            })
        });
        let mut candidates = [alone, in_journeys].into_iter().chain(beside);
        parts.extend(candidates.find(|part| is_accepted(&record_of(part))));
    };
    for segment in &source.segments {
        add(&|part| part.segments.push(segment.clone()));
    }
    for journey in &source.journeys {
        add(&|part| part.journeys.push(journey.clone()));
    }
    for action in &source.actions {
        add(&|part| part.actions.push(action.clone()));
    }
    for trigger in &source.triggers {
        add(&|part| part.triggers.push(trigger.clone()));
    }
    if let Some(models) = &source.models {
        add(&|part| part.models = Some(models.clone()));
    }
    parts
}

/// Returns a record that defines two tenants.
fn defined() -> Value {
    let tenant = |id: &str| json!({ "tenant": { "id": id, "zone": "UTC", "currency": "EUR" } });
    let tenants = [tenant("acme"), tenant("globex")];
    json!({ "format": 1, "based_on": null, "author": "test", "tenants": tenants })
}

/// Returns a record of the newest format after [`defined`], which offboards one tenant and changes the other.
fn offboarding() -> Value {
    let tenant = json!({ "id": "globex", "zone": "UTC", "currency": "USD" });
    json!({
        "format": NEWEST_FORMAT, "based_on": 0, "author": "test", "writer": "0.1.0",
        "tenants": [{ "tenant": tenant }],
        "accepted_late": { "globex": ["6f9619ff-8b86-d011-b42d-00cf4fc964ff"] },
        "offboarded": { "acme": "the contract has ended" },
    })
}

/// Writes a record with the outcomes of its mutations, unless the corpus has it.
fn write_case(corpus: &mut String, before: Option<Value>, record: Value) {
    let definitions = definitions_before(before.as_ref());
    let digit = |mutation: &Value| {
        if is_accepted_after(&definitions, mutation) {
            '1'
        } else {
            '0'
        }
    };
    let outcomes = all_of(&record).iter().map(digit).collect();
    let case = Case {
        before,
        record,
        outcomes,
    };
    let case = serde_json::to_string(&case).unwrap();
    if !corpus.contains(&case) {
        writeln!(corpus, "{case}").unwrap();
    }
}

/// Writes the corpus of the newest format.
fn write_corpus() {
    let mut corpus = String::new();
    let models = std::iter::once(MODELS.to_owned());
    for file in documentation::files().into_iter().chain(models) {
        let bundle = Bundle::from_files(&[("example".to_owned(), file)], "test").unwrap();
        for tenant in bundle.tenants.iter().flat_map(parts) {
            let record = record_of(&tenant);
            if is_accepted(&record) {
                write_case(&mut corpus, None, record);
            }
        }
    }
    write_case(&mut corpus, Some(defined()), offboarding());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/meaning/frozen");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("format_{NEWEST_FORMAT}.jsonl")), corpus).unwrap();
}
