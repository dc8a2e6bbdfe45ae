//! The value of customers that keep less or more of what they bought, and of a tenant that is not trained.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::explain::{eligible_actions, explain};
use tidemark_projections::models::{
    Candidate, ForecastError, ForecastSum, Responses, SpendingModel, TrainedModels,
    VALUE_NOT_SCORED, best_action,
};
use tidemark_projections::outputs::{derive, predict};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::OrderRefunded;
use tidemark_schemas::{Currency, Payload};

use crate::leaves::at;
use crate::shop::{Log, SHOP, TRAINED, fold, order};

const NOW: u32 = 250;

/// The shop with segments and actions for valuable customers.
const VALUE: &str = "
segments:
  - { name: loyal, when: { value: { purchases: { gte: 0.0001 } } } }
  - { name: valuable, when: { value: { amount: { gte: 12 } } } }
  - { name: best, when: { value: { percentile: { gte: 60 } } } }
  - { name: valuable_too, when: { any: [{ segment: valuable }, { segment: best }] } }
actions:
  - { name: a, value: 1 }
  - { name: b, value: 5, eligible: { value: { amount: { gte: 8 } } } }
  - { name: c, value: 9, eligible: { value: { amount: { gte: 20 } } } }
  - { name: d, value: 20, eligible: { value: { percentile: { gte: 80 } } } }";

fn shop(models: Option<TrainedModels>) -> Arc<TenantDefinitions> {
    let mut log = Log::defined_by(&format!("{SHOP}{VALUE}"));
    if let Some(models) = models {
        log.publish(models);
    }
    log.shop()
}

static SHOP_TRAINED: LazyLock<Arc<TenantDefinitions>> =
    LazyLock::new(|| shop(Some(TRAINED.models.clone())));

/// A customer with an order of some cents on each of these days, a part of which is refunded.
fn customer(shop: &TenantDefinitions, orders: &[(u32, i64, i64)]) -> CustomerState {
    let (mut state, mut events) = (CustomerState::default(), 0);
    for (number, (on, cents, refunded)) in (0..).zip(orders) {
        let day = jiff::civil::date(1997, 1, 1).saturating_add(jiff::Span::new().days(*on));
        let day = day.to_string();
        fold(&mut state, shop, &mut events, &day, order(number, *cents));
        if *refunded > 0 {
            let refund = OrderRefunded {
                order_id: number.to_string().as_str().into(),
                amount_minor: *refunded,
                currency: Currency::new("USD").unwrap(),
            };
            fold(
                &mut state,
                shop,
                &mut events,
                &day,
                Payload::OrderRefunded(refund),
            );
        }
    }
    state
}

/// Everything that must not fall when a customer keeps more, in one order of comparison.
fn measures(state: &CustomerState, shop: &TenantDefinitions) -> Vec<f64> {
    let now = at(NOW);
    let found = predict(state, shop, now);
    let value = found.value.unwrap().score;
    let mean = value.mean_purchase_minor.unwrap();
    let error = ForecastError {
        dispersion: 1.3,
        relative: 0.1,
    };
    let mut sum = ForecastSum::default();
    sum.add(3.0, 2_000.0, error);
    sum.add(value.horizons[2].expected_purchases, mean, error);
    let forecast = sum.forecast(error);
    let mut evaluated = EvaluatedState::new(shop.version);
    evaluated.redefine(state, shop, now, &mut Vec::new());
    let eligible = eligible_actions(state, &evaluated, shop, now);
    let candidates = eligible.iter().map(|(action, _)| Candidate {
        action: &action.name,
        value_minor: action.value_minor,
        everywhere: Responses::default(),
        here: Responses::default(),
    });
    let best = best_action(candidates).map_or(0.0, |best| best.expected_minor);
    let mut measures = vec![mean, forecast.expected, forecast.high, best];
    measures.extend(value.horizons.iter().map(|of| of.value_minor.unwrap()));
    measures.push(found.percentile.unwrap().score.percentile as f64);
    measures.push(f64::from(found.rfm.unwrap().score.monetary));
    measures.push(evaluated.discrete_scores.value_minor.unwrap() as f64);
    measures.push(derive(state, shop, now).segments.len() as f64);
    measures
}

#[test]
fn customer_that_keeps_nothing_is_not_worth_more_than_one_that_keeps_something() {
    let shop = &*SHOP_TRAINED;
    let days = [0, 30, 60];
    let refunded = customer(shop, &days.map(|day| (day, 5_000, 5_000)));
    let kept = customer(shop, &days.map(|day| (day, 1_000, 0)));
    let value = |state| {
        let horizons = predict(state, shop, at(61)).value.unwrap().score.horizons;
        horizons[2].value_minor.unwrap()
    };
    assert!(value(&refunded) < value(&kept));
    assert!(value(&refunded) > 0.0, "they may keep something yet");
}

