//! The `rfm`, `cluster` and `value` leaves: what they mean, and never late.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, TenantDefinitions};
use tidemark_projections::models::Rfm;
use tidemark_projections::outputs::{derive, evaluate, predict};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::Instant;

use crate::shop::{Log, SHOP, TRAINED, fold, midnight, order};

pub(crate) fn shop(conditions: &[&str]) -> Arc<TenantDefinitions> {
    let mut text = format!("{SHOP}\nsegments:\n");
    for (index, condition) in conditions.iter().enumerate() {
        writeln!(text, "  - {{ name: s{index}, when: {{ {condition} }} }}").unwrap();
    }
    let mut log = Log::defined_by(&text);
    log.publish(TRAINED.models.clone());
    log.shop()
}

fn day(number: u32) -> jiff::civil::Date {
    jiff::civil::date(1997, 1, 1).saturating_add(jiff::Span::new().days(number))
}

pub(crate) fn customer(
    shop: &TenantDefinitions,
    days: impl IntoIterator<Item = u32>,
) -> CustomerState {
    let (mut state, mut events) = (CustomerState::default(), 0);
    for on in days {
        let payload = order(events, 2_000 + i64::from(on) * 10);
        fold(&mut state, shop, &mut events, &day(on).to_string(), payload);
    }
    state
}

pub(crate) fn at(number: u32) -> Instant {
    midnight(day(number))
}

#[test]
fn score_conditions_agree_with_the_models() {
    let shop = shop(&[
        "rfm: { recency: { eq: 5 }, monetary: { gte: 4 } }",
        "rfm: { frequency: { lte: 4 } }",
        "cluster: 1",
        "cluster: [1, 2, 3, 4, 5, 6, 7, 8]",
        "value: { within: 90d, purchases: { gte: 1 } }",
        "value: { amount: { gte: 20.5 } }",
        "value: { within: 30d, amount: { lt: 0.01 } }",
    ]);
    let buyer = customer(&shop, [0, 20, 45, 60, 80]);
    let now = at(81);
    let found = predict(&buyer, &shop, now);
    let cell = found.rfm.unwrap().score;
    assert_eq!((cell.recency, cell.frequency, cell.monetary), (5, 5, 5));
    assert_eq!(found.cluster.unwrap().score.cluster, 0);
    let horizons = found.value.unwrap().score.horizons;
    assert!(horizons[1].expected_purchases >= 1.0 && horizons[2].value_minor.unwrap() >= 2_050.0);
    let members = |state, now| -> Vec<String> {
        let outputs = derive(state, &shop, now);
        outputs
            .segments
            .iter()
            .map(|name| String::from(&**name))
            .collect()
    };
    assert_eq!(members(&buyer, now), ["s0", "s2", "s3", "s4", "s5"]);
    // Years later no purchases are expected, and all customers are in the last cluster.
    assert_eq!(members(&buyer, at(20_000)), ["s3", "s6"]);
    // A customer without purchases is in none.
    assert!(members(&CustomerState::default(), now).is_empty());
}

#[test]
fn invalid_score_conditions_are_refused() {
    let check = |condition: &str, expected: &str| {
        let text = format!("{SHOP}\nsegments: [{{ name: s, when: {{ {condition} }} }}]");
        let errors = Bundle::from_files(&[("f.yaml".to_owned(), text)], "me").unwrap_err();
        assert!(errors[0].message.contains(expected), "{errors:?}");
    };
    check("rfm: {}", "lacks `recency`, `frequency` or `monetary`");
    check("rfm: { recency: { gte: 6 } }", "a fifth, from 1 to 5");
    check("rfm: { recncy: { gte: 4 } }", "did you mean \"recency\"?");
    check("cluster: 0", "the number of a cluster, from 1");
    check("cluster: best", "a whole number");
    check(
        "value: { within: 90d }",
        "lacks `purchases`, `amount` or `percentile`",
    );
    check("value: { within: 12h, amount: { gt: 1 } }", "not in days");
    check(
        "value: { within: 3651d, amount: { gt: 1 } }",
        "longer than 3650d",
    );
    check("value: { amount: { eq: 1 } }", "unknown operator");
    check("value: { amount: { gt: -1 } }", "a number not below 0");
}

pub(crate) fn conditions() -> impl Strategy<Value = String> {
    let operator = || prop::sample::select(vec!["gt", "gte", "lt", "lte"]);
    prop_oneof![
        (operator(), 1..6).prop_map(|(op, of)| format!("rfm: {{ recency: {{ {op}: {of} }} }}")),
        (operator(), 1..6).prop_map(|(op, of)| format!(
            "rfm: {{ frequency: {{ {op}: {of} }}, recency: {{ lt: 4 }} }}"
        )),
        (1..5).prop_map(|number| format!("cluster: {number}")),
        (operator(), 0.0..3.0, 1..400).prop_map(|(op, of, days)| format!(
            "value: {{ within: {days}d, purchases: {{ {op}: {of} }} }}"
        )),
        (operator(), 0.0..60.0, 1..400).prop_map(|(op, of, days)| format!(
            "value: {{ within: {days}d, amount: {{ {op}: {of} }} }}"
        )),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The measures of a cell, computed from the list of orders, sorted or not.
    #[test]
    fn rfm_cells_equal_the_sorted_orders_in_any_order(
        days in prop::collection::vec(0..200_u32, 1..12).prop_shuffle(), later in 1..300_u32
    ) {
        let shop = shop(&["rfm: { recency: { gte: 4 } }", "rfm: { frequency: { gte: 4 } }",
            "rfm: { monetary: { gte: 4 } }", "cluster: 1"]);
        let last = *days.iter().max().unwrap();
        let mut distinct = days.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let rfm = Rfm {
            recency_days: i64::from(later),
            frequency: u32::try_from(distinct.len()).unwrap(),
            monetary_minor: days.iter().map(|day| 2_000 + i64::from(*day) * 10).sum(),
        };
        let models = &shop.models;
        let cell = models.rfm.as_ref().unwrap().model.cell(rfm);
        let cluster = models.clusters.as_ref().unwrap().model.assign(rfm).cluster;
        let expected =
            [cell.recency >= 4, cell.frequency >= 4, cell.monetary >= 4, cluster == 0];
        let state = customer(&shop, days);
        prop_assert_eq!(&evaluate(&state, &shop, at(last + later)).segments[..], &expected[..]);
    }

    #[test]
    fn score_conditions_change_only_at_next_change(
        condition in conditions(), days in prop::collection::btree_set(0..200_u32, 1..6)
    ) {
        let shop = shop(&[&condition]);
        let first = days.last().unwrap() + 1;
        let state = customer(&shop, days);
        let (mut known, mut looks) = (evaluate(&state, &shop, at(first)), 0);
        for number in first + 1..first + 700 {
            let now = evaluate(&state, &shop, at(number));
            if known.next_change.is_some_and(|due| due <= at(number)) {
                // The band is looked at as well; without it every look is of the leaf's own.
                (known, looks) = (now, looks + 1);
            } else {
                prop_assert_eq!(&now.segments, &known.segments, "day {}", number);
                prop_assert_eq!(now.band, known.band);
            }
        }
        prop_assert!(looks <= 40, "looked at nearly every day: {}", looks);
    }
}
