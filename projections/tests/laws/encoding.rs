//! One encoding of each state, one state of each encoding, and no harm from any other bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_projections::state::{CustomerState, FOLD_VERSION};

use tidemark_schemas::event::SubscriptionStatus;

use crate::support::{
    activity, after, answer, consent, currency, event, events, fold, offer, order, paid_touch,
    profile, rules, stage, string, subscription, ticket,
};

#[test]
fn a_customer_without_events_encodes_to_the_version_byte() {
    assert_eq!(CustomerState::default().encode(), [5]);
    assert_eq!(CustomerState::decode(&[5]), Ok(CustomerState::default()));
}

#[test]
fn another_fold_version_is_refused_by_name() {
    let error = CustomerState::decode(&[9]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("not a customer state: fold version 9, expected {FOLD_VERSION}")
    );
    assert!(CustomerState::decode(&[]).is_err());
}

fn hex(state: &CustomerState) -> String {
    let bytes = state.encode();
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// The bytes of fold version 3: stored by the million, so a change means a new version.
#[test]
fn encoded_states_equal_recorded_bytes() {
    let mut state = CustomerState::default();
    for (number, payload) in [
        order("o-1", 1_250),
        profile([("plan", string("pro"))]),
        stage("sales", "lead"),
        activity("page_viewed"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u32::try_from(number).unwrap();
        state
            .fold(
                &event(number.into(), after(number.into()), payload),
                &rules(),
            )
            .unwrap();
    }
    assert_eq!(
        hex(&state),
        concat!(
            "05808099eac5fda60603",                 // version, first seen, last seen
            "010300000000000000000000000000000003", // a recent activity
            "00",                                   // nothing remembered for life
            "010100000000000000000000000000000001", // an event that set attributes
            "0104706c616e0100050370726f",           // plan = pro, by that event
            "01455552",                             // EUR
            "01036f2d310000000000000000000000000000000000", // o-1, at the beginning, by event 0
            "00c41300",                             // on UTC's day, 12.50 EUR
            "00",                                   // no refunds
            "010573616c6573",                       // sales
            "010200000000000000000000000000000002046c656164", // lead
            "010b706167655f766965776564",           // page_viewed
            "010300",     // once, three microseconds after the first event
            "01f6c00201", // on one day, once
            "0100",       // at that instant
            "00",         // no conversations
        )
    );
}

/// A bit of the version says that records follow.
#[test]
fn encoded_records_equal_recorded_bytes() {
    let mut state = CustomerState::default();
    for (number, payload) in [
        subscription(
            "s-1",
            SubscriptionStatus::Active,
            "pro",
            900,
            currency("EUR"),
        ),
        subscription(
            "s-1",
            SubscriptionStatus::Cancelled,
            "pro",
            0,
            currency("EUR"),
        ),
        ticket("t-1", "open", "high"),
        paid_touch("spring", "post", 70),
        offer("x-1", "call"),
        answer("x-1", true),
        consent("email", true),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u32::try_from(number).unwrap();
        let event = event(number.into(), after(number.into()), payload);
        state.fold(&event, &rules()).unwrap();
    }
    assert_eq!(
        hex(&state),
        concat!(
            "85808099eac5fda60606", // version with records, first seen, last seen
            "010300000000000000000000000000000003", // a recent touch
            "000000000000000000",   // nothing else that is not a record
            "0103732d31",           // s-1
            "0100000000000000000000000000000001", // its newest version is of event 1
            "040370726f00455552",   // cancelled, pro, 0.00 EUR
            "00",                   // never a trial
            "010000",               // active at the beginning, and only then
            "0000",                 // neither past due nor paused
            "0101",                 // cancelled from one microsecond later to the newest version
            "0103742d31",           // t-1
            "020000000000000000000000000000000002", // first heard of in event 2
            "046f70656e0468696768", // open, high
            "0106737072696e6704706f7374", // spring, by post
            "010300",               // once, three microseconds after the first event
            "01f6c00201",           // on one day, once
            "0100",                 // at that instant
            "01f6c0024555528c01",   // on that day 0.70 EUR
            "0103782d31",           // x-1
            "05",                   // offered and accepted
            "04000000000000000000000000000000040463616c6c", // a call, by event 4
            "0500000000000000000000000000000005", // answered by event 5
            "0105656d61696c",       // e-mail
            "060000000000000000000000000000000601", // given by event 6
        )
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn decoding_inverts_encoding(events in events(6, 40)) {
        let (state, _) = fold(&events);
        let loaded = CustomerState::decode(&state.encode()).unwrap();
        prop_assert_eq!(&loaded, &state);
        prop_assert_eq!(loaded.encode(), state.encode());
        prop_assert!(loaded.memory_bytes() <= state.memory_bytes(), "loading allocates no more");
        prop_assert!(loaded.memory_bytes() >= state.encode().len() / 2);
    }

    #[test]
    fn no_encoding_is_a_prefix_of_another(events in events(2, 12)) {
        let bytes = fold(&events).0.encode();
        // One byte, the version, is the customer without events.
        for end in 2..bytes.len() {
            prop_assert!(CustomerState::decode(&bytes[..end]).is_err());
        }
        prop_assert!(CustomerState::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn damaged_bytes_are_refused_or_encode_to_themselves(
        events in events(2, 12),
        edits in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut bytes = fold(&events).0.encode();
        for (place, byte, kind) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ if bytes.len() > 1 => {
                    bytes.remove(place);
                }
                _ => {}
            }
        }
        if let Ok(state) = CustomerState::decode(&bytes) {
            prop_assert_eq!(state.encode(), bytes);
        }
    }

    #[test]
    fn random_bytes_are_refused_or_encode_to_themselves(
        version in prop::sample::select(vec![5_u8, 0x85]),
        bytes in vec(prop_oneof![Just(0_u8), Just(1), 0_u8..20, any::<u8>()], 0..200),
    ) {
        let bytes = [&[version], &bytes[..]].concat();
        if let Ok(state) = CustomerState::decode(&bytes) {
            prop_assert_eq!(state.encode(), bytes);
        }
    }
}
