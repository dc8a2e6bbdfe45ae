//! One encoding of each state, one state of each encoding, and no harm from any other bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_projections::state::{CustomerState, FOLD_VERSION};

use crate::support::{activity, after, event, events, fold, order, profile, rules, stage, string};

#[test]
fn a_customer_without_events_is_the_version_alone() {
    assert_eq!(CustomerState::default().encode(), [2]);
    assert_eq!(CustomerState::decode(&[2]), Ok(CustomerState::default()));
}

#[test]
fn another_fold_version_is_named() {
    let error = CustomerState::decode(&[9]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("not a customer state: fold version 9, expected {FOLD_VERSION}")
    );
    assert!(CustomerState::decode(&[]).is_err());
}

/// The bytes of fold version 2: stored by the million, so a change means a new version.
#[test]
fn the_bytes_stay_what_they_are() {
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
    let hex: Vec<String> = state
        .encode()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex.concat(),
        concat!(
            "02808099eac5fda60603",                 // version, first seen, last seen
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
    fn no_encoding_is_the_beginning_of_another(events in events(2, 12)) {
        let bytes = fold(&events).0.encode();
        // One byte, the version, is the customer without events.
        for end in 2..bytes.len() {
            prop_assert!(CustomerState::decode(&bytes[..end]).is_err());
        }
        prop_assert!(CustomerState::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_just_themselves(
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
    fn random_bytes_are_refused_or_mean_just_themselves(
        bytes in vec(prop_oneof![Just(0_u8), Just(1), 0_u8..20, any::<u8>()], 0..200),
    ) {
        let bytes = [&[2], &bytes[..]].concat();
        if let Ok(state) = CustomerState::decode(&bytes) {
            prop_assert_eq!(state.encode(), bytes);
        }
    }
}
