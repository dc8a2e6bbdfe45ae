//! Determinism, validity, and customers that follow the definitions.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_projections::state::{CustomerState, Folded};
use tidemark_schemas::event::PayloadKind;
use tidemark_schemas::{CustomerEvent, Instant, Payload, TenantId};

use super::*;

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn scenario(seed: u64, customers: u32) -> Scenario<'static> {
    Scenario {
        industries: &Industry::ALL,
        seed,
        customers,
        begin: at("2025-11-01T00:00:00Z"),
        end: at("2026-05-01T12:00:00Z"),
    }
}

fn history(seed: u64, customers: u32) -> Vec<CustomerEvent> {
    let scenario = scenario(seed, customers);
    Simulation::new(&scenario).run_until(scenario.end)
}

/// Runs a scenario for an hour after its end, with a customer triggered every two seconds.
fn run_live(simulation: &mut Simulation, end: Instant) -> Vec<CustomerEvent> {
    (1..=1_800)
        .flat_map(|step| {
            let now = end.plus_micros(step * 2_000_000);
            simulation.trigger(now);
            simulation.run_until(now)
        })
        .collect()
}

fn definitions() -> Definitions {
    let files = Industry::ALL.map(|industry| {
        let (file, text) = industry.definitions();
        (file.to_owned(), text.to_owned())
    });
    let bundle = Bundle::from_files(&files, "test").unwrap();
    Definitions::default()
        .apply(0, at("2025-01-01T00:00:00Z"), &bundle.to_record())
        .unwrap()
}

#[test]
fn the_same_seed_gives_the_same_events() {
    assert_eq!(history(7, 20), history(7, 20));
    assert_ne!(history(7, 20), history(8, 20));
    let scenario = scenario(7, 20);
    let mut lives = [0, 1].map(|_| {
        let mut simulation = Simulation::new(&scenario);
        simulation.run_until(scenario.end);
        run_live(&mut simulation, scenario.end)
    });
    assert!(lives[0].len() > 1_000, "{}", lives[0].len());
    let second = lives[1].split_off(0);
    assert_eq!(lives[0], second);
}

/// A different number on some machine shows that its mathematics differ. After a change of behaviour,
/// the number is renewed.
#[test]
fn events_are_the_same_on_every_machine() {
    let lines: String = history(1, 10).iter().map(CustomerEvent::to_json).collect();
    assert_eq!(
        xxhash_rust::xxh3::xxh3_64(lines.as_bytes()),
        9_964_726_645_621_790_228
    );
}

#[test]
fn more_customers_change_nothing_about_the_others() {
    let few = history(7, 10);
    let known: BTreeSet<_> = few.iter().map(CustomerEvent::key).collect();
    let mut more = history(7, 30);
    more.retain(|event| known.contains(&event.key()));
    assert_eq!(few, more);
    assert_eq!(known.len(), 40);
}

#[test]
fn events_are_valid_ordered_and_returned_once() {
    let scenario = scenario(3, 60);
    let mut simulation = Simulation::new(&scenario);
    let mut events = simulation.run_until(scenario.end);
    let returned = events.len();
    events.extend(run_live(&mut simulation, scenario.end));
    let mut ids = BTreeSet::new();
    for event in &events {
        event.validate().unwrap();
        assert_eq!(CustomerEvent::from_json(&event.to_json()).unwrap(), *event);
        assert!(event.occurred_at >= scenario.begin);
        assert!(ids.insert(event.event_id), "{} twice", event.event_id);
    }
    assert!(events.is_sorted_by_key(|event| event.occurred_at));
    assert!(
        events[returned..]
            .iter()
            .all(|event| event.occurred_at > scenario.end)
    );
}

#[test]
fn every_kind_of_event_occurs_except_those_of_identity() {
    let kinds: BTreeSet<PayloadKind> = history(3, 120)
        .iter()
        .map(|event| event.payload.kind())
        .collect();
    let missing: Vec<_> = PayloadKind::ALL
        .iter()
        .filter(|kind| !kinds.contains(kind))
        .collect();
    assert_eq!(
        missing,
        [
            &PayloadKind::IdentityMerged,
            &PayloadKind::IdentityUnmerged,
            &PayloadKind::CustomerErased
        ]
    );
}

#[test]
fn entered_stages_are_those_of_the_definitions() {
    let definitions = definitions();
    let mut entered: BTreeMap<String, usize> = BTreeMap::new();
    for event in history(3, 120) {
        let Payload::StageEntered(entering) = &event.payload else {
            continue;
        };
        let tenant = definitions.tenant(&event.tenant_id).unwrap();
        let journey = tenant.journeys.get(&entering.journey).unwrap();
        assert!(journey.position(&entering.stage).is_some(), "{entering:?}");
        *entered
            .entry(format!("{}/{}", entering.journey, entering.stage))
            .or_default() += 1;
    }
    let stages: usize = Industry::ALL
        .iter()
        .flat_map(|industry| {
            let id = TenantId::new(industry.tenant()).unwrap();
            definitions.tenant(&id).unwrap().journeys.values()
        })
        .map(|journey| journey.stages.len())
        .sum();
    assert_eq!(
        entered.len(),
        stages,
        "a stage is never entered: {entered:?}"
    );
}

#[test]
fn no_event_is_too_late_to_be_folded() {
    let definitions = definitions();
    let mut states: BTreeMap<_, CustomerState> = BTreeMap::new();
    let scenario = scenario(3, 60);
    let mut simulation = Simulation::new(&scenario);
    let mut events = simulation.run_until(scenario.end);
    events.extend(run_live(&mut simulation, scenario.end));
    for event in events {
        let rules = &definitions.tenant(&event.tenant_id).unwrap().rules;
        let state = states.entry(event.key()).or_default();
        assert_eq!(state.fold(&event, rules), Ok(Folded::New), "{event:?}");
    }
}

mod recovery;
mod templates;
