//! Triggers fire once, with the change they wait for; actions have a condition of eligibility.

use tidemark_projections::definitions::Bundle;
use tidemark_projections::evaluated::{Cause, Change, ChangeKind, EvaluatedState};
use tidemark_schemas::EventId;

use super::evaluated::{REST, at, event, fold, order, stage, tenant};

const REACTIONS: &str = "
actions:
  - { name: discount, value: 25.5, eligible: { segment: recent }, description: Ten percent off }
  - { name: call, value: 120 }
triggers:
  - { name: welcome, on: { entered: recent }, action: call }
  - { name: miss, on: { left: recent }, action: discount }
  - { name: won, on: { stage: { journey: sales, is: customer } } }
  - { name: slipping, on: { band: [medium, high] }, action: discount }
  - { name: known, on: { entered: regular }, on_definition: true }
";

fn fired(changes: &[Change]) -> Vec<(&str, &str, Cause)> {
    let fired = changes.iter().filter(|of| of.kind == ChangeKind::Trigger);
    fired
        .map(|of| (&*of.name, of.to.as_deref().unwrap(), of.cause))
        .collect()
}

#[test]
fn a_trigger_fires_once_with_its_change() {
    let definitions = tenant(0, &format!("{REST}{REACTIONS}"));
    let events = [
        event(1, at("2024-03-01T10:00:00Z"), order("a")),
        event(2, at("2024-03-02T10:00:00Z"), stage("lead")),
        event(3, at("2024-03-02T11:00:00Z"), stage("customer")),
        event(4, at("2024-03-03T10:00:00Z"), order("b")),
    ];
    let end = at("2025-06-01T00:00:00Z");
    let (_, _, changes) = fold(&definitions, &events, &[end]);
    let by = |id: u128| Cause::Event(EventId(uuid::Uuid::from_u128(id)));
    assert_eq!(
        fired(&changes),
        [
            ("welcome", "call", by(1)),
            ("won", "won", by(3)),
            ("known", "known", by(4)),
            ("miss", "discount", Cause::Timer),
            // From low to medium; from medium to high nothing is entered.
            ("slipping", "discount", Cause::Timer),
        ]
    );
    // Each at the very instant of a change it waits for.
    for trigger in changes.iter().filter(|of| of.kind == ChangeKind::Trigger) {
        let beside = changes.iter().filter(|of| of.kind != ChangeKind::Trigger);
        let mut beside = beside.filter(|of| of.effective_at == trigger.effective_at);
        assert!(beside.any(|of| of.cause == trigger.cause), "{trigger:?}");
    }
    // However often one looks.
    let clocks: Vec<_> = (0..400)
        .map(|day| at("2024-03-03T12:00:00Z").plus_micros(day * 86_400_000_000))
        .collect();
    let (_, _, often) = fold(&definitions, &events, &[&clocks[..], &[end]].concat());
    assert_eq!(fired(&often), fired(&changes));
}

#[test]
fn definition_changes_fire_only_triggers_with_on_definition() {
    let before = tenant(0, "");
    let events = [
        event(1, at("2024-03-01T10:00:00Z"), order("a")),
        event(2, at("2024-03-03T10:00:00Z"), order("b")),
    ];
    let (state, mut evaluated, _) = fold(&before, &events, &[]);
    let after = tenant(1, &format!("{REST}{REACTIONS}"));
    let mut changes = Vec::new();
    evaluated.redefine(&state, &after, at("2024-03-03T12:00:00Z"), &mut changes);
    let entered = changes.iter().filter(|of| of.kind == ChangeKind::Segment);
    assert_eq!(entered.count(), 2, "recent and regular");
    assert_eq!(fired(&changes), [("known", "known", Cause::Definition)]);
    assert_eq!(
        EvaluatedState::decode(&evaluated.encode()).unwrap(),
        evaluated
    );
}

#[test]
fn shown_actions_and_triggers_define_the_same() {
    let definitions = tenant(0, &format!("{REST}{REACTIONS}"));
    let (discount, call) = (&definitions.actions[0], &definitions.actions[1]);
    assert_eq!((discount.value_minor, call.value_minor), (2_550, 12_000));
    assert!(discount.eligible.is_some() && call.eligible.is_none());
    for text in [definitions.source.to_yaml(), definitions.source.to_json()] {
        let bundle = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap();
        assert_eq!(bundle.tenants[0], definitions.source);
    }
}

#[test]
fn mistakes_are_reported_with_position_and_nearest_name() {
    let check = |line: &str, expected: &str| {
        let text = format!(
            "tenant: {{ id: t, zone: UTC, currency: EUR }}{REST}actions: [ {{ name: discount, value: 1 }} ]\n{line}\n"
        );
        let lines = text.lines().count();
        let errors = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap_err();
        assert_eq!(errors[0].line, lines, "{errors:?}");
        assert!(errors[0].message.contains(expected), "{errors:?}");
    };
    let trigger = |on: &str| format!("triggers: [{{ name: x, on: {on} }}]");
    check(&trigger("{ entered: recnt }"), "did you mean \"recent\"?");
    check(&trigger("{ entred: recent }"), "did you mean \"entered\"?");
    check(
        &trigger("{ entered: recent, left: recent }"),
        "expected one occasion",
    );
    check(
        &trigger("{ stage: { journey: sales, is: custmer } }"),
        "did you mean \"customer\"?",
    );
    check(&trigger("{ band: hihg }"), "did you mean \"high\"?");
    check(&trigger("{ rfm: 556 }"), "three digits from 1 to 5");
    check(
        &trigger("{ cluster: 0 }"),
        "the number of a cluster, from 1",
    );
    check(
        "triggers: [{ name: x, on: { left: recent }, action: discont }]",
        "did you mean \"discount\"?",
    );
    check(
        "triggers: [{ name: x, on: { left: recent } }, { name: x, on: { left: recent } }]",
        "stands twice",
    );
    check("triggers: [{ name: x }]", "lacks \"on\"");
    let action = |rest: &str| format!("triggers: []\nactions: [{{ name: y, {rest} }}]");
    let text = |rest: &str| {
        format!(
            "tenant: {{ id: t, zone: UTC, currency: EUR }}{REST}{}",
            action(rest)
        )
    };
    for (rest, expected) in [
        ("value: much", "not a"),
        ("description: z", "lacks \"value\""),
        (
            "value: 1, eligible: { segment: recnt }",
            "did you mean \"recent\"?",
        ),
        ("value: 1, eligable: {}", "did you mean \"eligible\"?"),
    ] {
        let errors = Bundle::from_files(&[("t.yaml".to_owned(), text(rest))], "test").unwrap_err();
        let found = errors.iter().any(|error| error.message.contains(expected));
        assert!(found, "{expected}: {errors:?}");
    }
}
