//! The laws of evaluated states: nothing depends on how often one looks, and storage changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::evaluated::{Delta, EvaluatedState};
use tidemark_projections::outputs::derive;
use tidemark_schemas::{CustomerEvent, Instant};

use super::evaluated::{REST, at, event, fold, order, plan, stage, tenant};

fn histories() -> impl Strategy<Value = Vec<CustomerEvent>> {
    let payloads = prop_oneof![
        (0..6).prop_map(|id| order(&format!("o{id}"))),
        prop::sample::select(vec!["pro", "free"]).prop_map(plan),
        prop::sample::select(vec!["lead", "customer", "other"]).prop_map(stage),
    ];
    let micros = 0..90 * 86_400_000_000_i64;
    prop::collection::vec((micros, payloads), 1..15).prop_map(|mut events| {
        events.sort_by_key(|(offset, _)| *offset);
        let start = at("2024-02-01T00:00:00Z");
        let ids = 1_u128..;
        events
            .into_iter()
            .zip(ids)
            .map(|((offset, payload), id)| event(id, start.plus_micros(offset), payload))
            .collect()
    })
}

proptest! {
    #[test]
    fn evaluation_frequency_does_not_affect_the_result(
        events in histories(),
        mut clocks in prop::collection::vec(0..200 * 86_400_000_000_i64, 0..20),
    ) {
        let definitions = tenant(0, REST);
        clocks.sort_unstable();
        let start = at("2024-02-01T00:00:00Z");
        let end = start.plus_micros(200 * 86_400_000_000);
        let mut clocks: Vec<Instant> =
            clocks.into_iter().map(|offset| start.plus_micros(offset)).collect();
        clocks.push(end);
        let (state, often, changes_often) = fold(&definitions, &events, &clocks);
        let (_, once, changes_once) = fold(&definitions, &events, &[end]);
        prop_assert_eq!(&often, &once);
        prop_assert_eq!(&changes_often, &changes_once);

        // What stands is what is derived, and changes lead there.
        let outputs = derive(&state, &definitions, end);
        let members: Vec<_> = often.segments.keys().cloned().collect();
        let derived: Vec<_> = outputs.segments.iter().cloned().collect();
        prop_assert_eq!(members, derived);
        prop_assert_eq!(often.band, outputs.churn.band);
        for change in &changes_often {
            prop_assert!(change.from != change.to);
        }
        for (name, since) in &often.segments {
            let entered = changes_often.iter().rfind(|change| change.name == *name);
            prop_assert_eq!(entered.map(|change| change.effective_at), Some(*since));
        }
        // Ids are made of the content: no two say the same.
        let mut contents: Vec<String> =
            changes_often.iter().map(|change| format!("{change:?}")).collect();
        contents.sort_unstable();
        contents.dedup();
        prop_assert_eq!(contents.len(), changes_often.len());
    }

    #[test]
    fn evaluated_state_round_trips(events in histories()) {
        let definitions = tenant(7, REST);
        let end = at("2024-09-01T00:00:00Z");
        let (state, evaluated, _) = fold(&definitions, &events, &[]);
        let bytes = evaluated.encode();
        let mut read = EvaluatedState::decode(&bytes).unwrap();
        prop_assert_eq!(&read, &evaluated);
        prop_assert_eq!(read.encode(), bytes);
        let mut kept = evaluated.clone();
        let (mut from_read, mut from_kept) = (Vec::new(), Vec::new());
        prop_assert_eq!(read.next_due(&state, &definitions), kept.next_due(&state, &definitions));
        read.step_to(&state, &definitions, end, &mut from_read);
        kept.step_to(&state, &definitions, end, &mut from_kept);
        prop_assert_eq!(from_read, from_kept);
    }

    #[test]
    fn decoded_evaluated_states_encode_to_the_same_bytes(
        events in histories(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let definitions = tenant(7, REST);
        let (_, evaluated, _) = fold(&definitions, &events, &[]);
        let mut bytes = evaluated.encode();
        for (index, value) in damage {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(read) = EvaluatedState::decode(bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        if let Ok(read) = EvaluatedState::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn deltas_transform_one_evaluated_state_into_the_other(events in histories(), split in 0..15_usize) {
        let definitions = tenant(7, REST);
        let split = split.min(events.len());
        let (_, before, _) = fold(&definitions, &events[..split], &[]);
        let (_, after, _) = fold(&definitions, &events, &[]);
        let delta = Delta::between(Some(&before), &after);
        let mut rows = before.segments.clone();
        rows.extend(delta.memberships.iter().cloned());
        rows.retain(|name, _| !delta.left.contains(name));
        prop_assert_eq!(&rows, &after.segments);
        let places = |evaluated: &EvaluatedState| {
            let paths = evaluated.paths.iter();
            let places = paths.map(|(journey, path)| {
                (Arc::clone(journey), (Arc::clone(path.stage()), path.since()))
            });
            places.collect::<BTreeMap<_, _>>()
        };
        let mut positions = places(&before);
        for (journey, stage, since) in &delta.positions {
            positions.insert(Arc::clone(journey), (Arc::clone(stage), *since));
        }
        positions.retain(|journey, _| !delta.positions_left.contains(journey));
        prop_assert_eq!(&positions, &places(&after));
        prop_assert_eq!(delta.is_empty(), before.segments == after.segments
            && places(&before) == places(&after) && delta.rollups.is_empty()
            && before.band == after.band);
        // Counts of all deltas add up to what a first one gives.
        let mut counts: BTreeMap<(CounterKind, String), i64> = BTreeMap::new();
        let first = Delta::between(None, &before);
        for (kind, name, count) in first.counters().into_iter().chain(delta.counters()) {
            *counts.entry((kind, name)).or_default() += count;
        }
        counts.retain(|_, count| *count != 0);
        let whole: BTreeMap<(CounterKind, String), i64> = Delta::between(None, &after)
            .counters()
            .into_iter()
            .map(|(kind, name, count)| ((kind, name), count))
            .collect();
        prop_assert_eq!(counts, whole);
    }
}
