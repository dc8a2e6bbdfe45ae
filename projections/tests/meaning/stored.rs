//! The stored forms of customers, byte for byte: definitions and events with what is stored of them.
//!
//! A corpus is named by the versions that its bytes depend on: the fold version, and the version of
//! evaluated states, which is their first byte. A failure means that the same events give other bytes
//! under the same versions: databases of before and after would not agree. Bring the bytes back, or raise
//! the version that covers them; the test writes the corpus of a new version.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use tidemark_projections::customer::{Customer, Encoded, InForce, Tracking};
use tidemark_projections::definitions::{TenantDefinitions, TenantSource};
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::state::FOLD_VERSION;
use tidemark_schemas::{CustomerEvent, Instant};

use crate::{random, records_laws};

/// The number of customers of a corpus, for each kind of history.
const CASES: usize = 40;
/// The distance of the clock from the newest event, in microseconds: some timers fire.
const CLOCK_AFTER: i64 = 45 * random::DAY;

/// A line of a corpus.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Case {
    definitions: TenantSource,
    /// The events in the order in which they are folded, as JSON.
    events: Vec<String>,
    stored: Stored,
}

/// What is stored of a customer: bytes in hexadecimal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    state: String,
    tracked: String,
    evaluated: String,
    /// Each change with its effective time and cause.
    changes: Vec<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn store(definitions: &TenantDefinitions, events: &[CustomerEvent]) -> Stored {
    let mut customer = Customer::new(definitions.version);
    let mut tracking = Tracking::new();
    tracking.activate(definitions, Instant::MIN);
    let in_force = InForce {
        definitions,
        tracking: &tracking,
    };
    let mut clock = Instant::MIN;
    let mut changes = Vec::new();
    for event in events {
        clock = clock.max(event.occurred_at);
        changes.extend(customer.fold(in_force, event, clock).effects.changes);
    }
    changes.extend(
        customer
            .advance(definitions, clock.plus_micros(CLOCK_AFTER))
            .changes,
    );
    let encoded = customer.encode();
    let parts = [&encoded.state, &encoded.tracked, &encoded.evaluated];
    let decoded = Customer::decode(
        &events[0].customer_id,
        Encoded {
            state: parts[0],
            tracked: parts[1],
            evaluated: parts[2],
        },
    );
    assert_eq!(decoded.unwrap(), customer);
    let [state, tracked, evaluated] = parts.map(|bytes| hex(bytes));
    Stored {
        state,
        tracked,
        evaluated,
        changes: changes.iter().map(|change| format!("{change:?}")).collect(),
    }
}

fn case(definitions: &TenantDefinitions, events: &[CustomerEvent]) -> Case {
    Case {
        definitions: definitions.source.clone(),
        events: events.iter().map(CustomerEvent::to_json).collect(),
        stored: store(definitions, events),
    }
}

/// Returns the cases of a new corpus.
fn new_cases() -> Vec<Case> {
    let mut runner = TestRunner::deterministic();
    let mut drawn: Vec<(Arc<TenantDefinitions>, Vec<CustomerEvent>)> = Vec::new();
    for _ in 0..CASES {
        let activities = (random::definitions(), random::histories());
        drawn.push(activities.new_tree(&mut runner).unwrap().current());
        let records = records_laws::tenants();
        drawn.push(records.new_tree(&mut runner).unwrap().current());
    }
    drawn
        .iter()
        .map(|(definitions, events)| case(definitions, events))
        .collect()
}

#[test]
fn stored_forms_change_only_with_their_versions() {
    let evaluated = EvaluatedState::new(0).encode()[0];
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/meaning/stored")
        .join(format!("fold_{FOLD_VERSION}_evaluated_{evaluated}.jsonl"));
    let Ok(corpus) = fs::read_to_string(&file) else {
        let lines: Vec<String> = new_cases()
            .iter()
            .map(|case| serde_json::to_string(case).unwrap())
            .collect();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        panic!(
            "there was no corpus of these versions, and {} is written now: test again",
            file.display()
        );
    };
    let mut cases = 0;
    for (line, text) in (1..).zip(corpus.lines()) {
        let recorded: Case = serde_json::from_str(text).unwrap();
        let definitions =
            TenantDefinitions::from_source(recorded.definitions.clone(), 0, Instant::MIN).unwrap();
        let events: Vec<CustomerEvent> = recorded
            .events
            .iter()
            .map(|event| CustomerEvent::from_json(event).unwrap())
            .collect();
        assert_eq!(
            store(&definitions, &events),
            recorded.stored,
            "line {line} of {}",
            file.display()
        );
        cases += 1;
    }
    assert_eq!(cases, 2 * CASES);
}
