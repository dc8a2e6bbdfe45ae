//! Models with any numbers at all: definitions with them are refused, or every prediction of every customer is
//! finite, and found without a panic.

use std::sync::LazyLock;

use jiff::civil::{Date, date};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::models::TrainedModels;
use tidemark_projections::outputs::{evaluate, next_rfm_change, predict};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::Instant;
use tidemark_schemas::Payload;
use tidemark_schemas::event::StageEntered;
use tidemark_schemas::event::SubscriptionStatus::Active;

use crate::renewals::subscribed;
use crate::shop::{Log, fold, midnight, order};

/// A tenant whose segments ask for every prediction.
const SHOP: &str = "
tenant: { id: shop, zone: UTC, currency: USD }
journeys: [{ name: sales, stages: [lead, trial, customer] }]
segments:
  - { name: a, when: { value: { purchases: { gte: 1 }, amount: { gte: 10 }, percentile: { gte: 50 } } } }
  - { name: b, when: { rfm: { recency: { gte: 3 } } } }
  - { name: c, when: { cluster: 1 } }
  - { name: d, when: { conversion: { journey: sales, probability: { gte: 0.1 } } } }
";

/// Numbers as a hand or a fault of a program may write them, most of them near the bounds.
fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-7.0..7.0).prop_map(|power: f64| 10_f64.powf(power)),
        1 => prop::sample::select(vec![
            0.0, -0.0, -1.0, 1.0, 1e-6, 1e6, 1.000_001, 5e-324, f64::MIN_POSITIVE, f64::MAX, 1e308, 1e18,
        ]),
        1 => any::<f64>().prop_filter("JSON holds no others", |number| number.is_finite()),
    ]
}

fn whole() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..10_000_i64, 1 => any::<i64>(), 1 => Just(i64::MAX), 1 => Just(7_400_000)]
}

fn trained(model: &Value) -> Value {
    json!({ "from": "2024-01-01", "as_of": "2025-01-01", "customers": 9, "model": model })
}

fn churn() -> impl Strategy<Value = Value> {
    let error = (numbers(), numbers());
    let family = prop::sample::select(vec!["mbg_nbd", "bg_nbd"]);
    (family, [numbers(), numbers(), numbers(), numbers()], error).prop_map(
        |(family, [r, alpha, a, b], (dispersion, relative))| {
            let holdout = json!({
                "from": "2024-06-01", "customers": 9, "log_likelihood": -1.0, "calibration": [],
                "error": { "dispersion": dispersion, "relative": relative },
            });
            let model = json!({
                "family": family, "parameters": { "r": r, "alpha": alpha, "a": a, "b": b },
                "log_likelihood": -1.0, "holdout": holdout,
            });
            json!({ "churn": trained(&model) })
        },
    )
}

fn spending() -> impl Strategy<Value = Value> {
    [numbers(), numbers(), numbers()].prop_map(|[p, q, v]| {
        let model = json!({
            "parameters": { "p": p, "q": q, "v": v }, "log_likelihood": -1.0, "correlation": 0.0,
        });
        json!({ "spending": trained(&model) })
    })
}

fn renewal() -> impl Strategy<Value = Value> {
    (numbers(), numbers()).prop_map(|(alpha, beta)| {
        let model = json!({
            "all": { "alpha": alpha, "beta": beta }, "log_likelihood": -1.0,
            "holdout": { "from": "2024-06-01", "subscriptions": 9, "calibration": [] },
        });
        json!({ "renewal": trained(&model) })
    })
}

fn rfm() -> impl Strategy<Value = Value> {
    let cuts = || {
        [whole(), whole(), whole(), whole()].prop_map(|mut cuts| {
            cuts.sort_unstable();
            cuts
        })
    };
    (cuts(), cuts(), prop::array::uniform4(any::<u32>())).prop_map(
        |(recency, monetary, mut frequency)| {
            frequency.sort_unstable();
            let model = json!({
                "recency_days": recency, "frequency": frequency, "monetary_minor": monetary,
            });
            json!({ "rfm": trained(&model) })
        },
    )
}

fn clusters() -> impl Strategy<Value = Value> {
    let point = || [numbers(), numbers(), numbers()].prop_map(|point| json!(point));
    let centroids = prop::collection::vec(point(), 0..4);
    let sizes = prop::collection::vec(any::<u64>(), 4);
    let minor_units = prop_oneof![3 => Just(100), 1 => whole()];
    let shape = (point(), point(), point(), point(), numbers());
    (shape, centroids, sizes, minor_units).prop_map(
        |((means, deviations, first, second, silhouette), centroids, mut sizes, minor_units)| {
            sizes.truncate(centroids.len());
            let model = json!({
                "means": means, "deviations": deviations, "centroids": centroids, "sizes": sizes,
                "components": [first, second], "silhouette": silhouette, "minor_units": minor_units,
            });
            json!({ "clusters": trained(&model) })
        },
    )
}

fn conversion() -> impl Strategy<Value = Value> {
    let chance = || prop_oneof![4 => 0.0..0.4, 1 => numbers()];
    let bins = prop::collection::vec([chance(), chance(), chance()], 10);
    let daily = prop::collection::vec(prop_oneof![3 => bins, 1 => Just(Vec::new())], 3);
    daily.prop_map(|daily| {
        let model = json!({ "stages": ["lead", "trial", "customer"], "daily": daily });
        json!({ "conversion": { "sales": trained(&model) } })
    })
}

