//! Random tenants, definitions over the whole language, and customers' histories.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::state::{CustomerState, Folded};
use tidemark_schemas::event::{
    ActivityTracked, AttributeMap, OrderPlaced, OrderRefunded, ProfileUpdated, StageEntered,
};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, Double, EventId, Instant, Payload,
    TenantId,
};

/// Zones with the hardest clocks: no midnight on some days, midnight twice, clocks set back across
/// midnight, half-hour shifts, a whole day skipped.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Beirut",
];

pub(crate) const DAY: i64 = 86_400 * 1_000_000;

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(ZONES.to_vec())
}

/// Instants around which those clocks changed, and ordinary ones.
pub(crate) fn instants() -> impl Strategy<Value = Instant> {
    let around = prop::sample::select(vec![
        "2018-11-04T03:00:00Z", // São Paulo had no midnight
        "2018-02-18T02:00:00Z", // São Paulo set back at midnight
        "2006-10-29T02:31:00Z", // St John's set back from 00:01 to 23:01
        "2011-12-30T10:00:00Z", // Apia skipped a day
        "2024-11-03T05:00:00Z", // Havana had midnight twice
        "2024-03-31T01:00:00Z", // Berlin
        "2024-03-30T22:00:00Z", // Beirut had no midnight
    ]);
    let near = (around, -3 * DAY..3 * DAY)
        .prop_map(|(text, offset)| text.parse::<Instant>().unwrap().plus_micros(offset));
    let any_day = (0..20_000_i64, 0..DAY)
        .prop_map(|(day, time)| Instant::from_micros(day * DAY + time).unwrap());
    prop_oneof![3 => near, 1 => any_day]
}

pub(crate) fn durations() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..400).prop_map(|days| format!("{days}d")),
        (1..5).prop_map(|days| format!("{days}d")),
        (1..72).prop_map(|hours| format!("{hours}h")),
        (1..90).prop_map(|minutes| format!("{minutes}m")),
    ]
}

pub(crate) fn bounds() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec!["eq", "ne", "gt", "gte", "lt", "lte"]),
        0..6,
    )
        .prop_map(|(operator, bound)| format!("{{ {operator}: {bound} }}"))
}

/// Some of the activities named `e` or `f`.
fn activities() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "name: e",
        "name: f",
        "name: e, where: { name: p, eq: 1 }",
        "name: e, where: { name: p, starts_with: x }",
        "name: f, where: [{ name: p, exists: true }, { name: p, ne: 2 }]",
    ])
    .prop_map(str::to_owned)
}

fn attributes() -> impl Strategy<Value = String> {
    let operators = prop::sample::select(vec![
        "name: a, eq: x",
        "name: a, ne: x",
        "name: a, eq: true",
        "name: a, gt: -1",
        "name: a, lte: 1.5",
        "name: a, between: [-2, 1]",
        "name: a, in: [x, 1, true]",
        "name: a, not_in: [x, 1.5]",
        "name: a, contains: x",
        "name: a, ends_with: y",
        "name: a, matches: '^[xz]'",
        "name: a, exists: true",
        "name: a, missing: true",
        "name: t, after: 2018-11-04",
        "name: t, before: 2024-03-31",
        "name: t, before: '2024-03-31T01:00:00Z'",
        "name: t, after: '2018-11-04T03:00:00Z'",
    ]);
    prop_oneof![
        operators.prop_map(|test| format!("{{ attribute: {{ {test} }} }}")),
        durations().prop_map(|d| format!("{{ attribute: {{ name: a, has_been_for: {d} }} }}")),
        durations()
            .prop_map(|d| format!("{{ attribute: {{ name: a, eq: x, has_been_for: {d} }} }}")),
        durations().prop_map(|d| format!("{{ attribute: {{ name: t, within_last: {d} }} }}")),
    ]
}

fn events() -> impl Strategy<Value = String> {
    let windows = prop_oneof![
        durations().prop_map(|d| format!("within: {d}")),
        (1..4_i32).prop_map(|days| format!("within: {days}d")),
        Just("between: [2018-11-03, 2018-11-04]".to_owned()),
        Just("never: true, within: 30d".to_owned()),
    ];
    let agos = (
        prop::sample::select(vec!["first_time", "last"]),
        prop::sample::select(vec!["within", "not_within"]),
        durations(),
    );
    prop_oneof![
        (activities(), bounds()).prop_map(|(of, b)| format!("{{ event: {{ {of}, count: {b} }} }}")),
        (activities(), windows.clone())
            .prop_map(|(of, window)| format!("{{ event: {{ {of}, {window} }} }}")),
        (activities(), bounds(), durations())
            .prop_map(|(of, b, d)| format!("{{ event: {{ {of}, count: {b}, within: {d} }} }}")),
        (activities(), agos).prop_map(|(of, (key, ago, d))| format!(
            "{{ event: {{ {of}, {key}: {{ {ago}: {d} }} }} }}"
        )),
    ]
}

