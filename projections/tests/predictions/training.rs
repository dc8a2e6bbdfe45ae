//! Training: from states to models, from models to definitions, from definitions to scores.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::civil::date;
use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, TenantDefinitions};
use tidemark_projections::models::{Family, Parameters, TrainedModels};
use tidemark_projections::outputs::{derive, evaluate, next_rfm_change, predict};
use tidemark_projections::state::CustomerState;
use tidemark_projections::training::TrainingReport;
use tidemark_schemas::event::StageEntered;
use tidemark_schemas::{CustomerId, Payload};

use crate::shop::{
    Customers, END, JOURNEY, Log, SHOP, TRAINED, cdnow, fold, midnight, order, train,
};

#[test]
fn training_on_cdnow_reproduces_published_values() {
    let report = &*TRAINED;
    assert_eq!(
        (report.customers, report.bought, report.bought_again),
        (2_357, 2_357, 946)
    );
    assert_eq!(report.refused, []);
    for (candidate, r, likelihood) in [
        (&report.candidates[0], 0.52484, -9_582.135_7),
        (&report.candidates[1], 0.24259, -9_582.429_2),
    ] {
        assert!((candidate.parameters.r - r).abs() < 5e-6, "{candidate:?}");
        assert!(
            (candidate.log_likelihood - likelihood).abs() < 0.001,
            "{candidate:?}"
        );
    }
    let churn = report.models.churn.as_ref().unwrap();
    let best = report
        .candidates
        .iter()
        .max_by(|a, b| {
            a.holdout_log_likelihood
                .total_cmp(&b.holdout_log_likelihood)
        })
        .unwrap();
    assert_eq!(churn.model.family, best.family);
    assert_eq!((churn.from, churn.as_of), (date(1997, 1, 1), END));
    let spending = report.models.spending.as_ref().unwrap();
    assert_eq!(spending.customers, 946);
    assert!((spending.model.parameters.p - 6.2496).abs() < 5e-4);
    assert!(
        (spending.model.correlation - 0.114).abs() < 5e-4,
        "{spending:?}"
    );
    // A tenth of the customers in each tenth, ever more expected, and about as much seen.
    let tenths = &churn.model.holdout.calibration;
    assert_eq!(
        tenths.iter().map(|of| of.customers).sum::<u64>(),
        churn.model.holdout.customers
    );
    assert!(tenths.is_sorted_by(|less, more| less.expected <= more.expected));
    let best = tenths.last().unwrap();
    assert!((best.seen / best.expected - 1.0).abs() < 0.3, "{best:?}");
    let text = report.to_string();
    for expected in [
        "mbg_nbd: r 0.524",
        "bg_nbd: r 0.2425",
        "p 6.24",
        "holdout from 1997-07-25",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn the_order_of_customers_makes_no_difference() {
    let log = Log::defined_by(SHOP);
    let shop = log.shop();
    let customers = cdnow(&shop, END);
    let some = &customers[..600];
    let forwards = train(&shop, END, some);
    let backwards = train(&shop, END, some.iter().rev());
    let json = |report: &TrainingReport| serde_json::to_string(report).unwrap();
    assert_eq!(json(&forwards), json(&backwards));
}

#[test]
fn trained_models_score_customers_and_are_named() {
    let mut log = Log::defined_by(SHOP);
    let customers = cdnow(&log.shop(), END);
    let (_, state) = &customers[0];
    let at = midnight(END);
    assert_eq!(
        derive(state, &log.shop(), at).churn.model,
        "mbg_nbd/shipped-cdnow"
    );
    let before = predict(state, &log.shop(), at);
    let value = before.value.unwrap();
    assert_eq!(
        (&*value.model, value.shipped),
        ("mbg_nbd/shipped-cdnow", true)
    );
    assert!(before.rfm.is_none() && before.cluster.is_none());

    let models = TRAINED.models.clone();
    let family = models.churn.as_ref().unwrap().model.family;
    log.publish(models);
    let shop = log.shop();
    let name = format!("{}/trained-1997-09-30", family.name());
    assert_eq!(derive(state, &shop, at).churn.model, name);
    let after = predict(state, &shop, at);
    let value = after.value.unwrap();
    assert_eq!(
        value.model,
        format!("{name} gamma_gamma/trained-1997-09-30")
    );
    // 24.65 dollars, as published.
    assert!(
        (value.score.mean_purchase_minor.unwrap() - 2_465.0).abs() < 1.0,
        "{value:?}"
    );
    assert_eq!(after.rfm.unwrap().model, "rfm/trained-1997-09-30");
    assert_eq!(after.cluster.unwrap().model, "clusters/trained-1997-09-30");

    // Another segment leaves the models in force; an empty block takes them out.
    log.apply(&format!(
        "{SHOP}\nsegments: [{{ name: all, when: {{ orders: {{ count: {{ gte: 0 }} }} }} }}]"
    ));
    assert_eq!(derive(state, &log.shop(), at).churn.model, name);
    assert_eq!(log.shop().segments.len(), 1);
    log.apply(&format!("{SHOP}\nmodels: {{}}"));
    assert_eq!(
        derive(state, &log.shop(), at).churn.model,
        "mbg_nbd/shipped-cdnow"
    );
}

#[test]
fn shown_definitions_define_the_same_models() {
    let mut log = Log::defined_by(SHOP);
    log.publish(TRAINED.models.clone());
    let source = log.shop().source.clone();
    for text in [source.to_yaml(), source.to_json()] {
        assert_eq!(Log::defined_by(&text).shop().source, source);
    }
}

#[test]
fn the_churn_family_of_the_definitions_is_kept() {
    let asks = |family: Family| {
        format!(
            "tenant: {{ id: shop, zone: UTC, currency: USD, churn: {{ model: {} }} }}",
            family.name()
        )
    };
    for family in Family::ALL {
        let mut log = Log::defined_by(&asks(family));
        let customers = cdnow(&log.shop(), END);
        let report = train(&log.shop(), END, &customers[..600]);
        assert_eq!(report.candidates.len(), 2);
        assert_eq!(report.models.churn.as_ref().unwrap().model.family, family);
        log.publish(report.models);
        assert_eq!(log.shop().churn.family, family);
        // LeafRole for the other one, a model of this one does not score.
        let other = Family::ALL
            .into_iter()
            .find(|other| *other != family)
            .unwrap();
        log.apply(&asks(other));
        assert_eq!(
            log.shop().churn.name,
            format!("{}/shipped-cdnow", other.name())
        );
    }
}

#[test]
fn insufficient_data_keeps_the_previous_model() {
    let mut log = Log::defined_by(JOURNEY);
    let customers = cdnow(&log.shop(), END);
    let mut models = TRAINED.models.clone();
    let few = train(&log.shop(), END, &customers[..20]);
    assert!(!few.trained_anything(), "{few:?}");
    let reason = |of: &TrainingReport, model: &str| {
        let found = of.refused.iter().find(|refused| refused.model == model);
        found.unwrap().reason.clone()
    };
    assert_eq!(reason(&few, "churn"), "20 customers bought; 100 are needed");
    assert_eq!(reason(&few, "rfm"), "20 customers bought; 25 are needed");
    assert_eq!(
        reason(&few, "clusters"),
        "20 customers bought; 50 are needed"
    );
    assert!(reason(&few, "spending").ends_with("30 are needed"));
    assert_eq!(
        reason(&few, "conversion of sales"),
        "0 moves between stages; 30 are needed"
    );
    // Six weeks are too short for a holdout.
    let early = train(&log.shop(), date(1997, 2, 12), &customers);
    assert_eq!(
        reason(&early, "churn"),
        "the purchases span 42 days; 84 are needed"
    );
    let before = models.clone();
    models.replace_with(few.models);
    assert_eq!(models, before);
    log.publish(models);
    assert!(log.shop().models.churn.is_some());
}

#[test]
fn customers_without_repeat_value_are_left_out_of_spending() {
    let log = Log::defined_by(SHOP);
    let shop = log.shop();
    let mut events = 0;
    let mut customers = Customers::new();
    for (id, cents) in [("free", 0), ("paid", 900)] {
        let mut state = CustomerState::default();
        for day in ["1997-01-02", "1997-01-09"] {
            let payload = order(events, cents);
            fold(&mut state, &shop, &mut events, day, payload);
        }
        customers.push((CustomerId::new(id).unwrap(), state));
    }
    customers.push((CustomerId::new("never").unwrap(), CustomerState::default()));
    let report = train(&shop, END, &customers);
    let excluded: Vec<(u64, &str)> = report
        .excluded
        .iter()
        .map(|of| (of.customers, of.reason.as_str()))
        .collect();
    assert_eq!(excluded[0], (1, "never bought"));
    assert_eq!(excluded[1].0, 1);
    assert!(excluded[1].1.contains("for nothing"), "{excluded:?}");
    assert_eq!(report.refused[1].model, "spending");
    assert!(report.refused[1].reason.starts_with("1 customers paid"));
}

#[test]
fn trained_journeys_predict_conversion() {
    let mut log = Log::defined_by(JOURNEY);
    let shop = log.shop();
    let mut events = 0;
    let enter = |state: &mut CustomerState, events: &mut u128, day: u32, stage: &str| {
        let entered = StageEntered {
            journey: "sales".into(),
            stage: stage.into(),
        };
        let day = date(2025, 1, 1)
            .saturating_add(jiff::Span::new().days(day))
            .to_string();
        fold(state, &shop, events, &day, Payload::StageEntered(entered));
    };
    let mut customers = Customers::new();
    for n in 0..120_u32 {
        let mut state = CustomerState::default();
        enter(&mut state, &mut events, n % 7, "lead");
        if n % 2 == 0 {
            enter(&mut state, &mut events, n % 7 + 1 + n % 5, "trial");
            // Sent again, which is no move.
            enter(&mut state, &mut events, n % 7 + 2 + n % 5, "trial");
        }
        if n % 4 == 0 {
            enter(&mut state, &mut events, 20 + n % 9, "customer");
        }
        customers.push((CustomerId::new(format!("c{n:03}")).unwrap(), state));
    }
    let report = train(&shop, date(2025, 3, 31), &customers);
    let trained = &report.models.conversion["sales"];
    assert_eq!(trained.customers, 120);
    assert_eq!(trained.from, date(2025, 1, 1));
    log.publish(report.models);
    let found = predict(&customers[1].1, &log.shop(), midnight(date(2025, 1, 3)));
    let sales = &found.conversion["sales"].score;
    assert_eq!((sales[0].days, sales[1].days), (30, 90));
    assert!((0.35..0.65).contains(&sales[0].next["trial"]), "{sales:?}");
    assert!(
        sales[0].last > 0.1 && sales[1].last >= sales[0].last,
        "{sales:?}"
    );
    // Weeks later, with the same silence, less is to be hoped for.
    let later = predict(&customers[1].1, &log.shop(), midnight(date(2025, 3, 1)));
    assert!(later.conversion["sales"].score[0].next["trial"] < sales[0].next["trial"] / 2.0);
    // Of a journey with other stages the model says nothing.
    log.apply(&JOURNEY.replace("[lead,", "[visitor, lead,"));
    assert!(
        predict(&customers[1].1, &log.shop(), midnight(END))
            .conversion
            .is_empty()
    );
}

#[test]
fn implausible_models_are_refused_with_their_position() {
    let check = |models: &str, expected: &str| {
        let text = format!("{SHOP}\nmodels: {models}");
        let errors = Bundle::from_files(&[("f.yaml".to_owned(), text)], "me").unwrap_err();
        assert_eq!(errors[0].line, 2, "{errors:?}");
        assert!(errors[0].message.contains(expected), "{errors:?}");
    };
    let spending = |q: &str| {
        let mut text = String::from(
            "{ spending: { from: 2025-01-01, as_of: 2025-03-31, customers: 9, model: ",
        );
        write!(
            text,
            "{{ parameters: {{ p: 1, q: {q}, v: 2 }}, log_likelihood: -1, correlation: 0 }} }} }}"
        )
        .unwrap();
        text
    };
    check("{ churm: 1 }", "unknown field `churm`");
    check(
        &spending("1"),
        "the spending model has numbers out of range",
    );
    check(&spending(".nan"), "not what `tidemark train` writes");
    check("17", "not what `tidemark train` writes");
    // The mean exists only above 1, and parameters lie between a millionth and a million.
    check(&spending("1.0000009"), "numbers out of range");
    check(&spending("1000001.1"), "numbers out of range");
    for sound in ["1.5", "1.000002", "1000000.9"] {
        let sound = format!("{SHOP}\nmodels: {}", spending(sound));
        assert!(Bundle::from_files(&[("f.yaml".to_owned(), sound)], "me").is_ok());
    }
}

/// Definitions with the models of the real shop, but for the churn model's parameters.
fn shop_with(
    models: &TrainedModels,
    family: Family,
    parameters: Parameters,
) -> Arc<TenantDefinitions> {
    let mut models = models.clone();
    let churn = &mut models.churn.as_mut().unwrap().model;
    (churn.family, churn.parameters) = (family, parameters);
    let mut log = Log::defined_by(SHOP);
    log.publish(models);
    log.shop()
}

#[test]
fn bands_and_cells_change_at_the_predicted_time_for_any_parameters() {
    let positive = || (-2.0..2.0).prop_map(|power: f64| 10_f64.powf(power));
    let parameters = (positive(), positive(), positive(), positive())
        .prop_map(|(r, alpha, a, b)| Parameters { r, alpha, a, b });
    let family = prop::sample::select(Family::ALL.to_vec());
    let days = prop::collection::btree_set(0..200_u32, 1..6);
    let first = date(1997, 1, 1);
    proptest!(ProptestConfig::with_cases(16), |(parameters in parameters, family in family, days in days)| {
        let shop = shop_with(&TRAINED.models, family, parameters);
        let (mut state, mut events) = (CustomerState::default(), 0);
        for day in &days {
            let on = first.saturating_add(jiff::Span::new().days(*day)).to_string();
            let payload = order(events, i64::from(*day) * 100);
            fold(&mut state, &shop, &mut events, &on, payload);
        }
        let last = days.last().unwrap() + 1;
        let instant = |day: u32| midnight(first.saturating_add(jiff::Span::new().days(day)));
        let mut band = evaluate(&state, &shop, instant(last));
        let cell = |day| {
            let found = predict(&state, &shop, instant(day));
            (found.rfm.unwrap().score, found.cluster.unwrap().score.cluster)
        };
        let mut cells = (cell(last), next_rfm_change(&state, &shop, instant(last)));
        for day in last + 1..last + 300 {
            let now = evaluate(&state, &shop, instant(day));
            // The band is exact, the cluster may be early; nothing is ever late.
            let due = band.next_change == Some(instant(day));
            let differs = (now.band, now.discrete_scores) != (band.band, band.discrete_scores);
            prop_assert!(due || !differs, "late on day {}", day);
            if due || differs {
                band = now;
            }
            let now = cell(day);
            if now != cells.0 {
                prop_assert_eq!(cells.1, Some(instant(day)), "late, or of another day");
            }
            if now != cells.0 || cells.1 == Some(instant(day)) {
                cells = (now, next_rfm_change(&state, &shop, instant(day)));
            }
        }
    });
}
