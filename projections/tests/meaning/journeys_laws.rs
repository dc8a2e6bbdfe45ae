//! The laws of what is counted: whatever comes late, again or under other definitions, the rollups
//! are those of the sorted list of entries.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidemark_projections::buckets::bucket_of;
use tidemark_projections::evaluated::Delta;
use tidemark_projections::rollups::{JourneyRollup, Rollup, RollupKind, Rollups};
use tidemark_schemas::{CustomerEvent, Instant};

use super::evaluated::{at, event, order, stage, tenant};
use super::journeys::{BY_CONDITION, Followed};
use super::touching::compare;

/// Havana, as `evaluated::tenant` has it, far from any change of its clocks.
const OFFSET: i64 = -5 * 3_600_000_000;
const DAY: i64 = 86_400_000_000;

const ALL: [&str; 3] = ["lead", "trial", "customer"];

fn entries() -> impl Strategy<Value = Vec<CustomerEvent>> {
    let stages = prop::sample::select(vec!["lead", "trial", "customer", "elsewhere"]);
    // Coarse, so that entries coincide.
    prop::collection::vec((0..600_i64, stages), 0..90).prop_map(|entries| {
        let start = at("2024-01-10T00:00:00Z");
        let events = entries.into_iter().zip(1_u128..);
        events
            .map(|((hour, name), id)| {
                event(id, start.plus_micros(hour * 3_600_000_000), stage(name))
            })
            .collect()
    })
}

fn journeys() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(ALL.to_vec(), 1..=3).prop_shuffle()
}

fn defined(stages: &[&str]) -> String {
    let stages = stages.join(", ");
    format!("journeys:\n  - name: sales\n    stages: [{stages}]\n")
}

/// The rollups of one customer, counted step by step from the sorted list: deliberately simple.
fn naive(events: &[CustomerEvent], stages: &[&str]) -> Rollups {
    let mut entries: Vec<(Instant, u128, String)> = events
        .iter()
        .filter_map(|event| {
            let json = serde_json::to_value(event).unwrap();
            let stage = json["payload"]["stage"].as_str()?.to_owned();
            stages
                .contains(&&*stage)
                .then(|| (event.occurred_at, event.event_id.0.as_u128(), stage))
        })
        .collect();
    entries.sort();
    let mut steps: Vec<(Instant, String)> = Vec::new();
    for (at, _, stage) in entries {
        if steps.last().is_none_or(|(_, before)| *before != stage) {
            steps.push((at, stage));
        }
    }
    let day = |at: Instant| i32::try_from((at.micros() + OFFSET).div_euclid(DAY)).unwrap();
    let mut rollups = Rollups::default();
    let mut add = |kind, day, item: &str, detail: &str| {
        let rollup = Rollup::new(RollupKind::Journey(kind), day).named(&"sales".into());
        rollups.add(rollup.by(&item.into(), &detail.into()), 1);
    };
    let newest = steps.len().saturating_sub(64);
    for (number, (at, stage)) in steps.iter().enumerate().skip(newest) {
        if number == 0 {
            add(JourneyRollup::Flow, day(*at), "", stage);
        } else if number > newest {
            let (left, from) = &steps[number - 1];
            add(JourneyRollup::Flow, day(*at), from, stage);
            let seconds = (at.micros() - left.micros()) / 1_000_000;
            let way = format!("{from}>{stage}");
            add(
                JourneyRollup::Stay,
                0,
                &way,
                &bucket_of(seconds).to_string(),
            );
        }
    }
    let place = |stage: &str| stages.iter().position(|other| *other == stage).unwrap();
    let names: BTreeSet<&String> = steps.iter().map(|(_, stage)| stage).collect();
    for name in names {
        let first = steps.iter().position(|(_, stage)| stage == name).unwrap();
        let after = steps[first..].iter().map(|(_, stage)| place(stage));
        let furthest = after.max().unwrap();
        let on = day(steps[first].0);
        add(JourneyRollup::Entered, on, name, "");
        if furthest > place(name) {
            add(JourneyRollup::Advanced, on, name, "");
        }
        if furthest > place(name) && furthest == stages.len() - 1 {
            add(JourneyRollup::Completed, on, name, "");
        }
    }
    rollups
}

