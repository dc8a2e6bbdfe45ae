//! Standings: which changes are noted when.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::counter::CounterKind;
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::evaluated::{Change, Delta, EvaluatedState};
use tidemark_projections::models::Band;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::{OrderPlaced, ProfileUpdated, StageEntered};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId,
};

pub(crate) const REST: &str = "
segments:
  - name: recent
    when: { orders: { count: { gte: 1 }, within: 7d } }
  - name: regular
    when: { orders: { count: { gte: 2 }, within: 10d } }
  - name: settled
    when: { attribute: { name: plan, eq: pro, has_been_for: 3d } }
  - name: gone
    when: { all: [{ churn: { band: high } }, { not: { segment: recent } }] }
  - name: stuck
    when: { stage: { journey: sales, is: lead, in_for: 48h } }
journeys:
  - name: sales
    stages: [lead, customer]
";

pub(crate) fn tenant(version: i64, rest: &str) -> Arc<TenantDefinitions> {
    let text = format!("tenant: {{ id: t, zone: America/Havana, currency: EUR }}\n{rest}");
    let bundle = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap();
    let appended_at = at("2024-01-01T00:00:00Z").plus_micros(version);
    let all = Definitions::default()
        .apply(version, appended_at, &bundle.to_record())
        .unwrap();
    Arc::clone(all.tenants.values().next().unwrap())
}

pub(crate) fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

pub(crate) fn event(id: u128, occurred_at: Instant, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(uuid::Uuid::from_u128(id)),
        tenant_id: TenantId::new("t").unwrap(),
        customer_id: CustomerId::new("c").unwrap(),
        source: "test".into(),
        occurred_at,
        payload,
    }
}

pub(crate) fn order(id: &str) -> Payload {
    Payload::OrderPlaced(OrderPlaced {
        order_id: id.into(),
        amount_minor: 100,
        currency: Currency::new("EUR").unwrap(),
        items: None,
        channel: None,
    })
}

pub(crate) fn plan(value: &str) -> Payload {
    let value = AttributeValue::String(value.into());
    let attributes = BTreeMap::from([(Arc::from("plan"), value)]);
    Payload::ProfileUpdated(ProfileUpdated { attributes })
}

pub(crate) fn stage(name: &str) -> Payload {
    Payload::StageEntered(StageEntered {
        journey: "sales".into(),
        stage: name.into(),
    })
}

/// Folds events as a processor does, stepping to its clock between them.
pub(crate) fn fold(
    definitions: &TenantDefinitions,
    events: &[CustomerEvent],
    clocks: &[Instant],
) -> (CustomerState, EvaluatedState, Vec<Change>) {
    let mut state = CustomerState::default();
    let mut evaluated = EvaluatedState::new(definitions.version);
    let mut changes = Vec::new();
    let mut clocks = clocks.iter().peekable();
    for event in events {
        while let Some(clock) = clocks.next_if(|clock| **clock < event.occurred_at) {
            evaluated.step_to(&state, definitions, *clock, &mut changes);
        }
        evaluated.step_to(&state, definitions, event.occurred_at, &mut changes);
        state.fold(event, &definitions.rules).unwrap();
        evaluated.observe(&state, definitions, event, &mut changes);
    }
    for clock in clocks {
        evaluated.step_to(&state, definitions, *clock, &mut changes);
    }
    (state, evaluated, changes)
}

/// `time kind name from → to cause`.
fn lines(changes: &[Change]) -> Vec<String> {
    let text = |value: &Option<Arc<str>>| value.as_deref().unwrap_or("-").to_owned();
    changes
        .iter()
        .map(|change| {
            let (from, to) = (text(&change.from), text(&change.to));
            let (kind, cause) = (change.kind.name(), change.cause.name());
            format!(
                "{} {kind} {} {from} → {to} {cause}",
                change.effective_at, change.name
            )
        })
        .collect()
}