fn habits() -> impl Strategy<Value = String> {
    let steps = prop::collection::vec(activities().prop_map(|of| format!("{{ {of} }}")), 2..4);
    let within = prop_oneof![
        Just(String::new()),
        durations().prop_map(|d| format!(", within: {d}"))
    ];
    let periods = prop_oneof![
        (Just("day"), 1..300),
        (Just("day"), 1..8),
        (Just("week"), 1..57),
        (Just("month"), 1..13)
    ];
    prop_oneof![
        3 => (steps, durations(), within).prop_map(|(steps, d, within)| format!(
            "{{ sequence: {{ steps: [{}], in: {d}{within} }} }}", steps.join(", ")
        )),
        1 => (activities(), periods, 1..5).prop_map(|(of, (period, last), least): (_, (_, i32), i32)| format!(
            "{{ regularly: {{ {of}, at_least: {}, of: {last}, period: {period} }} }}",
            least.min(last)
        )),
        1 => (activities(), durations()).prop_map(|(of, d)| format!(
            "{{ stopped: {{ {of}, within: {d} }} }}"
        )),
        1 => (activities(), durations()).prop_map(|(of, d)| format!(
            "{{ stopped: {{ {of}, count: {{ gte: 2 }}, within: {d} }} }}"
        )),
        1 => (activities(), 1..100_i32, 1..300_i32).prop_map(|(of, after, within)| format!(
            "{{ restarted: {{ {of}, after: {after}d, within: {within}d }} }}"
        )),
    ]
}

fn others() -> impl Strategy<Value = String> {
    let probability = (
        prop::sample::select(vec!["risk", "p_alive"]),
        prop::sample::select(vec!["gt", "gte", "lt", "lte"]),
        0.0..=1.0,
    );
    let windows = prop_oneof![
        Just(String::new()),
        (1..400).prop_map(|days| format!(", within: {days}d")),
        Just(", between: [2018-11-03, 2018-11-04]".to_owned()),
    ];
    let quantities = prop::sample::select(vec!["count", "revenue", "average"]);
    let fixed = prop::sample::select(vec![
        "{ stage: { journey: j, is: two } }",
        "{ stage: { journey: j, is: [one, two] } }",
        "{ stage: { journey: j, reached: two } }",
        "{ churn: { band: low } }",
        "{ churn: { band: [medium, high] } }",
        "{ bucket: { salt: here, share: 50 } }",
        "{ bucket: { salt: there, share: [20, 70] } }",
        "{ manual: [c, d] }",
        "{ manual: [d] }",
    ]);
    prop_oneof![
        3 => (quantities, bounds(), windows)
            .prop_map(|(of, b, window)| format!("{{ orders: {{ {of}: {b}{window} }} }}")),
        1 => durations().prop_map(|d| format!("{{ stage: {{ journey: j, in_for: {d} }} }}")),
        1 => durations().prop_map(|d| format!("{{ stage: {{ journey: j, is: two, in_for: {d} }} }}")),
        2 => fixed.prop_map(str::to_owned),
        1 => probability.prop_map(|(of, op, p)| format!("{{ churn: {{ {of}: {{ {op}: {p} }} }} }}")),
    ]
}

/// Conditions as YAML, over the whole language but for what reads history.
pub(crate) fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![attributes(), events(), habits(), others()];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|condition| format!("{{ not: {condition} }}")),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|list| format!("{{ all: [{}] }}", list.join(", "))),
            prop::collection::vec(inner, 1..4)
                .prop_map(|list| format!("{{ any: [{}] }}", list.join(", "))),
        ]
    })
}

pub(crate) fn definitions() -> impl Strategy<Value = Arc<TenantDefinitions>> {
    let model = prop::sample::select(vec!["mbg_nbd", "bg_nbd"]);
    (zones(), model, prop::collection::vec(conditions(), 1..5)).prop_map(
        |(zone, model, conditions)| {
            let mut text = format!(
                "tenant:\n  id: t\n  zone: {zone}\n  currency: EUR\n  rates: {{ USD: \"0.92\" }}\n  \
                 churn: {{ model: {model} }}\njourneys:\n  - name: j\n    stages: [one, two]\n\
                 segments:\n"
            );
            for (index, condition) in conditions.iter().enumerate() {
                writeln!(text, "  - name: s{index}\n    when: {condition}").unwrap();
            }
            text.push_str("  - name: other\n    when: { not: { segment: s0 } }\n");
            tenant(&text)
        },
    )
}

