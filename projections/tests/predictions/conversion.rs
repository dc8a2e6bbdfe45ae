//! Conversion: probabilities that add up, and hazards found again.

use proptest::prelude::*;
use tidemark_projections::models::{ConversionModel, Stay};

fn stages() -> Vec<String> {
    ["lead", "trial", "customer"].map(str::to_owned).into()
}

fn stay(stage: usize, days: u32, to: Option<usize>) -> Stay {
    Stay { stage, days, to }
}

/// A model with a daily hazard of one in ten in the first stage (nine of ten moves to trial, one to
/// customer) and of one in twenty on trial.
fn geometric() -> ConversionModel {
    let mut stays = Vec::new();
    let mut of = |stage, size: u64, one_in: u64, straight: bool| {
        let mut left = size;
        for day in 0..400 {
            let moving = left / one_in;
            for n in 0..moving {
                let to = if straight && n % 10 == 9 {
                    2
                } else {
                    stage + 1
                };
                stays.push(stay(stage, day, Some(to)));
            }
            left -= moving;
        }
    };
    of(0, 20_000, 10, true);
    of(1, 20_000, 20, false);
    ConversionModel::fit(stages(), &stays)
}

#[test]
fn constant_hazards_are_recovered() {
    let model = geometric();
    for dwell in [0, 2, 10] {
        let found = model.predict(0, dwell, 30);
        let leaves = 1.0 - 0.9_f64.powi(30);
        assert!((found.next[1] - 0.9 * leaves).abs() < 0.01, "{found:?}");
        assert!((found.next[2] - 0.1 * leaves).abs() < 0.01, "{found:?}");
        assert!(found.next[0].abs() < f64::EPSILON);
    }
    let trial = model.predict(1, 5, 30);
    assert!(
        (trial.last - (1.0 - 0.95_f64.powi(30))).abs() < 0.01,
        "{trial:?}"
    );
    // Straight, or by way of the trial: summed over the days by hand.
    let mut expected = 0.0;
    for day in 0..30 {
        let leaves = 0.9_f64.powi(day) * 0.1;
        expected += leaves * (0.1 + 0.9 * (1.0 - 0.95_f64.powi(29 - day)));
    }
    let lead = model.predict(0, 0, 30);
    assert!(
        (lead.last - expected).abs() < 0.01,
        "{} is not {expected}",
        lead.last
    );
    // The last stage has no next stage.
    assert!((model.predict(2, 40, 30).last - 1.0).abs() < f64::EPSILON);
}

#[test]
fn hazards_depend_on_dwell_time() {
    // Customers that do not move within a week rarely move later.
    let mut stays = vec![stay(0, 3, Some(1)); 500];
    stays.extend(vec![stay(0, 300, None); 500]);
    let model = ConversionModel::fit(stages(), &stays);
    let (fresh, stale) = (model.predict(0, 0, 30), model.predict(0, 60, 30));
    assert!(
        fresh.next[1] > 0.4 && stale.next[1] < 0.1,
        "{fresh:?} {stale:?}"
    );
}

#[test]
fn sparse_bins_shrink_toward_the_stage_mean() {
    // One move in 100 days of exposure, none of them after day 30.
    let stays = [
        stay(0, 9, Some(1)),
        stay(0, 29, None),
        stay(0, 29, None),
        stay(0, 32, None),
    ];
    let model = ConversionModel::fit(stages(), &stays);
    let found = model.predict(0, 200, 1).next[1];
    assert!((found - 0.01).abs() < 0.001, "{found}");
}

#[test]
fn a_stage_without_moves_has_no_predictions() {
    let model = ConversionModel::fit(stages(), &[stay(0, 50, None)]);
    let found = model.predict(0, 3, 90);
    assert!(found.last.abs() < f64::EPSILON && found.next.iter().all(|p| p.abs() < f64::EPSILON));
}

fn stays() -> impl Strategy<Value = Vec<Stay>> {
    let one = (0..4_usize, 0..500_u32, prop::option::of(0..4_usize));
    prop::collection::vec(
        one.prop_map(|(stage, days, to)| stay(stage, days, to)),
        0..80,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn predictions_are_probabilities_that_grow_with_the_horizon(
        stays in stays(), stage in 0..3_usize, dwell in 0..700_u32, horizon in 0..100_u32
    ) {
        let model = ConversionModel::fit(stages(), &stays);
        let (near, far) = (model.predict(stage, dwell, horizon), model.predict(stage, dwell, horizon + 20));
        for found in [&near, &far] {
            prop_assert!(found.next.iter().sum::<f64>() <= 1.0 + 1e-9);
            prop_assert!((0.0..=1.0).contains(&found.last));
            // Straight to the last stage is one way of reaching it.
            prop_assert!(found.last >= found.next[2] - 1e-9);
        }
        prop_assert!(far.last >= near.last - 1e-9);
        for (near, far) in near.next.iter().zip(&far.next) {
            prop_assert!(far >= near);
        }
    }
}