#[test]
fn expected_spending_is_continuous_at_a_mean_of_zero() {
    let model = SpendingModel {
        p: 6.25,
        q: 3.74,
        v: 15.44,
    };
    for x in [1.0, 3.0, 100.0] {
        let nothing = model.expected_mean(x, 0.0);
        assert!((model.expected_mean(x, 1e-9) - nothing).abs() < 1e-8);
        assert!((model.expected_mean(x, -5.0) - nothing).abs() < f64::EPSILON);
        // (1 − w)·pv/(q − 1), as published, with w = px/(px + q − 1).
        let rest = (model.q - 1.0) / (model.p * x + model.q - 1.0);
        let expected = rest * model.p * model.v / (model.q - 1.0);
        assert!(
            (nothing - expected).abs() < 1e-9,
            "{nothing} is not {expected}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn keeping_more_lowers_neither_value_nor_percentile_nor_forecast_nor_best_action(
        orders in prop::collection::vec((0..200_u32, 0..9_000_i64, 0..=100_i64), 1..7),
        which in any::<prop::sample::Index>(), kept in 0..=100_i64
    ) {
        let refunds = |orders: &[(u32, i64, i64)]| -> Vec<_> {
            orders.iter().map(|(day, cents, percent)| (*day, *cents, cents * percent / 100)).collect()
        };
        let shop = &*SHOP_TRAINED;
        let less = customer(shop, &refunds(&orders));
        let mut orders = orders;
        let changed = which.index(orders.len());
        orders[changed].2 = orders[changed].2.min(kept);
        let more = customer(shop, &refunds(&orders));
        let (less, more) = (measures(&less, shop), measures(&more, shop));
        for (number, (less, more)) in less.iter().zip(&more).enumerate() {
            prop_assert!(less <= more, "measure {}: {} is above {}", number, less, more);
        }
    }
}

#[test]
fn untrained_tenant_has_no_value_and_names_the_command() {
    let plain = shop(None);
    let state = customer(&plain, &[(0, 3_500, 0), (30, 3_500, 0), (60, 3_500, 0)]);
    let now = at(61);
    let found = predict(&state, &plain, now);
    let value = found.value.unwrap();
    // Purchases have no unit and are scored; money has one and is not.
    assert_eq!(
        (&*value.model, value.shipped),
        ("mbg_nbd/shipped-cdnow", true)
    );
    assert_eq!(value.score.mean_purchase_minor, None);
    assert_eq!(value.score.not_scored_because, Some(VALUE_NOT_SCORED));
    assert!(VALUE_NOT_SCORED.contains("tidemark train"));
    for horizon in &value.score.horizons {
        assert!(horizon.expected_purchases > 0.0 && horizon.value_minor.is_none());
    }
    assert!(found.percentile.is_none());
    let outputs = derive(&state, &plain, now);
    assert!(outputs.churn.p_alive.is_some());
    let segments: Vec<&str> = outputs.segments.iter().map(|name| &**name).collect();
    assert_eq!(segments, ["loyal"], "bounds of money are false");
    let mut evaluated = EvaluatedState::new(plain.version);
    evaluated.redefine(&state, &plain, now, &mut Vec::new());
    assert_eq!(evaluated.discrete_scores.value_minor, None);
    let why = explain(&state, &evaluated, &plain, "valuable", now).unwrap();
    let found = why.why.found.unwrap();
    assert!(found["value_minor"].is_null() && found["expected_purchases"].is_f64());
    assert_eq!(found["not_scored_because"], VALUE_NOT_SCORED);
    let unscored = |shop: &TenantDefinitions| -> Vec<String> {
        let segments = shop.segments.iter();
        let unscored = segments.filter(|of| shop.not_scored_because(&of.expression).is_some());
        let mut names: Vec<_> = unscored.map(|of| of.name.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(unscored(&plain), ["best", "valuable", "valuable_too"]);
    assert!(unscored(&SHOP_TRAINED).is_empty());
}

#[test]
fn value_model_of_shipped_spending_scores_no_customer() {
    // As versions before wrote it: percentiles of dollars, and spending trained later or never.
    let mut models = TRAINED.models.clone();
    let value = models.value.as_mut().unwrap();
    value.model.scores = "mbg_nbd/trained-1997-09-30 gamma_gamma/shipped-cdnow".to_owned();
    for spending in [models.spending.clone(), None] {
        models.spending = spending;
        let shop = shop(Some(models.clone()));
        let state = customer(&shop, &[(0, 3_500, 0), (30, 3_500, 0)]);
        let found = predict(&state, &shop, at(61));
        assert!(found.percentile.is_none());
        let amount = found.value.unwrap().score.mean_purchase_minor;
        assert_eq!(amount.is_some(), models.spending.is_some());
        let best = shop.segment("best").unwrap();
        assert_eq!(
            shop.not_scored_because(&best.expression),
            Some(VALUE_NOT_SCORED)
        );
    }
}