fn value() -> impl Strategy<Value = Value> {
    (prop::collection::vec(whole(), 99), whole()).prop_map(|(mut cuts, expected)| {
        cuts.sort_unstable();
        let forecast = json!([{
            "days": 30, "expected_minor": expected, "low_minor": 0, "high_minor": i64::MAX,
        }]);
        let model = json!({ "scores": "x", "percentiles_minor": cuts, "forecast": forecast });
        json!({ "value": trained(&model) })
    })
}

/// Returns the definitions with models, unless they are refused.
fn apply(models: &Value) -> Option<Definitions> {
    let before = Definitions::default();
    let plain = Bundle::from_files(&[("f.yaml".to_owned(), SHOP.to_owned())], "me").unwrap();
    let mut source = plain.tenants[0].clone();
    source.models = Some(serde_json::from_value::<TrainedModels>(models.clone()).ok()?);
    let record = Bundle::from_sources(vec![source], "me").to_record();
    before.apply(0, Instant::MIN, &record).ok()
}

fn customer(shop: &TenantDefinitions, purchases: &[(i32, i64)]) -> CustomerState {
    let mut id = 0;
    let mut state = subscribed(shop, &mut id, "basic", &[("2020-01-01", Active)]);
    let entered = Payload::StageEntered(StageEntered {
        journey: "sales".into(),
        stage: "trial".into(),
    });
    fold(&mut state, shop, &mut id, "2020-01-02", entered);
    let mut purchases = purchases.to_vec();
    purchases.sort_unstable();
    for (day, cents) in purchases {
        let payload = order(id, cents);
        fold(&mut state, shop, &mut id, &on(day).to_string(), payload);
    }
    state
}

fn on(day: i32) -> Date {
    date(2020, 1, 2).saturating_add(jiff::Span::new().days(day))
}

/// Returns whether every number in a document is one: serde writes what is not finite as null, and no score
/// here is absent but amounts until spending is trained.
fn without_nulls(value: &Value, amounts: bool) -> bool {
    let absent = |name: &str| match name {
        "not_scored_because" => amounts,
        "mean_purchase_minor" | "value_minor" => !amounts,
        _ => false,
    };
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().all(|item| without_nulls(item, amounts)),
        Value::Object(members) => members.iter().all(|(name, value)| {
            absent(name) == value.is_null() && (value.is_null() || without_nulls(value, amounts))
        }),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Asserts that models are refused, or that what they predict is finite.
fn assert_finite(models: &Value, purchases: &[(i32, i64)], at: Date) -> Result<(), TestCaseError> {
    let Some(definitions) = apply(models) else {
        return Ok(());
    };
    let shop = definitions.tenants.values().next().unwrap();
    let state = customer(shop, purchases);
    let at = midnight(at);
    let found = serde_json::to_value(predict(&state, shop, at)).unwrap();
    for (name, scored) in found.as_object().unwrap() {
        prop_assert!(
            scored.is_null() || without_nulls(scored, shop.models.spending.is_some()),
            "{}: {}",
            name,
            scored
        );
    }
    let centres = shop.models.clusters.as_ref().map(|of| of.model.centres());
    for centre in centres.into_iter().flatten() {
        let [x, y] = centre.coordinates;
        let numbers = [
            centre.recency_days,
            centre.frequency,
            centre.monetary_minor,
            x,
            y,
        ];
        prop_assert!(
            numbers.iter().all(|number| number.is_finite()),
            "{:?}",
            centre
        );
    }
    // Neither panics, and both end.
    let next = next_rfm_change(&state, shop, at);
    prop_assert!(next.is_none_or(|next| next > at));
    evaluate(&state, shop, at);
    Ok(())
}

fn purchases() -> impl Strategy<Value = Vec<(i32, i64)>> {
    let cents = prop_oneof![3 => 1..100_000_i64, 1 => Just(i64::MAX), 1 => Just(1)];
    prop::collection::vec((0..3_000, cents), 1..12)
}

fn ends() -> impl Strategy<Value = Date> {
    prop_oneof![
        Just(date(2028, 4, 1)),
        Just(date(2100, 1, 1)),
        Just(date(9990, 1, 1))
    ]
}

/// The models that the real shop was trained to have.
static SOUND: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(&crate::shop::TRAINED.models).unwrap());

#[test]
fn models_as_they_are_trained_are_accepted() {
    assert!(apply(&SOUND).is_some());
    let log = Log::defined_by(SHOP);
    assert!(
        log.shop().models.clusters.is_none(),
        "they come from the block alone"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn accepted_parameters_give_finite_predictions_for_any_customer(
        models in prop_oneof![
            4 => churn(), 2 => spending(), 1 => renewal(), 1 => rfm(), 4 => clusters(), 1 => conversion(),
            1 => value(),
        ],
        purchases in purchases(),
        at in ends(),
    ) {
        assert_finite(&models, &purchases, at)?;
        // And beside sound models of every other kind.
        let mut all = SOUND.clone();
        let members = all.as_object_mut().unwrap();
        members.extend(models.as_object().unwrap().clone());
        assert_finite(&all, &purchases, at)?;
    }
}
