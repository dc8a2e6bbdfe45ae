//! Sequences, habits, time in a segment, buckets and lists, by example: to the very instant.

use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::outputs::derive;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::{ActivityTracked, AttributeMap};
use tidemark_schemas::{
    AttributeValue, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId,
};

use crate::definitions::{TENANT, errors};
use crate::support::{SETTINGS, at, tenant_with};

fn activity(number: u128, when: &str, name: &str) -> CustomerEvent {
    let properties = AttributeMap::from([("n".into(), AttributeValue::Long(1))]);
    let activity = ActivityTracked {
        name: name.into(),
        properties,
    };
    CustomerEvent {
        event_id: EventId(uuid::Uuid::from_u128(number)),
        tenant_id: TenantId::new("t").unwrap(),
        customer_id: CustomerId::new("c").unwrap(),
        source: "test".into(),
        occurred_at: at(when),
        payload: Payload::ActivityTracked(activity),
    }
}

/// Folds the activities in this order, everything counted from the beginning of time.
fn state_of(definitions: &TenantDefinitions, activities: &[(&str, &str)]) -> CustomerState {
    let mut state = CustomerState::default();
    for (number, (when, name)) in (1..).zip(activities) {
        let event = activity(number, when, name);
        state.fold(&event, &definitions.rules).unwrap();
        let asking = definitions.tracking(&event);
        let asking = asking.map(|(leaf, asked)| (leaf, asked, Instant::MIN));
        state.track(&event, &definitions.rules, asking);
    }
    state
}

/// The instants at which the membership is another than just before, from the newest event on; and
/// whether the customer is a member at the first.
#[track_caller]
fn check(condition: &str, activities: &[(&str, &str)], first: bool, changes: &[&str]) {
    let segments = format!("segments: [ {{ name: s, when: {condition} }} ]");
    let definitions = tenant_with(SETTINGS, &segments);
    let state = state_of(&definitions, activities);
    let newest = state.last_seen_at().unwrap();
    let mut evaluated = EvaluatedState::new(definitions.version);
    let mut noted = Vec::new();
    evaluated.redefine(&state, &definitions, newest, &mut noted);
    assert_eq!(!noted.is_empty(), first, "{condition}");
    noted.clear();
    evaluated.step_to(&state, &definitions, Instant::MAX, &mut noted);
    let noted: Vec<Instant> = noted.iter().map(|change| change.effective_at).collect();
    let changes: Vec<Instant> = changes.iter().map(|change| at(change)).collect();
    assert_eq!(noted, changes, "{condition}");
}

#[test]
fn a_sequence_must_be_shorter_than_its_bound() {
    let condition = "{ sequence: { steps: [a, b], in: 1h } }";
    let a = ("2025-03-01T10:00:00Z", "a");
    check(
        condition,
        &[a, ("2025-03-01T10:59:59.999999Z", "b")],
        true,
        &[],
    );
    check(condition, &[a, ("2025-03-01T11:00:00Z", "b")], false, &[]);
    check(condition, &[a, ("2025-03-01T10:00:00Z", "b")], false, &[]);
    check(condition, &[("2025-03-01T10:59:00Z", "b"), a], true, &[]);
    check(condition, &[("2025-03-01T09:59:00Z", "b"), a], false, &[]);
}

#[test]
fn a_sequence_bound_in_days_covers_whole_days() {
    let condition = "{ sequence: { steps: [a, x, b], in: 2d } }";
    // Midnight in Berlin after clocks went forward.
    let begin = [("2025-03-29T22:59:00Z", "a"), ("2025-03-30T01:00:00Z", "x")];
    let ending = |at| [begin[0], begin[1], (at, "b")];
    check(condition, &ending("2025-03-30T21:59:59Z"), true, &[]);
    check(condition, &ending("2025-03-30T22:00:00Z"), false, &[]);
}

#[test]
fn a_completed_sequence_holds_within_its_window() {
    let steps = [
        ("2025-03-01T10:00:00Z", "a"),
        ("2025-03-01T10:10:00Z", "b"),
        ("2025-03-01T10:20:00Z", "b"),
        ("2025-03-01T12:00:00Z", "b"),
    ];
    let for_hours = "{ sequence: { steps: [a, b], in: 30m, within: 72h } }";
    check(for_hours, &steps, true, &["2025-03-04T10:20:00Z"]);
    let for_days = "{ sequence: { steps: [a, b], in: 30m, within: 30d } }";
    check(for_days, &steps, true, &["2025-03-30T22:00:00Z"]);
}

