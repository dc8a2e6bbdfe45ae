//! `tidemark generate`: events as lines for `publish`, the same for the same seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use tidemark::generate::Industry;
use tidemark_schemas::CustomerEvent;

use crate::support::up::tidemark;

/// Returns what the command prints.
#[track_caller]
fn generate(industry: Industry, seed: u32, customers: u32, more: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let (seed, customers) = (seed.to_string(), customers.to_string());
    let mut arguments = vec!["generate", "--industry", industry.name()];
    arguments.extend(["--seed", &seed, "--customers", &customers]);
    arguments.extend(["--from", "2025-01-01", "--to", "2025-04-30"]);
    arguments.extend(more);
    let output = tidemark(folder.path(), &arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Parses the lines as `publish` does.
fn events(lines: &str) -> Vec<CustomerEvent> {
    lines
        .lines()
        .map(|line| CustomerEvent::from_json(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect()
}

#[test]
fn generated_lines_are_valid_events_in_order_of_time() {
    for industry in Industry::ALL {
        let events = events(&generate(industry, 1, 20, &[]));
        assert!(events.len() > 300, "{industry}: {}", events.len());
        assert!(events.is_sorted_by_key(|event| (event.occurred_at, event.event_id)));
        let first = events[0].occurred_at.to_string();
        assert!(first.starts_with("2025-01-01"), "{first}");
        let last = events[events.len() - 1].occurred_at.to_string();
        assert!(last.starts_with("2025-04"), "{last}");
        let customers: BTreeSet<_> = events.iter().map(|event| &event.customer_id).collect();
        assert_eq!(customers.len(), 20);
        for event in &events {
            assert_eq!(event.tenant_id.as_str(), industry.tenant());
            event.validate().unwrap();
        }
    }
}

#[test]
fn same_seed_gives_same_bytes_and_more_customers_leave_the_others_unchanged() {
    let few = generate(Industry::Saas, 5, 10, &[]);
    assert_eq!(generate(Industry::Saas, 5, 10, &[]), few);
    assert_ne!(generate(Industry::Saas, 6, 10, &[]), few);
    let is_known = |line: &&str| few.contains(*line);
    let more = generate(Industry::Saas, 5, 30, &[]);
    let kept: Vec<&str> = more.lines().filter(is_known).collect();
    assert_eq!(kept, few.lines().collect::<Vec<_>>());
    assert!(more.lines().count() > 2 * kept.len());
}

#[test]
fn other_tenant_gets_the_same_customers_and_truth_file_holds_their_parameters() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("truth.json");
    let truth = file.to_str().unwrap();
    let ours = events(&generate(Industry::Ecommerce, 5, 10, &[]));
    let flags = ["--tenant", "acme", "--truth", truth];
    let theirs = events(&generate(Industry::Ecommerce, 5, 10, &flags));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(theirs.tenant_id.as_str(), "acme");
        assert_eq!(theirs.payload, ours.payload);
        assert_eq!(theirs.customer_id, ours.customer_id);
    }
    assert_eq!(theirs.len(), ours.len());
    let truth: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(truth["tenant"], "acme");
    assert_eq!(truth["industry"], "e-commerce");
    assert_eq!(truth["churn"]["family"], "mbg_nbd");
    for parameter in ["r", "alpha", "a", "b"] {
        assert!(truth["churn"]["parameters"][parameter].as_f64() > Some(0.0));
    }
    assert!(truth["spending"]["q"].as_f64() > Some(1.0));
    let actions: BTreeMap<String, Value> =
        serde_json::from_value(truth["responses"].clone()).unwrap();
    assert!(actions.len() >= 3, "{actions:?}");
}

#[test]
fn invalid_arguments_are_rejected() {
    let folder = TempDir::new().unwrap();
    let dates = ["--from", "2025-02-01", "--to", "2025-01-01"];
    for (industry, reason) in [("saas", "is before"), ("shops", "expected one of")] {
        let arguments = [&["generate", "--industry", industry], &dates[..]].concat();
        let output = tidemark(folder.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains(reason), "{complaint}");
        assert!(output.stdout.is_empty());
    }
}
