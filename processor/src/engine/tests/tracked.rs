//! Tracked counters: their start, restarts of the owner, and their end.

use tidemark_projections::definitions::Definitions;

use super::history::{changes, entry};
use super::rig::{Activations, Entry, Rig, define};
use super::{PLENTY, activity, at, order};

const SETTINGS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }";
const KEEN: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: keen
    when: { event: { name: visit, where: { name: path, eq: pricing }, count: { gte: 2 }, within: 48h } }";

/// The definitions without the segment, then with it, then without and with it again, by offset.
fn activations(offsets: &[i64]) -> Activations {
    let mut definitions = Definitions::default();
    let mut activations = Activations::new();
    for (version, (offset, yaml)) in (0..).zip(offsets.iter().zip([SETTINGS, KEEN, SETTINGS, KEEN]))
    {
        definitions = define(&definitions, version, at("2024-01-01T00:00:00Z"), yaml);
        activations.insert(*offset, definitions.clone());
    }
    activations
}

fn visits(instants: &[&str]) -> Vec<Entry> {
    let visit = |(id, instant): (u128, &&str)| entry(id, "a", instant, activity("pricing"));
    (1..).zip(instants).map(visit).collect()
}

/// The changes after reading the log so many records at a time, with a restart after each turn.
fn read(log: &[Entry], definitions: &Activations, records: usize, memory: usize) -> Vec<String> {
    let mut rig = Rig::new(log, definitions, memory);
    while rig.turn(records) {
        rig.restart(true);
    }
    rig.idle_until(at("2024-03-15T00:00:00Z"));
    assert!(rig.table.memberships.is_empty());
    changes(&rig)
}

#[test]
fn events_before_tracking_began_are_not_counted() {
    // The definition comes into force at 10:00: exact from 10:05 on.
    let log = visits(&[
        "2024-02-01T10:00:00Z",
        "2024-02-01T10:04:59.999999Z",
        "2024-02-01T10:05:00Z",
        "2024-02-01T11:00:00Z",
    ]);
    for (records, memory) in [(1, 0), (1, PLENTY), (2, PLENTY), (9, 0)] {
        assert_eq!(
            read(&log, &activations(&[0, 1]), records, memory),
            [
                "a keen ->keen 2024-02-01T11:00:00Z event",
                "a keen keen>- 2024-02-03T10:05:00Z timer",
            ]
        );
    }
}

#[test]
fn other_properties_other_events_and_repetitions_do_not_count() {
    let mut log = visits(&["2024-02-01T10:00:00Z", "2024-02-01T12:00:00Z"]);
    log.push(entry(2, "a", "2024-02-01T12:00:00Z", activity("pricing")));
    log.push(entry(9, "a", "2024-02-01T12:30:00Z", activity("home")));
    log.push(entry(8, "a", "2024-02-01T12:40:00Z", order(1)));
    assert!(read(&log, &activations(&[0, 1]), 2, PLENTY).is_empty());
}

#[test]
fn a_removed_counter_restarts_from_zero() {
    let log = visits(&[
        "2024-02-01T10:00:00Z",
        "2024-02-01T12:00:00Z",
        // Not asked for from here on, and again from 15:05 on.
        "2024-02-01T14:00:00Z",
        "2024-02-01T15:00:00Z",
        "2024-02-01T16:00:00Z",
        "2024-02-01T17:00:00Z",
    ]);
    for records in [1, 9] {
        let told = read(&log, &activations(&[0, 1, 2, 4]), records, 0);
        assert_eq!(told[0], "a keen ->keen 2024-02-01T17:00:00Z event");
    }
}