proptest! {
    /// The events in any order, with definitions in between, committed in any steps.
    #[test]
    fn journey_rollups_equal_the_sorted_entries(
        shuffled in entries().prop_shuffle(),
        before in journeys(),
        after in journeys(),
        redefined in any::<prop::sample::Index>(),
    ) {
        let redefined = redefined.index(shuffled.len() + 1);
        let mut one = Followed::with(&defined(&before));
        for (number, event) in shuffled.iter().enumerate() {
            if number == redefined {
                prop_assert_eq!(&one.rollups, &naive(&shuffled[..number], &before));
                one.redefine(5, &defined(&after));
            }
            one.fold(event);
        }
        if redefined == shuffled.len() {
            one.redefine(5, &defined(&after));
        }
        let expected = naive(&shuffled, &after);
        prop_assert_eq!(&one.rollups, &expected);
        // They are a function of the current paths, without a memory of earlier counts.
        prop_assert_eq!(&Delta::between(None, &one.evaluated).rollups, &expected);
    }

    /// Conditions: what is known depends on when, but not on how often one looks or writes.
    #[test]
    fn evaluation_frequency_does_not_affect_conditional_stages(
        steps in prop::collection::vec((0..1_000_i64, prop::option::of(0..3_usize)), 0..30),
        looks in prop::collection::vec(0..1_500_i64, 0..20),
    ) {
        let start = at("2024-01-10T00:00:00Z");
        let hour = |hour: i64| start.plus_micros(hour * 3_600_000_000);
        let mut steps = steps;
        steps.sort_unstable();
        let events: Vec<_> = steps
            .iter()
            .zip(1_u128..)
            .map(|((at, what), id)| {
                let payload = what.map_or_else(|| order(&format!("o{id}")), |of| stage(ALL[of]));
                event(id, hour(*at), payload)
            })
            .collect();
        let end = hour(2_000);
        compare(&tenant(1, BY_CONDITION), &events, &[0, DAY, 9 * DAY]);
        let mut once = Followed::with(BY_CONDITION);
        let mut often = Followed::with(BY_CONDITION);
        let mut looks: BTreeSet<Instant> = looks.into_iter().map(hour).collect();
        for event in &events {
            once.fold(event);
            let later = looks.split_off(&event.occurred_at);
            for look in std::mem::replace(&mut looks, later) {
                often.step_to(look);
            }
            often.fold(event);
        }
        once.step_to(end);
        for look in looks {
            often.step_to(look);
        }
        often.step_to(end);
        prop_assert_eq!(&once.evaluated, &often.evaluated);
        prop_assert_eq!(&once.changes, &often.changes);
        prop_assert_eq!(&once.rollups, &often.rollups);
        prop_assert_eq!(&Delta::between(None, &once.evaluated).rollups, &once.rollups);
        // The rising edges of the conditions, found in the changes, and the events in between.
        let mut entered: Vec<(Instant, u8, u128, usize)> = Vec::new();
        for change in &once.changes {
            let to = change.to.as_deref().and_then(|to| to.strip_prefix("sales/"));
            let place = to.and_then(|to| ALL.iter().position(|stage| *stage == to));
            entered.extend(place.map(|place| (change.effective_at, 1, 0, place)));
        }
        for ((_, what), event) in steps.iter().zip(&events) {
            let id = event.event_id.0.as_u128();
            entered.extend(what.map(|place| (event.occurred_at, 0, id, place)));
        }
        entered.sort_unstable();
        let mut places: Vec<_> = entered.iter().map(|(at, _, _, place)| (*at, *place)).collect();
        places.dedup_by_key(|(_, place)| *place);
        let path: Vec<_> = once.evaluated.paths.get("sales").into_iter()
            .flat_map(|path| path.steps())
            .map(|step| (step.since, usize::from(step.place)))
            .collect();
        prop_assert_eq!(path, places);
    }
}
