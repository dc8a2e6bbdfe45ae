//! Fits by maximum likelihood: published values, and parameters found again.

use tidemark_projections::models::{
    ChurnModel, Family, Fit, ForecastError, ForecastSum, Parameters, RenewalModel, Renewals,
    SpendingModel, Thresholds, discounted_value, fit_purchases, fit_renewals, fit_spending,
};

use crate::cdnow::{Customer, customers};

/// Compares to four significant digits.
#[track_caller]
fn assert_digits(found: f64, expected: f64) {
    let unit = 10_f64.powf(expected.abs().log10().floor() - 3.0);
    assert!(
        (found - expected).abs() <= unit / 2.0,
        "{found} is not {expected} to four digits"
    );
}

fn fitted(family: Family, customers: &[Customer]) -> Fit<Parameters> {
    fit_purchases(family, customers.iter().map(|of| of.history)).unwrap()
}

fn model(family: Family, parameters: Parameters) -> ChurnModel {
    ChurnModel {
        parameters,
        ..ChurnModel::shipped(family, Thresholds::default())
    }
}

#[test]
fn churn_fits_reproduce_published_parameters() {
    let customers = customers();
    for (family, expected, log_likelihood) in [
        (
            Family::BgNbd,
            [0.24259, 4.41360, 0.79292, 2.42591],
            -9_582.429_2,
        ),
        (
            Family::MbgNbd,
            [0.52484, 6.18309, 0.89136, 1.61400],
            -9_582.135_7,
        ),
    ] {
        let fit = fitted(family, &customers);
        let Parameters { r, alpha, a, b } = fit.parameters;
        for (found, expected) in [r, alpha, a, b].into_iter().zip(expected) {
            assert_digits(found, expected);
        }
        assert!(!fit.at_edge);
        let sum: f64 = customers
            .iter()
            .map(|of| model(family, fit.parameters).log_likelihood(of.history))
            .sum();
        for found in [fit.log_likelihood, sum] {
            assert!((found - log_likelihood).abs() <= 0.001, "{found}");
        }
    }
}

#[test]
fn expected_purchases_of_a_new_customer_equal_the_published_value() {
    let customers = customers();
    let fit = fitted(Family::BgNbd, &customers);
    let model = model(Family::BgNbd, fit.parameters);
    let in_39_weeks: f64 = customers
        .iter()
        .map(|of| model.expected_purchases(of.history, 39 * 7))
        .sum();
    assert!((in_39_weeks - 1_653.4).abs() <= 0.05, "{in_39_weeks}");
}

#[test]
fn the_spending_fit_reproduces_published_parameters() {
    let customers = customers();
    let seen: Vec<(f64, f64)> = customers
        .iter()
        .map(|of| (f64::from(of.history.repeat_days), of.mean))
        .filter(|(x, m)| *x > 0.0 && *m > 0.0)
        .collect();
    assert_eq!(seen.len(), 946);
    let fit = fit_spending(&seen).unwrap();
    let SpendingModel { p, q, v } = fit.parameters;
    for (found, expected) in [p, q, v].into_iter().zip([6.2496, 3.7442, 15.4435]) {
        assert_digits(found, expected);
    }
    assert!(
        (fit.log_likelihood + 4_055.918).abs() <= 0.001,
        "{}",
        fit.log_likelihood
    );
    let published = [
        24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17,
    ];
    for (of, expected) in customers.iter().zip(published) {
        let x = f64::from(of.history.repeat_days);
        let found = fit.parameters.expected_mean(x, of.mean);
        assert!(
            (found - expected).abs() <= 0.006,
            "{found} is not {expected}: {of:?}"
        );
    }
}

#[test]
fn the_fitted_q_exceeds_one() {
    // Means over ten orders of magnitude: the likelihood would like no mean at all.
    let seen: Vec<(f64, f64)> = (0..200)
        .map(|n| (1.0, 10_f64.powf(f64::from(n) / 20.0)))
        .collect();
    let fit = fit_spending(&seen).unwrap();
    assert!(fit.parameters.q > 1.0, "{fit:?}");
    assert!(fit.parameters.expected_mean(0.0, 0.0).is_finite());
    assert!(fit_spending(&[]).is_none());
}

#[test]
fn the_renewal_fit_reproduces_published_parameters() {
    let survivors = [1_000_u64, 869, 743, 653, 593, 551, 517, 491];
    let seen: Vec<Renewals> = survivors
        .windows(2)
        .zip(1..)
        .map(|(pair, period)| Renewals {
            period,
            cancelled: pair[0] - pair[1],
            still_subscribed: if period == 7 { pair[1] } else { 0 },
        })
        .collect();
    let fit = fit_renewals(&seen).unwrap();
    let RenewalModel { alpha, beta } = fit.parameters;
    assert_digits(alpha, 0.66809);
    assert_digits(beta, 3.80610);
    assert!((fit.log_likelihood + 1_611.158).abs() <= 0.001);
    assert!((fit.parameters.survival(12) - 0.3780).abs() <= 5e-5);
    // The longer a subscriber has stayed, the more likely it stays.
    let risks: Vec<f64> = (0..20)
        .map(|renewed| fit.parameters.risk(renewed))
        .collect();
    assert!(risks.is_sorted_by(|earlier, later| earlier > later));
    // Surviving is not cancelling, again and again.
    let product: f64 = risks.iter().take(12).map(|risk| 1.0 - risk).product();
    assert!((product - fit.parameters.survival(12)).abs() <= 1e-12);
}

#[test]
fn value_is_the_discounted_expected_spending() {
    let customers = customers();
    let model = model(
        Family::MbgNbd,
        fitted(Family::MbgNbd, &customers).parameters,
    );
    let history = customers[0].history;
    let value = |days, discount| discounted_value(&model, history, 30.0, days, discount);
    let undiscounted = 30.0 * model.expected_purchases(history, 365);
    assert!((value(365, 0.0) - undiscounted).abs() <= 1e-9 * undiscounted);
    assert!(value(365, 0.1) < undiscounted && value(365, 0.1) > undiscounted / 1.1);
    assert!(value(30, 0.1) < value(90, 0.1) && value(90, 0.1) < value(365, 0.1));
    assert!(value(0, 0.1).abs() < f64::MIN_POSITIVE);
    assert!(value(u32::MAX, 0.1).is_finite());
}

#[test]
fn the_forecast_interval_contains_the_outcome() {
    let customers = customers();
    let model = model(Family::BgNbd, fitted(Family::BgNbd, &customers).parameters);
    let pairs: Vec<(f64, f64)> = customers
        .iter()
        .map(|of| {
            (
                model.expected_purchases(of.history, 39 * 7),
                of.days_after as f64,
            )
        })
        .collect();
    let error = ForecastError::from_pairs(&pairs).unwrap();
    assert!(
        (error.relative - (1_882.0 - 1_653.4) / 1_653.4).abs() <= 1e-3,
        "{error:?}"
    );
    let mut sum = ForecastSum::default();
    for (expected, _) in &pairs {
        sum.add(*expected, 2.0, error);
    }
    let forecast = sum.forecast(error);
    assert!((forecast.expected - 2.0 * 1_653.4).abs() <= 0.1);
    assert!(
        (forecast.low..forecast.high).contains(&(2.0 * 1_882.0)),
        "{forecast:?}"
    );
    assert!(
        forecast.high - forecast.low < forecast.expected,
        "says nothing: {forecast:?}"
    );
    assert!(ForecastError::from_pairs(&[]).is_none());
}
