//! The `conversion` leaf and percentiles of value, held against naive evaluators: at every instant
//! the condition holds when the model itself says so of the sorted list of events.

use std::sync::Arc;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, TenantDefinitions};
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::explain::explain;
use tidemark_projections::models::{ConversionModel, Stay, Trained, TrainedModels};
use tidemark_projections::outputs::{derive, evaluate, predict};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::StageEntered;
use tidemark_schemas::{Instant, Payload};

use crate::shop::{END, Log, SHOP, TRAINED, cdnow, fold, midnight, order};

const STAGES: [&str; 3] = ["lead", "trial", "customer"];

fn trained(stays: &[Stay]) -> TrainedModels {
    let day = date(2025, 1, 1);
    let model = ConversionModel::fit(STAGES.map(str::to_owned).into(), stays);
    let trained = Trained {
        from: day,
        as_of: day,
        customers: 1,
        model,
    };
    let mut models = TrainedModels::default();
    models.conversion.insert("sales".to_owned(), trained);
    models
}

fn sales(condition: &str, models: TrainedModels) -> Arc<TenantDefinitions> {
    let mut log = Log::defined_by(&format!(
        "tenant: {{ id: shop, zone: Europe/Berlin, currency: USD }}\njourneys: [{{ name: sales, \
         stages: [lead, trial, customer] }}]\nsegments: [{{ name: s, when: {{ {condition} }} }}]"
    ));
    log.publish(models);
    log.shop()
}

fn on(number: i32) -> Date {
    date(2025, 1, 1).saturating_add(jiff::Span::new().days(number))
}

/// The first instant of a day in Berlin.
fn begins(number: i32) -> Instant {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let start = on(number).to_zoned(zone).unwrap().timestamp();
    Instant::from_micros(start.as_microsecond()).unwrap()
}

fn entered(shop: &TenantDefinitions, entries: &[(i32, usize)]) -> CustomerState {
    let (mut state, mut events) = (CustomerState::default(), 0);
    for (day, stage) in entries {
        let payload = Payload::StageEntered(StageEntered {
            journey: "sales".into(),
            stage: STAGES[*stage].into(),
        });
        fold(
            &mut state,
            shop,
            &mut events,
            &on(*day).to_string(),
            payload,
        );
    }
    state
}

/// The model's answer for the stage and the days in it, computed from the list of entries alone.
fn chance(
    model: &ConversionModel,
    entries: &[(i32, usize)],
    today: i32,
    next: Option<usize>,
    days: u32,
) -> f64 {
    let (_, stage) = *entries.last().unwrap();
    let run = entries.iter().rev().take_while(|(_, of)| *of == stage);
    let since = run.last().unwrap().0;
    let found = model.predict(stage, u32::try_from(today - since).unwrap(), days);
    next.map_or(found.last, |stage| found.next[stage])
}

