//! Training recovers the parameters of the simulated customers.
//!
//! The customers are few enough for a test of seconds, and every tolerance follows from their number:
//! four standard errors (the binomial distribution's for a share, the curvature of the likelihood's for
//! a fit, see [`errors`]), and for all parameters of a model together the region that holds the truth
//! 999 times in 1,000, by the likelihood ratio: twice the difference of the logarithms is distributed
//! as chi squared.

mod errors;

use std::collections::BTreeMap;

use jiff::civil::Date;
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::models::{
    ChurnModel, Family, Parameters, PurchaseHistory, Responses, SpendingModel, Thresholds,
};
use tidemark_projections::outputs::derive;
use tidemark_projections::state::CustomerState;
use tidemark_projections::training::{Trainer, TrainingReport};
use tidemark_schemas::CustomerId;

use errors::Errors;

use super::*;

/// The value that chi squared stays below 999 times in 1,000, by degrees of freedom.
const CHI_SQUARED: [f64; 5] = [0.0, 10.83, 13.82, 16.27, 18.47];
const BEGIN: &str = "2025-01-01T00:00:00Z";
const AS_OF: &str = "2025-12-31";

/// The folded states of one industry's customers.
struct Folded {
    industry: Industry,
    definitions: Definitions,
    states: BTreeMap<CustomerId, CustomerState>,
}

impl Folded {
    /// Folds a year of the events that models use; others would only take time.
    fn year(industry: Industry, customers: u32) -> Self {
        let (begin, as_of) = (at(BEGIN), AS_OF.parse::<Date>().unwrap());
        let (file, text) = industry.definitions();
        let bundle = Bundle::from_files(&[(file.to_owned(), text.to_owned())], "test").unwrap();
        let definitions = Definitions::default()
            .apply(0, begin, &bundle.to_record())
            .unwrap();
        let zone = jiff::tz::TimeZone::UTC;
        let end = as_of.tomorrow().unwrap().to_zoned(zone).unwrap();
        let end = Instant::from_jiff(end.timestamp());
        let scenario = Scenario {
            industries: &[industry],
            seed: 11,
            customers,
            begin,
            end,
        };
        let mut states = BTreeMap::<_, CustomerState>::new();
        for event in Simulation::new(&scenario).run_until(end.plus_micros(DAY_MICROS)) {
            let kind = event.payload.kind();
            if !matches!(
                kind,
                PayloadKind::ActivityTracked
                    | PayloadKind::MessageExchanged
                    | PayloadKind::ConversationClosed
                    | PayloadKind::CampaignTouched
            ) {
                let state = states.entry(event.customer_id.clone()).or_default();
                definitions.fold(state, &event).unwrap().unwrap();
            }
        }
        Self {
            industry,
            definitions,
            states,
        }
    }

    fn tenant(&self) -> &TenantDefinitions {
        let id = TenantId::new(self.industry.tenant()).unwrap();
        self.definitions.tenant(&id).unwrap()
    }

    fn train(&self) -> TrainingReport {
        let mut trainer = Trainer::new(self.tenant(), AS_OF.parse().unwrap());
        for (id, state) in &self.states {
            trainer.add(id, state);
        }
        trainer.train()
    }

    /// Returns the purchase history of each buyer, with the mean value of the repeated purchases.
    fn purchases(&self) -> Vec<(PurchaseHistory, Option<f64>)> {
        let as_of: Date = AS_OF.parse().unwrap();
        let end = at("2025-12-31T12:00:00Z");
        self.states
            .values()
            .filter_map(|state| {
                let orders = derive(state, self.tenant(), end).orders;
                let (first, last) = (orders.first_purchase_on?, orders.last_purchase_on?);
                let history = PurchaseHistory {
                    repeat_days: orders.repeat_purchase_days,
                    last: i64::from((last - first).get_days()),
                    age: i64::from((as_of - first).get_days()),
                };
                Some((
                    history,
                    orders.mean_repeat_value_minor.map(|mean| mean / 100.0),
                ))
            })
            .collect()
    }
}

fn churn_model(family: Family, parameters: Parameters) -> ChurnModel {
    ChurnModel {
        parameters,
        ..ChurnModel::shipped(family, Thresholds::default())
    }
}

#[track_caller]
fn assert_near(what: &str, found: f64, truth: f64, within: f64) {
    let off = (found - truth).abs();
    assert!(
        off <= within,
        "{what}: {found:.4} is not {truth:.4} ± {within:.4}"
    );
}