#[test]
fn one_activity_counts_for_one_step() {
    let condition = "{ sequence: { steps: [a, a, a], in: 1h } }";
    let twice = [("2025-03-01T10:00:00Z", "a"), ("2025-03-01T10:10:00Z", "a")];
    check(condition, &twice, false, &[]);
    let thrice = [twice[0], twice[1], ("2025-03-01T10:20:00Z", "a")];
    check(condition, &thrice, true, &[]);
}

#[test]
fn a_long_sequence_spans_the_dedup_horizon() {
    let condition =
        "{ sequence: { steps: [a, b, { name: c, where: { name: n, eq: 1 } }], in: 365d } }";
    let steps = [
        ("2024-04-01T10:00:00Z", "a"),
        ("2024-09-01T10:00:00Z", "b"),
        ("2025-01-05T10:00:00Z", "b"),
        ("2025-03-31T10:00:00Z", "c"),
    ];
    check(condition, &steps, true, &[]);
    let earlier = [("2024-03-31T21:59:00Z", "a"), steps[1], steps[2], steps[3]];
    check(condition, &earlier, false, &[]);
}

#[test]
fn periods_begin_on_monday_and_on_the_first() {
    let visits = [
        ("2025-03-10T10:00:00Z", "a"), // a Monday
        ("2025-03-20T10:00:00Z", "a"),
        ("2025-03-23T10:00:00Z", "a"), // of the same week
        ("2025-03-24T10:00:00Z", "a"),
    ];
    let weeks = "{ regularly: { name: a, at_least: 3, of: 4, period: week } }";
    check(weeks, &visits, true, &["2025-04-06T22:00:00Z"]);
    let weeks = "{ regularly: { name: a, at_least: 4, of: 4, period: week } }";
    check(weeks, &visits, false, &[]);
    let months = "{ regularly: { name: a, at_least: 1, of: 2, period: month } }";
    check(months, &visits, true, &["2025-04-30T22:00:00Z"]);
    let days = "{ regularly: { name: a, at_least: 2, of: 3, period: day } }";
    check(days, &visits, true, &["2025-03-25T23:00:00Z"]);
}

#[test]
fn stopped_holds_once_the_window_has_passed() {
    let visits = [("2025-03-10T10:00:00Z", "a"), ("2025-03-20T10:00:00Z", "a")];
    let stopped = "{ stopped: { name: a, within: 30d } }";
    check(stopped, &visits, false, &["2025-04-18T22:00:00Z"]);
    let often = "{ stopped: { name: a, count: { gte: 3 }, within: 30d } }";
    check(often, &visits, false, &[]);
    check(stopped, &[("2025-03-10T10:00:00Z", "b")], false, &[]);
}

#[test]
fn restarted_requires_a_pause() {
    let condition = "{ restarted: { name: a, after: 30d, within: 7d } }";
    let again = |at| [("2025-03-10T10:00:00Z", "a"), (at, "a")];
    check(condition, &again("2025-04-08T21:59:00Z"), false, &[]);
    check(
        condition,
        &again("2025-04-08T22:00:00Z"),
        true,
        &["2025-04-15T22:00:00Z"],
    );
    let kept_up = [again("2025-04-10T10:00:00Z"), again("2025-04-12T10:00:00Z")].concat();
    check(
        condition,
        &[kept_up[0], kept_up[1], kept_up[3]],
        true,
        &["2025-04-16T22:00:00Z"],
    );
    // A time beyond the day buckets that are kept.
    check(
        condition,
        &again("2029-04-10T10:00:00Z"),
        true,
        &["2029-04-16T22:00:00Z"],
    );
    check(condition, &again("2025-03-10T11:00:00Z"), false, &[]);
}

#[test]
fn member_for_holds_once_the_duration_has_passed() {
    let segments = "segments:\n  - name: late\n    when: { member_for: { segment: recent, for: 36h } }\n  \
                    - name: never\n    when: { member_for: { segment: recent, for: 2d } }\n  \
                    - name: recent\n    when: { event: { name: a, within: 2d } }\n";
    let definitions = tenant_with(SETTINGS, segments);
    let mut evaluated = EvaluatedState::new(definitions.version);
    let mut changes = Vec::new();
    let state = state_of(&definitions, &[("2025-03-29T10:00:00Z", "a")]);
    let then = at("2025-03-29T10:00:00Z");
    let event = activity(1, "2025-03-29T10:00:00Z", "a");
    evaluated.observe(&state, &definitions, &event, &mut changes);
    evaluated.step_to(&state, &definitions, Instant::MAX, &mut changes);
    let noted: Vec<_> = changes
        .iter()
        .map(|change| (&*change.name, change.to.is_some(), change.effective_at))
        .collect();
    let left = at("2025-03-30T22:00:00Z");
    let entered = then.plus_micros(36 * 3_600_000_000);
    assert_eq!(
        entered, left,
        "leaving at that very instant prevents membership"
    );
    assert_eq!(noted, [("recent", true, then), ("recent", false, left)]);
}