fn stays() -> impl Strategy<Value = Vec<Stay>> {
    let one = (0..3_usize, 0..500_u32, prop::option::of(0..3_usize));
    let stay = one.prop_map(|(stage, days, to)| Stay { stage, days, to });
    prop::collection::vec(stay, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn conversion_follows_the_model_and_changes_at_midnight(
        stays in stays(),
        entries in prop::collection::btree_map(0..120_i32, 0..3_usize, 1..5),
        next in prop::option::of(0..3_usize),
        days in prop::sample::select(vec![30_u32, 90]),
        operator in prop::sample::select(vec!["gt", "gte", "lt", "lte"]),
        of_hundred in 0..100_u32,
    ) {
        let models = trained(&stays);
        let model = models.conversion["sales"].model.clone();
        let bound = f64::from(of_hundred) / 100.0;
        let to = next.map_or(String::new(), |stage| format!("next: {},", STAGES[stage]));
        let condition = format!(
            "conversion: {{ journey: sales, {to} within: {days}d, probability: {{ {operator}: {bound} }} }}"
        );
        let shop = sales(&condition, models);
        let entries: Vec<(i32, usize)> = entries.into_iter().collect();
        let state = entered(&shop, &entries);
        let first = entries.last().unwrap().0 + 1;
        let mut known = evaluate(&state, &shop, begins(first));
        for today in first..first + 420 {
            let chance = chance(&model, &entries, today, next, days);
            let expected = match operator {
                "gt" => chance > bound,
                "gte" => chance >= bound,
                "lt" => chance < bound,
                _ => chance <= bound,
            };
            for at in [begins(today), begins(today + 1).plus_micros(-1)] {
                let now = evaluate(&state, &shop, at);
                prop_assert_eq!(now.segments[0], expected, "day {}: {}", today, chance);
            }
            // Exact: it is due on the days on which it changes, and on no other.
            if today > first {
                let due = known.next_change == Some(begins(today));
                prop_assert_eq!(due, known.segments[0] != expected, "day {}", today);
                if due {
                    known = evaluate(&state, &shop, begins(today));
                }
            }
        }
    }
}

#[test]
fn conversion_never_holds_without_a_model_of_the_current_journey() {
    let condition = "conversion: { journey: sales, probability: { gte: 0 } }";
    let models = trained(&[Stay {
        stage: 0,
        days: 3,
        to: Some(1),
    }]);
    let at = begins(9);
    let member = |shop: &TenantDefinitions, entries: &[(i32, usize)]| {
        evaluate(&entered(shop, entries), shop, at).segments[0]
    };
    let shop = sales(condition, models.clone());
    assert!(member(&shop, &[(3, 0)]));
    assert!(!member(&shop, &[]), "a customer outside the journey");
    assert!(!member(
        &sales(condition, TrainedModels::default()),
        &[(3, 0)]
    ));
    let mut other = models;
    let model = other.conversion.remove("sales").unwrap();
    other.conversion.insert("another".to_owned(), model);
    assert!(!member(&sales(condition, other), &[(3, 0)]));
}

#[test]
fn explanations_name_probability_percentile_and_model() {
    let condition = "all: [{ conversion: { journey: sales, next: trial, probability: { gt: 0 } } }, \
                     { not: { value: { percentile: { gte: 1 } } } }]";
    let shop = sales(
        condition,
        trained(&[Stay {
            stage: 0,
            days: 3,
            to: Some(1),
        }]),
    );
    let state = entered(&shop, &[(3, 0)]);
    let (at, mut evaluated) = (begins(9), EvaluatedState::new(0));
    evaluated.redefine(&state, &shop, at, &mut Vec::new());
    let why = explain(&state, &evaluated, &shop, "s", at).unwrap().why;
    let found = why.of[0].found.as_ref().unwrap();
    let said = &predict(&state, &shop, at).conversion["sales"].score[0];
    assert_eq!(found["probability"], said.next["trial"]);
    assert_eq!(found["stage"], "lead");
    assert_eq!(found["model"], "conversion/trained-2025-01-01");
    assert!(why.of[1].of[0].found.as_ref().unwrap()["percentile"].is_null());
}

#[test]
fn percentiles_refer_to_the_customers_at_training() {
    let mut log = Log::defined_by(&format!(
        "{SHOP}\nsegments:\n  - {{ name: top, when: {{ value: {{ percentile: {{ gte: 90 }} }} }} }}\n  \
         - {{ name: lower, when: {{ value: {{ percentile: {{ lt: 50 }} }} }} }}"
    ));
    log.publish(TRAINED.models.clone());
    let shop = log.shop();
    let at = midnight(END);
    let (mut top, mut lower, mut least, mut most) = (0, 0, f64::MAX, f64::MIN);
    for (_, state) in cdnow(&shop, END) {
        let found = predict(&state, &shop, at);
        let value = found.value.unwrap().score.horizons[2].value_minor.unwrap();
        let percentile = found.percentile.unwrap();
        assert_eq!(percentile.model, "value/trained-1997-09-30");
        // Naive: count the cuts it is above.
        let cuts = &TRAINED
            .models
            .value
            .as_ref()
            .unwrap()
            .model
            .percentiles_minor;
        let above = cuts.iter().filter(|cut| value > **cut as f64).count();
        assert_eq!(percentile.score.percentile, i64::try_from(above).unwrap());
        let segments = derive(&state, &shop, at).segments;
        assert_eq!(segments.contains("top"), above >= 90);
        assert_eq!(segments.contains("lower"), above < 50);
        if above >= 90 {
            (top, least) = (top + 1, value.min(least));
        } else {
            most = value.max(most);
        }
        lower += u32::from(above < 50);
    }
    // A tenth of 2,357, and half of them; the tenth has the greatest values.
    assert!((225..=240).contains(&top), "{top}");
    assert!((1_150..=1_250).contains(&lower), "{lower}");
    assert!(least >= most - 1.0, "{least} is not above {most}");
}

#[test]
fn total_expected_spending_is_the_sum_over_customers() {
    let log = Log::defined_by(SHOP);
    let value = TRAINED.models.value.as_ref().unwrap();
    assert_eq!((value.as_of, value.customers), (END, 2_357));
    assert!(
        value
            .model
            .scores
            .ends_with("gamma_gamma/trained-1997-09-30")
    );
    let mut log_trained = log;
    log_trained.publish(TRAINED.models.clone());
    let shop = log_trained.shop();
    let mut sums = [0.0_f64; 3];
    for (_, state) in cdnow(&shop, END) {
        let found = predict(&state, &shop, midnight(END)).value.unwrap().score;
        for (sum, horizon) in sums.iter_mut().zip(&found.horizons) {
            *sum += horizon.expected_purchases * found.mean_purchase_minor.unwrap();
        }
    }
    for (forecast, sum) in value.model.forecast.iter().zip(sums) {
        assert!(
            (forecast.expected_minor as f64 - sum).abs() < 1.0,
            "{forecast:?} {sum}"
        );
        assert!(forecast.low_minor < forecast.expected_minor);
        assert!(forecast.high_minor > forecast.expected_minor);
    }
    let text = TRAINED.to_string();
    assert!(text.contains("revenue within  30 days"), "{text}");
}

#[test]
fn invalid_conversion_and_percentile_conditions_are_refused() {
    let check = |condition: &str, expected: &str| {
        let text = format!(
            "{SHOP}\njourneys: [{{ name: sales, stages: [lead, trial] }}]\nsegments: [{{ name: s, \
             when: {{ {condition} }} }}]"
        );
        let errors = Bundle::from_files(&[("f.yaml".to_owned(), text)], "me").unwrap_err();
        assert_eq!(errors[0].line, 3, "{errors:?}");
        assert!(errors[0].message.contains(expected), "{errors:?}");
    };
    check("conversion: { journey: sales }", "lacks \"probability\"");
    check(
        "conversion: { journey: sale, probability: { gt: 0 } }",
        "did you mean \"sales\"?",
    );
    check(
        "conversion: { journey: sales, next: trail, probability: { gt: 0 } }",
        "did you mean \"trial\"?",
    );
    check(
        "conversion: { journey: sales, within: 60d, probability: { gt: 0 } }",
        "known within 30d or 90d, not \"60d\"",
    );
    check(
        "conversion: { journey: sales, probability: { gt: 2 } }",
        "a probability from 0 to 1",
    );
    check(
        "value: { percentile: { gte: 100 } }",
        "a percentile, from 1 to 99",
    );
    check("value: { percentile: { eq: 9 } }", "unknown operator");
    check(
        "value: { within: 90d }",
        "lacks `purchases`, `amount` or `percentile`",
    );
}

#[test]
fn the_percentile_follows_the_value() {
    let mut log = Log::defined_by(&format!(
        "{SHOP}\nsegments: [{{ name: s, when: {{ value: {{ percentile: {{ gte: 60 }} }} }} }}]"
    ));
    log.publish(TRAINED.models.clone());
    let shop = log.shop();
    let (mut state, mut events) = (CustomerState::default(), 0);
    for day in ["1997-01-05", "1997-01-30", "1997-02-20", "1997-03-09"] {
        let payload = order(events, 4_000);
        fold(&mut state, &shop, &mut events, day, payload);
    }
    let at = |days: i32| midnight(date(1997, 3, 10).saturating_add(jiff::Span::new().days(days)));
    let mut known = evaluate(&state, &shop, at(0));
    assert!(known.segments[0], "such a customer is above most");
    let mut left = None;
    for day in 1..900 {
        let now = evaluate(&state, &shop, at(day));
        if known.next_change.is_some_and(|due| due <= at(day)) {
            known = now;
        } else {
            assert_eq!(now.segments, known.segments, "day {day}");
        }
        left = left.or((!known.segments[0]).then_some(day));
    }
    assert!(left.is_some(), "years of silence leave it above most");
}