#[test]
fn every_change_has_its_due_time_and_cause() {
    let definitions = tenant(4, REST);
    let events = [
        event(1, at("2024-03-01T12:00:00Z"), order("a")),
        event(2, at("2024-03-04T12:00:00Z"), order("b")),
        event(3, at("2024-03-04T12:00:00Z"), stage("lead")),
        event(4, at("2024-03-05T00:00:00Z"), stage("customer")),
    ];
    let (_, evaluated, changes) = fold(&definitions, &events, &[at("2024-06-01T00:00:00Z")]);
    // Havana's summer time began on March 10th, at midnight.
    assert_eq!(
        lines(&changes),
        [
            "2024-03-01T12:00:00Z segment recent - → recent event",
            "2024-03-01T12:00:00Z band churn - → low event",
            "2024-03-04T12:00:00Z segment regular - → regular event",
            "2024-03-04T12:00:00Z stage sales - → lead event",
            "2024-03-05T00:00:00Z stage sales lead → customer event",
            "2024-03-11T04:00:00Z segment recent recent → - timer",
            "2024-03-11T04:00:00Z segment regular regular → - timer",
            "2024-03-30T04:00:00Z band churn low → medium timer",
        ]
    );
    assert_eq!(evaluated.band, Some(Band::Medium));
    assert_eq!(evaluated.evaluated_at, at("2024-03-30T04:00:00Z"));
    assert!(changes.iter().all(|change| change.definition_version == 4));
    let path = &evaluated.paths[&Arc::from("sales")];
    assert_eq!(
        (&**path.stage(), path.since()),
        ("customer", at("2024-03-05T00:00:00Z"))
    );
}

#[test]
fn a_late_event_is_evaluated_at_the_current_time() {
    let definitions = tenant(4, REST);
    let events = [
        event(1, at("2024-03-05T00:00:00Z"), stage("customer")),
        event(2, at("2024-03-01T00:00:00Z"), stage("lead")),
        event(3, at("2024-03-02T00:00:00Z"), stage("customer")),
    ];
    let (_, evaluated, changes) = fold(&definitions, &events, &[]);
    assert_eq!(
        lines(&changes),
        ["2024-03-05T00:00:00Z stage sales - → customer event"]
    );
    // The stage is the same; since when is not.
    assert_eq!(
        evaluated.paths[&Arc::from("sales")].since(),
        at("2024-03-02T00:00:00Z")
    );
}

#[test]
fn changes_by_definitions_take_effect_at_the_append_time() {
    let old = tenant(4, REST);
    let events = [
        event(1, at("2024-03-01T12:00:00Z"), order("a")),
        event(2, at("2024-03-01T12:00:00Z"), stage("lead")),
    ];
    let (state, mut evaluated, _) = fold(&old, &events, &[]);
    let before = evaluated.clone();
    let new = tenant(
        9,
        "segments:\n  - { name: buyers, when: { orders: { count: { gte: 1 } } } }\n  - { name: \
         recent, when: { orders: { count: { gte: 1 }, within: 9d } } }\n",
    );
    let mut changes = Vec::new();
    evaluated.redefine(&state, &new, at("2024-03-02T00:00:00Z"), &mut changes);
    let stamp = "2024-01-01T00:00:00.000009Z";
    assert_eq!(
        lines(&changes),
        [
            format!("{stamp} segment buyers - → buyers definition"),
            format!("{stamp} stage sales lead → - definition"),
        ]
    );
    let since = at("2024-03-01T12:00:00Z");
    assert_eq!(evaluated.segments[&Arc::from("recent")], since);
    assert_eq!(evaluated.evaluated_at, at("2024-03-02T00:00:00Z"));
    assert_eq!(
        evaluated.next_due(&state, &new),
        Some(at("2024-03-10T05:00:00Z"))
    );

    let delta = Delta::between(Some(&before), &evaluated);
    let names = |names: &[Arc<str>]| {
        names
            .iter()
            .map(|name| &**name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let written: Vec<Arc<str>> = delta
        .memberships
        .iter()
        .map(|(name, _)| Arc::clone(name))
        .collect();
    assert_eq!(names(&written), "buyers");
    assert_eq!(names(&delta.entered), "buyers");
    assert_eq!(names(&delta.left), "");
    assert_eq!(names(&delta.positions_left), "sales");
    assert_eq!(
        delta.counters(),
        [
            (CounterKind::Segment, "buyers".to_owned(), 1),
            (CounterKind::Stage, "sales/lead".to_owned(), -1)
        ]
    );
}

#[test]
fn segments_no_longer_defined_are_left() {
    let old = tenant(4, REST);
    let events = [
        event(1, at("2024-03-01T12:00:00Z"), order("a")),
        event(2, at("2024-03-01T12:00:00Z"), stage("lead")),
    ];
    let (state, mut evaluated, _) = fold(&old, &events, &[]);
    let mut changes = Vec::new();
    evaluated.redefine(
        &state,
        &tenant(12, ""),
        at("2024-03-02T00:00:00Z"),
        &mut changes,
    );
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|change| change.to.is_none()));
    assert!(evaluated.segments.is_empty() && evaluated.paths.is_empty());
}
