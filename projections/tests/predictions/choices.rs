//! The next best action, and to which campaign an order is owed.

use proptest::prelude::*;
use tidemark_projections::models::{Attribution, Candidate, Responses, best_action};

fn responses(offered: u64, accepted: u64) -> Responses {
    Responses { offered, accepted }
}

fn candidate(
    action: &str,
    value_minor: i64,
    everywhere: Responses,
    here: Responses,
) -> Candidate<'_> {
    Candidate {
        action,
        value_minor,
        everywhere,
        here,
    }
}

#[test]
fn acceptance_rates_shrink_toward_the_overall_rate() {
    let whole = responses(998, 99);
    assert!((whole.prior() - 0.1).abs() < 1e-12);
    // One offer, accepted: (1 + 10 · 0.1) / 11.
    assert!((responses(1, 1).rate(0.1) - 2.0 / 11.0).abs() < 1e-12);
    assert!((responses(100_000, 50_000).rate(0.1) - 0.5).abs() < 1e-3);
    assert!((responses(0, 0).rate(0.1) - 0.1).abs() < 1e-12);
    // More answers than offers, as events may say, are no more than all.
    assert!(responses(3, 9).rate(0.5) <= 1.0);
}

#[test]
fn the_best_action_has_the_greatest_expected_value() {
    let often = responses(1_000, 500);
    let rarely = responses(1_000, 10);
    let call = candidate("call", 9_000, rarely, responses(0, 0));
    let coupon = candidate("coupon", 1_000, often, responses(0, 0));
    let best = best_action([call, coupon]).unwrap();
    assert_eq!(best.action, "coupon");
    assert!((best.expected_minor - 500.0).abs() < 1.0, "{best:?}");
    // All customers of this segment accept the call.
    let call = candidate("call", 9_000, rarely, responses(200, 190));
    assert_eq!(best_action([call, coupon]).unwrap().action, "call");
    // Of equals the first by name, in whatever order they come.
    let twin = candidate("alike", 1_000, often, responses(0, 0));
    for both in [[twin, coupon], [coupon, twin]] {
        assert_eq!(best_action(both).unwrap().action, "alike");
    }
    assert_eq!(best_action([]), None);
    assert_eq!(best_action([candidate("free", 0, often, often)]), None);
}

#[test]
fn four_attribution_models_share_an_order() {
    let check = |attribution: Attribution, touches, expected: &[i64]| {
        assert_eq!(
            attribution.credit(10_000, touches),
            expected,
            "{attribution:?}"
        );
    };
    check(Attribution::First, 3, &[10_000, 0, 0]);
    check(Attribution::Last, 3, &[0, 0, 10_000]);
    check(Attribution::Linear, 3, &[3_334, 3_333, 3_333]);
    check(Attribution::PositionBased, 4, &[4_000, 1_000, 1_000, 4_000]);
    check(Attribution::PositionBased, 2, &[5_000, 5_000]);
    check(Attribution::PositionBased, 1, &[10_000]);
    check(Attribution::Linear, 0, &[]);
}

proptest! {
    #[test]
    fn credits_add_up_to_the_order(amount: i64, touches in 1..60_usize) {
        for attribution in Attribution::ALL {
            let credits = attribution.credit(amount, touches);
            prop_assert_eq!(credits.len(), touches);
            let sum: i128 = credits.iter().map(|credit| i128::from(*credit)).sum();
            prop_assert_eq!(sum, i128::from(amount));
            prop_assert!(credits.iter().all(|credit| credit.signum() * amount.signum() >= 0));
        }
    }
}
