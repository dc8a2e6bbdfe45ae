//! Scores of trained models in the evaluated state: exact in time, counted, and recorded as changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, date};
use proptest::prelude::*;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::evaluated::{Cause, Change, ChangeKind, Delta, EvaluatedState};
use tidemark_projections::models::{Band, RfmCell, TrainedModels};
use tidemark_projections::outputs::{DiscreteScores, evaluate, predict};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::SubscriptionChanged;
use tidemark_schemas::event::SubscriptionStatus::{self, PastDue};
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId};

use crate::renewals::subscribed;
use crate::shop::{Log, SHOP, TRAINED, fold, midnight, order};

fn day(number: u32) -> Date {
    date(1997, 1, 1).saturating_add(jiff::Span::new().days(number))
}

fn trained_shop() -> Arc<TenantDefinitions> {
    let mut log = Log::defined_by(SHOP);
    log.publish(TRAINED.models.clone());
    log.shop()
}

fn buyer(shop: &TenantDefinitions, days: impl IntoIterator<Item = u32>) -> CustomerState {
    let (mut state, mut events) = (CustomerState::default(), 0);
    for on in days {
        let payload = order(events, 1_500 + i64::from(on) * 20);
        fold(&mut state, shop, &mut events, &day(on).to_string(), payload);
    }
    state
}

/// Naive: what `predict` says on a day.
fn expected(
    state: &CustomerState,
    shop: &TenantDefinitions,
    at: Instant,
) -> (Option<String>, Option<u16>) {
    let found = predict(state, shop, at);
    let cell = found.rfm.map(|found| {
        let cell = found.score;
        format!("{}{}{}", cell.recency, cell.frequency, cell.monetary)
    });
    let cluster = found
        .cluster
        .map(|found| u16::try_from(found.score.cluster + 1).unwrap());
    (cell, cluster)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_year_of_timers_equals_daily_evaluation_of_scores(
        days in prop::collection::btree_set(0..120_u32, 1..6)
    ) {
        let shop = trained_shop();
        let last = *days.last().unwrap();
        let state = buyer(&shop, days);
        let mut evaluated = EvaluatedState::new(shop.version);
        let mut changes = Vec::new();
        evaluated.redefine(&state, &shop, midnight(day(last + 1)), &mut changes);
        let mut counts: BTreeMap<(CounterKind, String), i64> = BTreeMap::new();
        let mut count = |before: Option<&EvaluatedState>, now: &EvaluatedState| {
            for (kind, name, by) in Delta::between(before, now).counters() {
                *counts.entry((kind, name)).or_default() += by;
            }
        };
        count(None, &evaluated);
        for number in last + 2..last + 365 {
            let before = evaluated.clone();
            let known = changes.len();
            evaluated.step_to(&state, &shop, midnight(day(number)), &mut changes);
            count(Some(&before), &evaluated);
            let found = (
                evaluated.discrete_scores.rfm.map(RfmCell::name),
                evaluated.discrete_scores.cluster,
            );
            prop_assert_eq!(&found, &expected(&state, &shop, midnight(day(number))));
            for change in &changes[known..] {
                prop_assert_eq!(change.cause, Cause::Timer);
                prop_assert_eq!(change.effective_at, midnight(day(number)), "to the day");
            }
            let read = EvaluatedState::decode(&evaluated.encode()).unwrap();
            prop_assert_eq!(&read, &evaluated);
        }
        // Each customer is in one cell, one cluster and one band at a time.
        for kind in [CounterKind::Rfm, CounterKind::Cluster, CounterKind::Band] {
            let of_kind = counts.iter().filter(|((of, _), _)| *of == kind);
            prop_assert_eq!(of_kind.map(|(_, count)| count).sum::<i64>(), 1, "{:?}", kind);
        }
        // What is at stake does not melt away while the customer is silent.
        prop_assert!(evaluated.discrete_scores.value_minor.unwrap() > 0);
        let cells: Vec<&Change> = changes.iter().filter(|of| of.kind == ChangeKind::Rfm).collect();
        prop_assert!(cells.len() >= 2, "{:?}", cells);
        prop_assert!(cells.windows(2).all(|pair| pair[0].to == pair[1].from));
    }
}

#[test]
fn without_models_no_scores_are_stored() {
    let plain = Log::defined_by(SHOP).shop();
    let state = buyer(&plain, [0, 9]);
    let now = midnight(day(10));
    let mut evaluated = EvaluatedState::new(0);
    evaluated.redefine(&state, &plain, now, &mut Vec::new());
    assert_eq!(evaluated.discrete_scores, DiscreteScores::default());
    let bytes = evaluated.encode().len();
    let trained = trained_shop();
    evaluated.redefine(&state, &trained, now, &mut Vec::new());
    assert!(evaluated.encode().len() > bytes);
    // With the same models taken out again it takes as much room as before.
    evaluated.redefine(&state, &plain, now, &mut Vec::new());
    assert_eq!(evaluated.encode().len(), bytes);
}

#[test]
fn a_new_model_re_evaluates_scores_and_records_changes() {
    let shop = trained_shop();
    let state = buyer(&shop, [0, 30, 60]);
    let now = midnight(day(61));
    let mut evaluated = EvaluatedState::new(shop.version);
    evaluated.redefine(&state, &shop, now, &mut Vec::new());
    assert_eq!(evaluated.discrete_scores.rfm.unwrap().recency, 5);
    let mut models = TRAINED.models.clone();
    models.rfm.as_mut().unwrap().model.recency_days = [0, 0, 0, 0];
    models.clusters = None;
    let mut log = Log::defined_by(SHOP);
    log.publish(TRAINED.models.clone());
    log.publish(models);
    let newer = log.shop();
    let mut changes = Vec::new();
    evaluated.redefine(&state, &newer, now, &mut changes);
    let said: Vec<_> = changes
        .iter()
        .map(|of| {
            (
                of.kind.name(),
                of.from.as_deref(),
                of.to.as_deref(),
                of.cause,
            )
        })
        .collect();
    let group = changes[1].from.as_deref();
    assert_eq!(
        said,
        [
            ("rfm", Some("544"), Some("144"), Cause::Definition),
            ("cluster", group, None, Cause::Definition),
        ]
    );
    assert!(
        changes
            .iter()
            .all(|of| of.definition_version == newer.version)
    );
    assert!(evaluated.discrete_scores.cluster.is_none());
}

