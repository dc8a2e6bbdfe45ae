//! Given a log, when time passes or definitions change, then these changes and no others.

use super::rig::{Activations, Entry, Rig, define, offset};
use super::{AFTER, BEFORE, DAY, MINUTE, PLENTY, at, event, order, plan, stage};
use tidemark_projections::definitions::Definitions;
use tidemark_projections::evaluated::{EVALUATION_VERSION, EvaluatedState};
use tidemark_schemas::{CustomerEvent, Instant};

pub(super) fn entry(
    id: u128,
    customer: &str,
    occurred_at: &str,
    payload: tidemark_schemas::Payload,
) -> Entry {
    let occurred_at = at(occurred_at);
    Entry {
        appended_at: occurred_at,
        event: event(id, "acme", customer, occurred_at, payload),
    }
}

pub(super) fn before() -> Activations {
    Activations::from([(
        0,
        define(
            &Definitions::default(),
            0,
            at("2024-01-01T00:00:00Z"),
            BEFORE,
        ),
    )])
}

/// `customer name from>to when cause`, of all but bands, in order.
pub(super) fn changes(rig: &Rig<'_>) -> Vec<String> {
    let sets = rig.table.changes.iter();
    let changes = sets.flat_map(|set| set.changes.iter().map(|change| (&set.key, change)));
    let told = changes
        .filter(|(_, change)| change.kind.name() != "band")
        .map(|(key, change)| {
            let side =
                |side: &Option<std::sync::Arc<str>>| side.as_deref().unwrap_or("-").to_owned();
            let (customer, name) = (key.customer.as_str(), &change.name);
            let (from, to) = (side(&change.from), side(&change.to));
            let (when, cause) = (change.effective_at, change.cause.name());
            format!("{customer} {name} {from}>{to} {when} {cause}")
        });
    told.collect()
}

#[test]
fn what_time_changes_changes_at_its_due_time_and_before_later_events() {
    let log = [
        entry(1, "a", "2024-02-01T12:00:00Z", order(1)),
        entry(2, "a", "2024-02-20T12:00:00Z", order(2)),
    ];
    let definitions = before();
    let mut rig = Rig::new(&log, &definitions, PLENTY);
    rig.read_all(10);
    rig.idle_until(at("2024-03-15T00:00:00Z"));
    let midnights = [
        "a recent ->recent 2024-02-01T12:00:00Z event",
        "a recent recent>- 2024-02-08T05:00:00Z timer",
        "a recent ->recent 2024-02-20T12:00:00Z event",
        "a recent recent>- 2024-02-27T05:00:00Z timer",
    ];
    assert_eq!(changes(&rig), midnights);
    assert!(rig.table.memberships.is_empty());
}

#[test]
fn a_customer_due_twice_at_one_midnight_fires_twice() {
    // More customers due at once than a batch fires, than a window holds, and than memory keeps.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let mut log: Vec<Entry> = names
        .iter()
        .zip(1..)
        .map(|(name, id)| entry(id, name, "2024-02-01T12:00:00Z", order(1)))
        .collect();
    log.push(entry(99, "z", "2024-03-01T12:00:00Z", order(2)));
    let definitions = before();
    for memory in [0, PLENTY] {
        let mut rig = Rig::new(&log, &definitions, memory);
        rig.turn(names.len());
        rig.restart(true);
        rig.read_all(10);
        let left = changes(&rig)
            .into_iter()
            .filter(|change| change.contains("recent>-"));
        let expected =
            names.map(|name| format!("{name} recent recent>- 2024-02-08T05:00:00Z timer"));
        assert_eq!(left.collect::<Vec<_>>(), expected);
    }
}

/// Ten customers due at one midnight; after it an event of another customer, and one of the last.
fn log_across_a_midnight() -> Vec<Entry> {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let mut log: Vec<Entry> = names
        .iter()
        .zip(1..)
        .map(|(name, id)| entry(id, name, "2024-02-01T12:00:00Z", order(1)))
        .collect();
    log.push(entry(98, "z", "2024-02-08T06:00:00Z", order(2)));
    log.push(entry(99, "j", "2024-02-08T06:00:01Z", order(3)));
    log
}

