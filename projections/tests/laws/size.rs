//! The size of a state: a function of what it holds, and about the length of its bytes.

use proptest::prelude::*;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::SubscriptionStatus;

use crate::support::{
    DAY, activity, after, answer, consent, currency, event, events, fold, message, offer, order,
    profile, refund, rules, stage, string, subscription, ticket, touch,
};

proptest! {
    #[test]
    fn size_is_that_of_the_decoded_state_and_about_the_length_of_its_bytes(events in events(6, 60)) {
        let (state, _) = fold(&events);
        let bytes = state.encode();
        let decoded = CustomerState::decode(&bytes).unwrap();
        prop_assert_eq!(state.size_bytes(), decoded.size_bytes());
        // A frame of some 30 bytes has no price.
        prop_assert!(bytes.len() <= state.size_bytes() + 40);
    }
}

/// Many events of one kind cost what they take, and at most half as much again.
#[test]
fn size_is_close_to_the_length_of_the_bytes() {
    let kinds = [
        (|_| activity("login")) as fn(u128) -> _,
        |_| message("kim"),
        |_| touch("spring"),
        |number| activity(&format!("page-{number}")),
        |number| order(&format!("o-{number}"), 4_200),
        |number| ticket(&format!("t-{number}"), "open", "high"),
        |number| offer(&format!("offer-{number}"), "call"),
        |number| answer(&format!("offer-{number}"), true),
        |number| {
            let id = format!("subscription-{number}");
            subscription(&id, SubscriptionStatus::Active, "pro", 900, currency("EUR"))
        },
        |number| refund(&format!("o-{number}"), 4_200),
        |number| consent(&format!("purpose-{number}"), true),
        |number| stage("sales", ["lead", "customer"][usize::from(number % 2 == 0)]),
        |number| profile([("city", string(&format!("place {number}")))]),
    ];
    for (kind, payload) in kinds.into_iter().enumerate() {
        let mut state = CustomerState::default();
        for number in 0..5_000 {
            let at = after(i64::try_from(number).unwrap() * (DAY / 1_000));
            state
                .fold(&event(number, at, payload(number)), &rules())
                .unwrap();
        }
        let (size, bytes) = (state.size_bytes(), state.encode().len());
        assert!(
            size >= bytes - 40 && size <= bytes * 3 / 2,
            "kind {kind}: {size} of {bytes}"
        );
    }
}