fn assert_churn_is_recovered(folded: &Folded, report: &TrainingReport) {
    let truth = folded.industry.truth().churn.unwrap();
    let fitted = &report.models.churn.as_ref().expect("a churn model").model;
    assert_eq!(fitted.family, truth.family);
    let (found, truth) = (
        churn_model(truth.family, fitted.parameters),
        churn_model(truth.family, truth.parameters),
    );
    let purchases = folded.purchases();
    let likelihood = |model: &ChurnModel| -> f64 {
        purchases
            .iter()
            .map(|(history, _)| model.log_likelihood(*history))
            .sum()
    };
    // All parameters together.
    let ratio = 2.0 * (likelihood(&found) - likelihood(&truth));
    assert!((0.0..CHI_SQUARED[4]).contains(&ratio), "{ratio}: {found:?}");
    // Their predictions: purchase rate, purchases of a new customer, and P(alive).
    let Parameters { r, alpha, a, b } = truth.parameters;
    let model =
        |[r, alpha, a, b]: [f64; 4]| churn_model(truth.family, Parameters { r, alpha, a, b });
    let errors = Errors::new([r, alpha, a, b], |at| likelihood(&model(at)));
    let check = |what: &str, most: f64, says: &dyn Fn(&ChurnModel) -> f64| {
        let within = 4.0 * errors.of_function(|at| says(&model(at)));
        assert!(within < most, "{what}: ± {within} is too wide");
        assert_near(what, says(&found), says(&truth), within);
    };
    let rate = |model: &ChurnModel| model.parameters.r / model.parameters.alpha;
    check("purchases a week", 0.1, &rate);
    let history = |repeat_days, last, age| PurchaseHistory {
        repeat_days,
        last,
        age,
    };
    for days in [91, 182, 364] {
        let what = format!("purchases in {days} days");
        check(&what, 1.0, &|model| {
            model.expected_purchases(history(0, 0, 0), days)
        });
    }
    for (repeat_days, last, age) in [(1, 60, 91), (3, 150, 182), (8, 300, 364), (8, 200, 364)] {
        let history = history(repeat_days, last, age);
        let what = format!("P(alive) of {history:?}");
        check(&what, 0.3, &|model| model.p_alive(history));
    }
}

fn assert_spending_is_recovered(folded: &Folded, report: &TrainingReport) {
    let truth = folded.industry.truth().spending.unwrap();
    let found = report.models.spending.as_ref().expect("a spending model");
    let found = found.model.parameters;
    let seen: Vec<(f64, f64)> = folded
        .purchases()
        .into_iter()
        .filter_map(|(history, mean)| Some((f64::from(history.repeat_days), mean?)))
        .filter(|(_, mean)| *mean > 0.0)
        .collect();
    let likelihood = |model: SpendingModel| -> f64 {
        seen.iter().map(|(x, m)| model.log_likelihood(*x, *m)).sum()
    };
    let ratio = 2.0 * (likelihood(found) - likelihood(truth));
    assert!((0.0..CHI_SQUARED[3]).contains(&ratio), "{ratio}: {found:?}");
    let model = |[p, q, v]: [f64; 3]| SpendingModel { p, q, v };
    let errors = Errors::new([truth.p, truth.q, truth.v], |at| likelihood(model(at)));
    let mean = |model: SpendingModel| model.expected_mean(0.0, 0.0);
    let within = 4.0 * errors.of_function(|at| mean(model(at)));
    assert!(within < 0.2 * mean(truth), "± {within} is too wide");
    assert_near("the mean purchase", mean(found), mean(truth), within);
}

/// Returns, from the truth alone, the share of stays that leave to each stage within a number of days.
fn shares_left_within(moves: &[MoveTruth], horizon: u32) -> BTreeMap<&'static str, f64> {
    let mut still = 1.0;
    let mut left = BTreeMap::new();
    for day in 0..horizon {
        for taken in moves {
            *left.entry(taken.to).or_insert(0.0) += still * taken.on(day);
        }
        still *= 1.0 - moves.iter().map(|other| other.on(day)).sum::<f64>();
    }
    left
}

fn assert_moves_are_recovered(folded: &Folded, report: &TrainingReport) {
    for (journey, stages) in folded.industry.truth().journeys {
        let trained = report.models.conversion.get(journey);
        let model = &trained
            .unwrap_or_else(|| panic!("a model of {journey}"))
            .model;
        for (stage, moves) in stages {
            let place = model.stages.iter().position(|name| name == stage).unwrap();
            for horizon in [7, 30, 90] {
                let stays = f64::from(entered_before(folded, journey, stage, horizon));
                let found = model.predict(place, 0, horizon).next;
                for (to, chance) in shares_left_within(&moves, horizon) {
                    let to_place = model.stages.iter().position(|name| name == to).unwrap();
                    let within = 4.0 * (chance * (1.0 - chance) / stays).sqrt();
                    let what =
                        format!("{journey}: {stage} to {to} in {horizon} days of {stays} stays");
                    assert!(within < 0.1, "{what}: too few stays");
                    assert_near(&what, found[to_place], chance, within);
                }
            }
        }
    }
}