#[test]
fn member_for_counts_from_the_last_entry() {
    let segments = "segments:\n  - name: recent\n    when: { event: { name: a, within: 48h } }\n  \
                    - name: long\n    when: { member_for: { segment: recent, for: 3d } }\n";
    let definitions = tenant_with(SETTINGS, segments);
    let visits = [
        ("2025-03-28T10:00:00Z", "a"),
        ("2025-03-29T20:00:00Z", "a"),
        ("2025-03-31T08:00:00Z", "a"),
    ];
    let mut evaluated = EvaluatedState::new(definitions.version);
    let mut changes = Vec::new();
    for count in 1..=visits.len() {
        let state = state_of(&definitions, &visits[..count]);
        let before = state_of(&definitions, &visits[..count - 1]);
        let (when, name) = visits[count - 1];
        evaluated.step_to(&before, &definitions, at(when), &mut changes);
        let event = activity(count as u128, when, name);
        evaluated.observe(&state, &definitions, &event, &mut changes);
    }
    let state = state_of(&definitions, &visits);
    // What was read back goes on as what was kept.
    let mut read = EvaluatedState::decode(&evaluated.encode()).unwrap();
    assert_eq!(
        read.next_due(&state, &definitions),
        evaluated.next_due(&state, &definitions)
    );
    let known = read.history(&definitions, at("2025-03-31T09:00:00Z"));
    let outputs = tidemark_projections::outputs::derive_knowing(
        known,
        &state,
        &definitions,
        at("2025-03-31T09:00:00Z"),
    );
    assert!(outputs.segments.contains("long"), "from 09:00 on");
    read.step_to(&state, &definitions, Instant::MAX, &mut changes);
    let noted: Vec<_> = changes
        .iter()
        .map(|change| {
            (
                &*change.name,
                change.to.is_some(),
                change.effective_at.to_string(),
            )
        })
        .collect();
    let expected = [
        ("recent", true, "2025-03-28T10:00:00Z"),
        // Three days later at the same time of day: an hour less.
        ("long", true, "2025-03-31T09:00:00Z"),
        ("long", false, "2025-04-02T08:00:00Z"),
        ("recent", false, "2025-04-02T08:00:00Z"),
    ];
    assert_eq!(
        noted,
        expected.map(|(name, to, at)| (name, to, at.to_owned()))
    );
}

#[test]
fn member_for_of_itself_is_a_cycle() {
    let segments = "segments: [ { name: s, when: { member_for: { segment: s, for: 30d } } } ]";
    let errors = errors(&format!("{TENANT}{segments}\n"));
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("in a cycle: s → s"), "{}", errors[0]);
}

#[test]
fn a_bucket_holds_its_share_of_customers() {
    let condition = |share: &str| format!("{{ bucket: {{ salt: spring, share: {share} }} }}");
    let segments = format!(
        "segments: [ {{ name: tenth, when: {} }}, {{ name: rest, when: {} }}, {{ name: listed, \
         when: {{ manual: [c-7, c-12] }} }} ]",
        condition("10"),
        condition("[10, 100]")
    );
    let definitions = tenant_with(SETTINGS, &segments);
    let (mut tenth, mut listed) = (0, 0);
    for number in 0..20_000 {
        let mut state = CustomerState::default();
        let mut event = activity(1, "2025-03-01T10:00:00Z", "a");
        event.customer_id = CustomerId::new(format!("c-{number}")).unwrap();
        state.fold(&event, &definitions.rules).unwrap();
        // As a processor does that finds it in its tables.
        let mut read = CustomerState::decode(&state.encode()).unwrap();
        read.belongs_to(&event.customer_id);
        let members = derive(&read, &definitions, event.occurred_at).segments;
        assert_eq!(
            members,
            derive(&state, &definitions, event.occurred_at).segments
        );
        assert_ne!(members.contains("tenth"), members.contains("rest"));
        tenth += u32::from(members.contains("tenth"));
        listed += u32::from(members.contains("listed"));
    }
    // Three standard deviations of a share of a tenth.
    assert!((1_873..=2_127).contains(&tenth), "{tenth} of 20,000");
    assert_eq!(listed, 2);
}