#[test]
fn events_after_a_midnight_are_folded_before_the_timers_of_other_customers() {
    // Given ten timers that are due at one midnight, of which a batch fires two
    let log = log_across_a_midnight();
    let definitions = before();
    for memory in [0, PLENTY] {
        let mut rig = Rig::new(&log, &definitions, memory);
        rig.turn(10);
        rig.settle();

        // When the records after it are folded
        rig.turn(2);
        rig.settle();

        // Then theirs are the first changes, the one of the last customer after its own timer, and no
        // more is said to have fired than has
        let known = 10;
        let expected = [
            "a recent recent>- 2024-02-08T05:00:00Z timer",
            "b recent recent>- 2024-02-08T05:00:00Z timer",
            "j recent recent>- 2024-02-08T05:00:00Z timer",
            "j recent ->recent 2024-02-08T06:00:01Z event",
            "z recent ->recent 2024-02-08T06:00:00Z event",
        ];
        assert_eq!(changes(&rig).split_off(known), expected);
        let due = at("2024-02-08T05:00:00Z");
        assert_eq!(rig.table.clock, at("2024-02-08T06:00:01Z"));
        assert_eq!(rig.table.fired_to, due.plus_micros(-1));

        // And the process that follows fires the others at the same instant
        rig.restart(true);
        rig.read_all(10);
        let fired = changes(&rig).split_off(known + expected.len());
        let others = ["c", "d", "e", "f", "g", "h", "i"];
        let others = others.map(|name| format!("{name} recent recent>- {due} timer"));
        assert_eq!(fired, others);
        assert_eq!(rig.table.fired_to, rig.table.clock);
    }
}

#[test]
fn definitions_come_into_force_after_the_timers_due_before_them_whoever_fires_these() {
    // Given a midnight of which some timers have fired, and other definitions before the next record
    let log = log_across_a_midnight();
    let activated = at("2024-02-08T06:00:00Z");
    let mut definitions = before();
    definitions.insert(11, define(&definitions[&0], 1, activated, AFTER));
    for restarts in [false, true] {
        let mut rig = Rig::new(&log, &definitions, 0);
        rig.turn(10);
        rig.turn(1);
        if restarts {
            rig.restart(true);
        }

        // When they come into force
        rig.read_all(1);

        // Then every customer has left the segment at midnight, by the definitions before
        let left = changes(&rig).into_iter();
        let left = left.filter(|change| change.contains("recent recent>-"));
        let expected = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
            .map(|name| format!("{name} recent recent>- 2024-02-08T05:00:00Z timer"));
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, expected);
        assert_eq!(rig.table.activations.last(), Some(&(1, 11, activated)));
    }
}

#[test]
fn an_event_ahead_of_the_clock_finds_what_was_due_before_it_done() {
    let due = at("2024-02-04T12:00:00Z");
    let early = |minutes: i64, event: CustomerEvent| Entry {
        appended_at: due.plus_micros(minutes * MINUTE),
        event,
    };
    let ahead = event(2, "acme", "a", due.plus_micros(2 * MINUTE), stage("lead"));
    let log = [
        entry(1, "a", "2024-02-01T12:00:00Z", plan("pro")),
        early(-2, ahead),
    ];
    let definitions = before();
    let mut rig = Rig::new(&log, &definitions, PLENTY);
    rig.read_all(10);
    let expected = [
        "a settled ->settled 2024-02-04T12:00:00Z timer",
        "a sales ->lead 2024-02-04T12:02:00Z event",
    ];
    assert_eq!(changes(&rig), expected);
    assert_eq!(
        rig.table.clock,
        due.plus_micros(-2 * MINUTE),
        "the clock waits for the broker's"
    );
}

#[test]
fn new_definitions_reach_each_customer_once_touched_or_not() {
    let activated = "2024-02-05T00:00:00Z";
    let log = [
        entry(1, "a", "2024-02-01T12:00:00Z", order(1)),
        entry(2, "b", "2024-02-01T12:00:00Z", plan("pro")),
        entry(3, "c", "2024-02-02T12:00:00Z", plan("free")),
        entry(4, "d", activated, plan("pro")),
        entry(5, "b", "2024-02-05T00:00:01Z", plan("free")),
    ];
    let mut definitions = before();
    let after = define(&definitions[&0], 1, at(activated), AFTER);
    definitions.insert(4, after);
    let mut rig = Rig::new(&log, &definitions, 0);
    rig.turn(4);
    rig.settle();
    let known = changes(&rig).len();
    rig.turn(1);
    rig.restart(true);
    rig.read_all(1);
    rig.assert_timers_cover();
    let mut new: Vec<String> = changes(&rig).split_off(known);
    new.sort();
    let expected = [
        "a recent recent>- 2024-02-05T00:00:00Z definition",
        "a unsettled ->unsettled 2024-02-05T00:00:00Z definition",
        // b is pro for long enough until it is touched, and no segment is called settled any more.
        "b settled settled>- 2024-02-05T00:00:00Z definition",
        "b unsettled ->unsettled 2024-02-05T00:00:01Z event",
        "c unsettled ->unsettled 2024-02-05T00:00:00Z definition",
        "d unsettled ->unsettled 2024-02-05T00:00:00Z definition",
    ];
    assert_eq!(new, expected);
    assert_eq!(
        rig.table.activations,
        [(0, 0, Instant::MIN), (1, 4, at(activated))]
    );
    assert!(
        rig.table
            .reevaluations
            .values()
            .all(|tenant| tenant.done && tenant.evaluated == 4)
    );
    rig.idle_until(at(activated).plus_micros(2 * DAY));
    let last = changes(&rig).pop();
    assert_eq!(
        last.as_deref(),
        Some("d unsettled unsettled>- 2024-02-06T06:00:00Z timer")
    );
}