pub(crate) fn tenant(text: &str) -> Arc<TenantDefinitions> {
    let bundle = Bundle::from_files(&[("t.yaml".to_owned(), text.to_owned())], "test").unwrap();
    let all = Definitions::default()
        .apply(0, Instant::MIN, &bundle.to_record())
        .unwrap();
    Arc::clone(all.tenants.values().next().unwrap())
}

fn payloads() -> impl Strategy<Value = Payload> {
    let currency = |code| Currency::new(code).unwrap();
    let currencies = prop::sample::select(vec![currency("EUR"), currency("USD"), currency("JPY")]);
    let orders = (0..5_u8).prop_map(|id| Arc::from(format!("o{id}")));
    let values = prop_oneof![
        Just(AttributeValue::Null),
        Just(AttributeValue::Boolean(true)),
        (-3..3_i64).prop_map(AttributeValue::Long),
        Just(AttributeValue::Double(Double::new(1.5).unwrap())),
        prop::sample::select(vec!["x", "y"]).prop_map(|text| AttributeValue::String(text.into())),
    ];
    let times = prop_oneof![
        instants().prop_map(|at| at.to_string()),
        instants().prop_map(|at| at.to_string().get(..10).unwrap().to_owned()),
    ];
    let properties = prop_oneof![
        Just(None),
        (1..3_i64).prop_map(|p| Some(AttributeValue::Long(p))),
        prop::sample::select(vec!["x", "y"]).prop_map(|p| Some(AttributeValue::String(p.into()))),
    ]
    .prop_map(|value| AttributeMap::from_iter(value.map(|value| (Arc::from("p"), value))));
    prop_oneof![
        4 => (orders.clone(), 0..500_i64, currencies.clone()).prop_map(
            |(order_id, amount_minor, currency)| Payload::OrderPlaced(OrderPlaced {
                order_id, amount_minor, currency, items: None, channel: None,
            })
        ),
        1 => (orders, 0..300_i64, currencies).prop_map(
            |(order_id, amount_minor, currency)| Payload::OrderRefunded(OrderRefunded {
                order_id, amount_minor, currency,
            })
        ),
        1 => values.prop_map(|value| profile("a", value)),
        1 => times.prop_map(|time| profile("t", AttributeValue::String(time.into()))),
        8 => (prop::sample::select(vec!["e", "f"]), properties).prop_map(|(name, properties)| {
            Payload::ActivityTracked(ActivityTracked { name: name.into(), properties })
        }),
        1 => prop::sample::select(vec!["one", "two", "unlisted"]).prop_map(|stage| {
            Payload::StageEntered(StageEntered { journey: "j".into(), stage: stage.into() })
        }),
    ]
}

fn profile(name: &str, value: AttributeValue) -> Payload {
    let attributes = BTreeMap::from([(Arc::from(name), value)]);
    Payload::ProfileUpdated(ProfileUpdated { attributes })
}

/// Events of some months around an instant, in order.
pub(crate) fn histories() -> impl Strategy<Value = Vec<CustomerEvent>> {
    let offsets = prop_oneof![
        -2 * DAY..2 * DAY,
        -200 * DAY..200 * DAY,
        // On the hour, so that some occur together, and some as far apart as is asked.
        (-40..40_i64).prop_map(|hours| hours * DAY / 24),
    ];
    (
        instants(),
        prop::collection::vec((offsets, payloads()), 1..12),
    )
        .prop_map(|(base, events)| {
            let mut events: Vec<CustomerEvent> = events
                .into_iter()
                .zip(1_u128..)
                .map(|((offset, payload), id)| CustomerEvent {
                    event_id: EventId(uuid::Uuid::from_u128(id)),
                    tenant_id: TenantId::new("t").unwrap(),
                    customer_id: CustomerId::new("c").unwrap(),
                    source: "test".into(),
                    occurred_at: base.plus_micros(offset),
                    payload,
                })
                .collect();
            events.sort_by_key(|event| event.occurred_at);
            events
        })
}

/// The state after these events in this order, and those of them that were not late or there
/// already. Everything that definitions ask for is counted from the first on.
pub(crate) fn fold(
    events: &[CustomerEvent],
    definitions: &TenantDefinitions,
) -> (CustomerState, Vec<CustomerEvent>) {
    let mut state = CustomerState::default();
    let mut folded = Vec::new();
    for event in events {
        if state.fold(event, &definitions.rules) == Ok(Folded::New) {
            let asking = definitions.tracking(event);
            let asking = asking.map(|(leaf, asked)| (leaf, asked, Instant::MIN));
            state.track(event, &definitions.rules, asking);
            folded.push(event.clone());
        }
    }
    (state, folded)
}

pub(crate) fn state_of(events: &[CustomerEvent], definitions: &TenantDefinitions) -> CustomerState {
    fold(events, definitions).0
}