/// Returns the number of stays in a stage that began at least so many days before the end.
fn entered_before(folded: &Folded, journey: &str, stage: &str, days: u32) -> u32 {
    let end = at("2026-01-01T00:00:00Z").plus_micros(-i64::from(days) * DAY_MICROS);
    let entries = folded.states.values().flat_map(|state| {
        let entries = state.journeys.entries(journey).iter();
        entries.filter(|entry| &*entry.stage == stage && entry.stamp.at < end)
    });
    u32::try_from(entries.count()).unwrap()
}

fn assert_renewals_are_recovered(folded: &Folded, report: &TrainingReport) {
    let trained = report.models.renewal.as_ref().expect("a model of renewals");
    for (plan, truth) in folded.industry.truth().renewals {
        let found = trained.model.plans[plan];
        for months in [1, 3, 6] {
            let subscriptions = f64::from(subscribed_before(folded, plan, months));
            let stays = truth.survival(months);
            let within = 4.0 * (stays * (1.0 - stays) / subscriptions).sqrt();
            let what = format!("{plan}: {months} renewals of {subscriptions} subscriptions");
            assert!(within < 0.2, "{what}: too few to tell anything");
            assert_near(&what, found.survival(months), stays, within);
        }
    }
}

/// Returns the number of subscriptions that began at least so many months before the end.
fn subscribed_before(folded: &Folded, plan: &str, months: u32) -> u32 {
    let end = at("2026-01-01T00:00:00Z").plus_micros(-i64::from(months) * 31 * DAY_MICROS);
    let states = folded.states.values();
    let subscriptions = states.flat_map(|state| state.records().subscriptions.iter());
    let begun = subscriptions.filter(|(_, subscription)| {
        let started = subscription.started_at();
        &*subscription.newest.plan == plan && started.is_some_and(|started| started < end)
    });
    u32::try_from(begun.count()).unwrap()
}

/// Returns the segment of the answers to offers, from a customer's attributes.
fn segment_of(state: &CustomerState) -> Option<&'static str> {
    let value = |name: &str| match &state.attributes.get(name)?.value {
        tidemark_schemas::AttributeValue::String(text) => Some(text.to_string()),
        _ => None,
    };
    ["dwelling", "company_size", "risk_profile", "purpose"]
        .into_iter()
        .find_map(value)
        .map(|value| match value.as_str() {
            "house" => "house_owners",
            "flat" => "flat_dwellers",
            "small_companies" => "small_companies",
            "large_companies" => "large_companies",
            "cautious" => "cautious_clients",
            "balanced" => "balanced_clients",
            "bold" => "bold_clients",
            "home" => "home_seekers",
            "investment" => "investors",
            other => panic!("{other:?}"),
        })
}

fn assert_responses_are_recovered(folded: &Folded) {
    let mut seen = BTreeMap::<(String, &str), Responses>::new();
    for state in folded.states.values() {
        let segment = segment_of(state).unwrap();
        for offer in state.records().offers.iter() {
            let action = offer.offered.action.to_string();
            let responses = seen.entry((action, segment)).or_default();
            responses.offered += 1;
            responses.accepted += u64::from(offer.answer.is_some_and(|answer| answer.accepted));
        }
    }
    for (action, segments) in folded.industry.truth().responses {
        for (segment, rate) in segments {
            let responses = seen[&(action.to_owned(), segment)];
            let offers = f64::from(u32::try_from(responses.offered).unwrap());
            let within = 4.0 * (rate * (1.0 - rate) / offers).sqrt();
            let what = format!("{action} to {segment}, offered {offers} times");
            assert!(within < 0.15, "{what}: too few offers");
            assert_near(&what, responses.rate(rate), rate, within);
        }
    }
}

fn assert_purchases_moves_and_responses_are_recovered(industry: Industry) {
    let folded = Folded::year(industry, 2_000);
    let report = folded.train();
    assert_churn_is_recovered(&folded, &report);
    assert_spending_is_recovered(&folded, &report);
    assert_moves_are_recovered(&folded, &report);
    assert_responses_are_recovered(&folded);
}

#[test]
fn training_recovers_all_parameters_of_a_shop() {
    assert_purchases_moves_and_responses_are_recovered(Industry::Ecommerce);
}

#[test]
fn training_recovers_all_parameters_of_a_bank() {
    assert_purchases_moves_and_responses_are_recovered(Industry::FinancialServices);
}

#[test]
fn training_recovers_moves_and_responses_of_a_broker() {
    let folded = Folded::year(Industry::RealEstate, 1_600);
    let report = folded.train();
    assert_moves_are_recovered(&folded, &report);
    assert_responses_are_recovered(&folded);
}

#[test]
fn training_recovers_renewals_moves_and_responses_of_a_software_company() {
    let folded = Folded::year(Industry::Saas, 2_000);
    let report = folded.train();
    assert_renewals_are_recovered(&folded, &report);
    assert_moves_are_recovered(&folded, &report);
    assert_responses_are_recovered(&folded);
}