#[test]
fn reevaluation_leaves_each_customer_the_one_timer_of_its_next_due_time() {
    // Given customers whose next due times differ under each of three versions of the definitions
    let log: Vec<Entry> = ["a", "b", "c", "d", "e"]
        .iter()
        .zip(1..)
        .map(|(name, id)| entry(id, name, "2024-02-01T12:00:00Z", order(1)))
        .collect();
    let within = |days: u32| {
        format!(
            "tenant: {{ id: acme, zone: America/Havana, currency: EUR }}
segments: [{{ name: recent, when: {{ orders: {{ count: {{ gte: 1 }}, within: {days}d }} }} }}]"
        )
    };
    let mut newest = Definitions::default();
    let mut definitions = Activations::new();
    for (version, days) in [(0, 7), (1, 13), (2, 19)] {
        newest = define(&newest, version, at("2024-02-01T12:00:00Z"), &within(days));
        definitions.insert(offset(log.len()) + version - 2, newest.clone());
    }
    for memory in [0, PLENTY] {
        // When they are re-evaluated under each, in memory or read from the table
        let mut rig = Rig::new(&log, &definitions, memory);
        rig.read_all(1);
        rig.settle();

        // Then none has a timer left of before, which would load it for nothing
        let due: Vec<_> = rig.table.timers.values().copied().collect();
        let last = at("2024-02-20T05:00:00Z");
        assert_eq!(due, [last; 5], "with {memory} bytes");
    }
}

/// Leaves the rows as an older evaluation version would, which never found anyone in `recent`.
fn evaluate_as_before(rig: &mut Rig<'_>) {
    rig.table.evaluation = EVALUATION_VERSION - 1;
    rig.table.memberships.clear();
    for row in rig.table.customers.values_mut() {
        let mut evaluated = EvaluatedState::decode(&row.evaluated).expect("as written");
        evaluated.evaluation_version = EVALUATION_VERSION - 1;
        evaluated.segments.clear();
        row.evaluated = evaluated.encode();
    }
}

#[test]
fn a_new_evaluation_version_keeps_the_time_of_what_was_due_before_it() {
    // Given a midnight of which some timers have fired by an older version, at another time
    let log = log_across_a_midnight();
    let definitions = before();
    let mut rig = Rig::new(&log, &definitions, PLENTY);
    rig.turn(10);
    rig.turn(1);
    rig.settle();
    rig.table.evaluation = EVALUATION_VERSION - 1;
    for row in rig.table.customers.values_mut() {
        let mut evaluated = EvaluatedState::decode(&row.evaluated).expect("as written");
        evaluated.evaluation_version = EVALUATION_VERSION - 1;
        row.evaluated = evaluated.encode();
    }
    let known = changes(&rig).len();

    // When the partition is claimed by this version
    rig.restart(true);
    rig.read_all(10);

    // Then the others leave the segment at midnight, which came after what the older version has seen
    let others = ["c", "d", "e", "f", "g", "h", "i", "j"];
    let left = others.map(|name| format!("{name} recent recent>- 2024-02-08T05:00:00Z timer"));
    let mut found: Vec<_> = changes(&rig).split_off(known);
    found.retain(|change| change.contains("recent>-"));
    found.sort();
    assert_eq!(found, left);
    let from = rig.table.reevaluations.values().map(|one| one.activated_at);
    let midnight = at("2024-02-08T05:00:00Z");
    assert_eq!(from.collect::<Vec<_>>(), [midnight.plus_micros(-1)]);
    rig.assert_timers_cover();
}

#[test]
fn a_new_evaluation_version_reevaluates_every_customer_once() {
    // Given two customers evaluated by an older version
    let log = [
        entry(1, "a", "2024-02-01T12:00:00Z", order(1)),
        entry(2, "b", "2024-02-02T12:00:00Z", order(1)),
    ];
    let definitions = before();
    let mut rig = Rig::new(&log, &definitions, PLENTY);
    rig.read_all(10);
    rig.settle();
    evaluate_as_before(&mut rig);
    let (known, clock) = (changes(&rig).len(), rig.table.clock);
    // When the partition is claimed by this version, and again by the next owner
    for _ in 0..2 {
        rig.restart(true);
        rig.read_all(10);
        rig.settle();
    }
    // Then each is re-evaluated at the clock of the first claim, and no other change is noted
    let expected = ["a", "b"].map(|name| format!("{name} recent ->recent {clock} evaluation"));
    assert_eq!(changes(&rig).split_off(known), expected);
    assert_eq!(rig.table.evaluation, EVALUATION_VERSION);
    let reevaluations: Vec<_> = rig.table.reevaluations.values().collect();
    assert!(
        matches!(&reevaluations[..], [one] if one.done && one.evaluated == 2),
        "{reevaluations:?}"
    );
    assert_eq!(
        rig.table.activations.len(),
        1,
        "no definitions came into force"
    );
    rig.assert_timers_cover();
}
