//! The bound of a customer, and how the log is cut into batches.

use tidemark_schemas::event::ProfileUpdated;

use super::*;
use crate::parking::Reason;

/// Lets each event write an attribute of six thousand bytes: three of them reach 16 KiB.
fn large(log: Vec<Entry>) -> Vec<Entry> {
    let written = log.into_iter().map(|mut entry| {
        let text = format!("{:06000}", entry.event.event_id.0.as_u128());
        let value = AttributeValue::String(text.into());
        let attributes = BTreeMap::from([("note".into(), value)]);
        entry.event.payload = Payload::ProfileUpdated(ProfileUpdated { attributes });
        entry
    });
    written.collect()
}

fn bounded() -> Definitions {
    let bounded = BEFORE.replacen("EUR", "EUR, max_customer_kib: 16", 1);
    let acme = define(&Definitions::default(), 0, start(), &bounded);
    define(&acme, 1, start(), OTHER)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_batches_any_memory_any_crashes_park_the_same_events_of_customers_at_their_bound(
        log in logs().prop_map(large),
        steps in steps(),
        memory in prop::sample::select(vec![0, 40_000, PLENTY]),
    ) {
        let activations = Activations::from([(0, bounded())]);
        let mut one_by_one = Rig::new(&log, &activations, PLENTY);
        one_by_one.read_all(1);
        let mut any = run(&log, &activations, (memory, usize::MAX), &steps);
        for rig in [&mut one_by_one, &mut any] {
            rig.idle_until(end_of(&log));
            rig.assert_timers_cover();
            rig.assert_counters_add_up();
        }
        let (expected, found) = (&one_by_one.table, &any.table);
        prop_assert_eq!(&found.customers, &expected.customers);
        prop_assert_eq!(&found.parked, &expected.parked);
        prop_assert_eq!(&found.digests, &expected.digests);
        prop_assert_eq!(any.histories(), one_by_one.histories());
    }
}

#[test]
fn events_of_a_customer_at_its_bound_are_parked_with_their_reason() {
    let events = (1..8_u128).map(|id| Entry {
        appended_at: start(),
        event: event(id, "acme", "a", start(), order(0)),
    });
    let log = large(events.collect());
    let activations = Activations::from([(0, bounded())]);
    let mut rig = Rig::new(&log, &activations, PLENTY);
    rig.read_all(10);
    let parked: Vec<_> = rig.table.parked.iter().collect();
    let offsets: Vec<i64> = parked.iter().map(|(offset, _)| **offset).collect();
    assert_eq!(offsets, [3, 4, 5, 6]);
    assert!(
        parked
            .iter()
            .all(|(_, row)| row.reason == Reason::CustomerTooLarge)
    );
    let detail =
        "bytes of state, and the bound is 16384 (`max_customer_kib` of the tenant sets it)";
    assert!(
        parked[0].1.detail.ends_with(detail),
        "{}",
        parked[0].1.detail
    );
}
