//! Sums of activities and conversations, compared with a naive count over the sorted list of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use tidemark_projections::state::conversations::Tally;
use tidemark_projections::state::{CustomerState, activity};
use tidemark_schemas::event::Direction;
use tidemark_schemas::{CustomerEvent, Double, Instant, Payload};

use crate::support::{DAY, HORIZON, events, fold, rules};

const HOUR: i64 = DAY / 24;

/// The sentiments of the support's events.
const THOUSANDTHS: [(f64, i64); 4] = [(-1.0, -1_000), (-0.333_5, -334), (0.0, 0), (0.333_4, 333)];

/// The high-volume events that count: one for each id and instant.
fn distinct(events: &[CustomerEvent]) -> Vec<&CustomerEvent> {
    let counted = |event: &&CustomerEvent| {
        matches!(
            event.payload,
            Payload::ActivityTracked(_)
                | Payload::MessageExchanged(_)
                | Payload::ConversationClosed(_)
        )
    };
    let mut seen = BTreeSet::new();
    events
        .iter()
        .filter(counted)
        .filter(|event| seen.insert((event.occurred_at, event.event_id)))
        .collect()
}

/// Days since 1970 by the clock on the wall; the support's zone never skips a midnight.
fn day(zone: &TimeZone, at: Instant) -> i32 {
    let date = zone.to_datetime(at.to_jiff()).date();
    let days = date
        .duration_since(jiff::civil::date(1970, 1, 1))
        .as_hours()
        / 24;
    i32::try_from(days).unwrap()
}

fn check_activity(state: &CustomerState, events: &[&CustomerEvent]) {
    let mut instants: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
    for event in events {
        if let Payload::ActivityTracked(tracked) = &event.payload {
            let at = event.occurred_at;
            instants.entry(&tracked.name).or_default().push(at);
        }
    }
    let names: Vec<&str> = state.activity.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, instants.keys().copied().collect::<Vec<_>>());
    let newest = state.last_seen_at();
    for (name, mut instants) in instants {
        instants.sort();
        let counter = state.activity.get(name).unwrap();
        assert_eq!(counter.count, instants.len() as u64);
        assert_eq!(Some(&counter.first), instants.first());
        assert_eq!(Some(&counter.last), instants.last());
        let exact_from = newest.unwrap().plus_micros(-activity::EXACT_HOURS * HOUR);
        let recent = instants.iter().copied().filter(|at| *at >= exact_from);
        assert_eq!(
            counter.recent().collect::<Vec<_>>(),
            recent.collect::<Vec<_>>()
        );
        let mut days: BTreeMap<i32, u32> = BTreeMap::new();
        for at in instants {
            *days.entry(day(&rules().zone, at)).or_default() += 1;
        }
        let held: BTreeMap<i32, u32> = counter.days().map(|of| (of.day, of.events)).collect();
        assert_eq!(held, days, "the events lie within the longest window");
    }
}

fn check_conversations(state: &CustomerState, events: &[&CustomerEvent]) {
    let mut expected = Tally::default();
    let mut responses = 0;
    for event in events {
        match &event.payload {
            Payload::MessageExchanged(message) => {
                match message.direction {
                    Direction::Inbound => expected.inbound += 1,
                    Direction::Outbound => expected.outbound += 1,
                }
                expected.rated += 1;
                expected.sentiment_thousandths += THOUSANDTHS
                    .iter()
                    .find(|(sentiment, _)| Double::new(*sentiment) == message.sentiment)
                    .map(|(_, thousandths)| thousandths)
                    .unwrap();
                responses += u64::from(message.response_ms.is_some());
                if let Some(intent) = &message.intent {
                    *expected.intents.entry(Arc::clone(intent)).or_default() += 1;
                }
            }
            Payload::ConversationClosed(closed) => {
                *expected.outcomes.entry(closed.outcome).or_default() += 1;
            }
            _ => {}
        }
    }
    let mut total = state.conversations.total();
    assert_eq!(total.response_ms.count(), responses);
    total.response_ms = expected.response_ms.clone();
    assert_eq!(total, expected);
    for (line, days) in state.conversations.iter() {
        let closed = line.channel.is_none();
        for tally in days.values() {
            assert_eq!(closed, tally.rated == 0, "a closing event names no channel");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn counts_are_those_of_the_folded_events(events in events(6, 60)) {
        let (state, accepted) = fold(&events);
        let counted = distinct(&accepted);
        check_activity(&state, &counted);
        check_conversations(&state, &counted);
    }
}

#[test]
fn the_events_of_the_property_lie_within_the_longest_window() {
    assert!(6 * HORIZON < i64::from(activity::DAYS_KEPT) * DAY);
}