/// A thousand subscribers with the monthly retention that Fader and Hardie (2007) publish
/// for the High End plan.
fn with_renewals() -> TrainedModels {
    let mut models: TrainedModels = TRAINED.models.clone();
    let renewal = r#"{"from":"2024-01-01","as_of":"2024-09-01","customers":100,"model":{
        "all":{"alpha":0.6,"beta":3.8},"log_likelihood":-9.5,
        "holdout":{"from":"2024-07-01","subscriptions":0,"calibration":[]}}}"#;
    models.renewal = Some(serde_json::from_str(renewal).unwrap());
    models
}

fn payloads() -> impl Strategy<Value = Payload> {
    let subscribed = (
        0..2_u8,
        prop::sample::select(SubscriptionStatus::ALL.to_vec()),
    );
    prop_oneof![
        (0..9_u128, 100..9_000_i64).prop_map(|(id, cents)| order(id, cents)),
        subscribed.prop_map(
            |(id, status)| Payload::SubscriptionChanged(SubscriptionChanged {
                subscription_id: id.to_string().as_str().into(),
                status,
                plan: "pro".into(),
                mrr_minor: 900,
                currency: Currency::new("USD").unwrap(),
            })
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scores_after_each_event_equal_a_full_evaluation(
        events in prop::collection::vec((0..200_u32, payloads()), 1..12), pause in 0..90_u32
    ) {
        let mut log = Log::defined_by(SHOP);
        log.publish(with_renewals());
        let shop = log.shop();
        let (mut state, mut evaluated) = (CustomerState::default(), EvaluatedState::new(shop.version));
        let (mut clock, mut changes) = (0, Vec::new());
        for (number, (on, payload)) in (1..).zip(events) {
            clock = clock.max(on);
            let event = CustomerEvent {
                event_id: EventId(uuid::Uuid::from_u128(number)),
                tenant_id: TenantId::new("shop").unwrap(),
                customer_id: CustomerId::new("c").unwrap(),
                source: "test".into(),
                occurred_at: midnight(day(on)),
                payload,
            };
            if state.first_seen_at().is_some() {
                evaluated.step_to(&state, &shop, midnight(day(clock)), &mut changes);
            }
            state.fold(&event, &shop.rules).unwrap();
            evaluated.observe(&state, &shop, &event, &mut changes);
            let whole = evaluate(&state, &shop, evaluated.evaluated_at);
            prop_assert_eq!(evaluated.discrete_scores, whole.discrete_scores);
            prop_assert_eq!(evaluated.band, whole.band);
            clock += pause / 3;
        }
        evaluated.step_to(&state, &shop, midnight(day(clock + 400)), &mut changes);
        let whole = evaluate(&state, &shop, midnight(day(clock + 400)));
        prop_assert_eq!(evaluated.discrete_scores, whole.discrete_scores);
    }
}

#[test]
fn a_buyer_with_a_subscription_has_both_bands() {
    let models = with_renewals();
    let mut log = Log::defined_by(
        "tenant: { id: shop, zone: UTC, currency: USD, churn: { renewal: { medium: 0.01, high: 0.5 } } }",
    );
    log.publish(models);
    let shop = log.shop();
    assert_eq!(
        Log::defined_by(&shop.source.to_yaml()).shop().source,
        shop.source
    );
    let mut state = buyer(&shop, [0]);
    state.merge(&subscribed(
        &shop,
        &mut 100,
        "pro",
        &[("1997-01-05", PastDue)],
    ));
    let mut evaluated = EvaluatedState::new(shop.version);
    let mut changes = Vec::new();
    evaluated.redefine(&state, &shop, midnight(day(900)), &mut changes);
    assert_eq!(
        (evaluated.band, evaluated.discrete_scores.renewal),
        (Some(Band::High), Some(Band::Medium))
    );
    let bands: Vec<_> = changes
        .iter()
        .filter(|of| [ChangeKind::Band, ChangeKind::RenewalBand].contains(&of.kind))
        .map(|of| (of.kind.name(), &*of.name, of.to.as_deref().unwrap()))
        .collect();
    assert_eq!(
        bands,
        [
            ("band", "churn", "high"),
            ("renewal_band", "renewal_band", "medium")
        ]
    );
}

#[test]
fn evaluated_states_with_damaged_scores_are_refused() {
    let shop = trained_shop();
    let state = buyer(&shop, [0, 30]);
    let mut evaluated = EvaluatedState::new(shop.version);
    evaluated.redefine(&state, &shop, midnight(day(31)), &mut Vec::new());
    let bytes = evaluated.encode();
    for end in 1..8 {
        let mut cut = bytes.clone();
        cut.truncate(bytes.len() - end);
        let read = EvaluatedState::decode(&cut);
        assert!(read.is_err() || read.unwrap().discrete_scores == DiscreteScores::default());
    }
    let mut without = evaluated.clone();
    without.discrete_scores = DiscreteScores::default();
    let mut nothing_said = without.encode();
    nothing_said.push(0);
    assert!(
        EvaluatedState::decode(&nothing_said).is_err(),
        "there is one encoding of each"
    );
}
