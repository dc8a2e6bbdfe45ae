//! Expected purchases and likelihoods: published values, sixty digits, and sanity for any input.

use proptest::prelude::*;
use tidemark_projections::models::{ChurnModel, Family, Parameters, PurchaseHistory, Thresholds};

/// Written by `scripts/expected-purchases`.
const REFERENCE: &str = include_str!("expected_purchases.csv");

fn model(family: Family, [r, alpha, a, b]: [f64; 4]) -> ChurnModel {
    ChurnModel {
        parameters: Parameters { r, alpha, a, b },
        ..ChurnModel::shipped(family, Thresholds::default())
    }
}

/// x = 2, `t_x` = 30.43 weeks, T = 38.86 weeks, of the paper.
const PAPER: PurchaseHistory = PurchaseHistory {
    repeat_days: 2,
    last: 213,
    age: 272,
};

#[test]
fn expected_purchases_equal_reference_values() {
    let mut rows = 0;
    let mut worst: f64 = 0.0;
    for line in REFERENCE.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields[index].parse::<f64>().unwrap();
        let model = model(
            Family::named(fields[0]).unwrap(),
            [number(1), number(2), number(3), number(4)],
        );
        let age = fields[6].parse().unwrap();
        // Bought just now, so that P(alive) can be divided by.
        let history = PurchaseHistory {
            repeat_days: fields[5].parse().unwrap(),
            last: age,
            age,
        };
        let days = fields[7].parse().unwrap();
        let alive = model.expected_purchases(history, days) / model.p_alive(history);
        let error = (alive / number(8) - 1.0).abs();
        assert!(error <= 1e-10, "{alive}, off by {error:e}: {line}");
        worst = worst.max(error);
        rows += 1;
    }
    assert!(rows > 150, "{rows}");
    assert!(worst > 0.0, "compared with itself");
}

#[test]
fn expected_purchases_equal_the_published_example() {
    let model = model(Family::BgNbd, [0.24259, 4.41360, 0.79292, 2.42591]);
    let expected = model.expected_purchases(PAPER, 39 * 7);
    assert!((expected - 1.22591).abs() <= 2e-4, "{expected}");
}

fn parameters() -> impl Strategy<Value = [f64; 4]> {
    let positive = || prop_oneof![-2.0..2.0, -6.0..6.0].prop_map(|power: f64| 10_f64.powf(power));
    let near_one = prop_oneof![Just(1.0), 1.0 - 1e-9..1.0 + 1e-9, 0.9..1.1];
    let a = prop_oneof![3 => positive(), 1 => near_one];
    // a + b = 1 is where the published form has a pole.
    (positive(), positive(), a, positive(), 0..4).prop_map(|(r, alpha, a, b, pole)| {
        let b = if pole == 0 && a < 1.0 { 1.0 - a } else { b };
        [r, alpha, a, b]
    })
}

fn histories() -> impl Strategy<Value = PurchaseHistory> {
    let repeat = prop_oneof![3 => 0..10_u32, 2 => 0..5_000_u32, 1 => any::<u32>()];
    (repeat, 0..20_000_i64, 0..20_000_i64).prop_map(|(repeat_days, last, silence)| {
        PurchaseHistory {
            repeat_days,
            last: if repeat_days == 0 { 0 } else { last },
            age: last + silence,
        }
    })
}

fn families() -> impl Strategy<Value = Family> {
    prop::sample::select(Family::ALL.to_vec())
}

proptest! {
    #[test]
    fn expected_purchases_are_finite_and_nonnegative(
        family in families(), parameters in parameters(), history in histories(), days: u32
    ) {
        let model = model(family, parameters);
        let expected = model.expected_purchases(history, days);
        prop_assert!(expected.is_finite() && expected >= 0.0, "{expected}");
        // The bound is a customer that never leaves.
        let [r, alpha, _, _] = parameters;
        let rate = (r + f64::from(history.repeat_days)) / (alpha + history.age as f64 / 7.0);
        prop_assert!(expected <= rate * f64::from(days) / 7.0 * (1.0 + 1e-12));
    }

    #[test]
    fn expected_purchases_grow_with_the_horizon(
        family in families(), parameters in parameters(), history in histories(),
        days in 1..3_000_u32, more in 1..3_000_u32
    ) {
        let model = model(family, parameters);
        let (near, far) =
            (model.expected_purchases(history, days), model.expected_purchases(history, days + more));
        prop_assert!(far >= near * (1.0 - 1e-9), "{near} then {far}");
    }

    #[test]
    fn extreme_histories_have_finite_expectations(
        family in families(), repeat_days: u32, last: i64, age: i64, days: u32
    ) {
        let model = ChurnModel::shipped(family, Thresholds::default());
        let expected = model.expected_purchases(PurchaseHistory { repeat_days, last, age }, days);
        prop_assert!(expected.is_finite() && expected >= 0.0, "{expected}");
    }

    #[test]
    fn likelihoods_are_finite(
        family in families(), parameters in parameters(), history in histories()
    ) {
        let likelihood = model(family, parameters).log_likelihood(history);
        prop_assert!(likelihood.is_finite(), "{likelihood}");
    }
}
