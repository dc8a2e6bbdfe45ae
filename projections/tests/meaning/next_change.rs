//! The law of `next_change`: between two of them nothing discrete changes by itself.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::outputs::{Outputs, derive, evaluate, next_change};
use tidemark_projections::state::CustomerState;
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

const DAY: i64 = 86_400 * 1_000_000;

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(ZONES.to_vec())
}

/// Instants around which those clocks changed, and ordinary ones.
fn instants() -> impl Strategy<Value = Instant> {
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

fn durations() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..400).prop_map(|days| format!("{days}d")),
        (1..5).prop_map(|days| format!("{days}d")),
        (1..72).prop_map(|hours| format!("{hours}h")),
        (1..90).prop_map(|minutes| format!("{minutes}m")),
    ]
}

fn bounds() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec!["eq", "ne", "gt", "gte", "lt", "lte"]),
        0..6,
    )
        .prop_map(|(operator, bound)| format!("{{ {operator}: {bound} }}"))
}

fn conditions() -> impl Strategy<Value = String> {
    let probability = (
        prop::sample::select(vec!["gt", "gte", "lt", "lte"]),
        0.0..=1.0,
    );
    let leaf = prop_oneof![
        durations().prop_map(|d| format!("{{ attribute: {{ name: a, has_been_for: {d} }} }}")),
        durations()
            .prop_map(|d| format!("{{ attribute: {{ name: a, eq: x, has_been_for: {d} }} }}")),
        durations().prop_map(|d| format!("{{ attribute: {{ name: t, within_last: {d} }} }}")),
        Just("{ attribute: { name: t, after: 2018-11-04 } }".to_owned()),
        (bounds(), durations())
            .prop_map(|(b, d)| format!("{{ event: {{ name: e, count: {b}, within: {d} }} }}")),
        (bounds(), 1..4_i32).prop_map(|(b, days)| format!(
            "{{ event: {{ name: e, count: {b}, within: {days}d }} }}"
        )),
        Just("{ event: { name: e, never: true, within: 30d } }".to_owned()),
        Just(
            "{ event: { name: e, count: { lte: 2 }, between: [2018-11-03, 2018-11-04] } }"
                .to_owned()
        ),
        durations()
            .prop_map(|d| format!("{{ event: {{ name: e, first_time: {{ within: {d} }} }} }}")),
        durations()
            .prop_map(|d| format!("{{ event: {{ name: f, last: {{ not_within: {d} }} }} }}")),
        (bounds(), 1..400)
            .prop_map(|(b, days)| format!("{{ orders: {{ count: {b}, within: {days}d }} }}")),
        (bounds(), 1..400)
            .prop_map(|(b, days)| format!("{{ orders: {{ revenue: {b}, within: {days}d }} }}")),
        (bounds(), 1..400)
            .prop_map(|(b, days)| format!("{{ orders: {{ average: {b}, within: {days}d }} }}")),
        bounds().prop_map(|b| format!("{{ orders: {{ count: {b} }} }}")),
        durations().prop_map(|d| format!("{{ stage: {{ journey: j, in_for: {d} }} }}")),
        durations().prop_map(|d| format!("{{ stage: {{ journey: j, is: two, in_for: {d} }} }}")),
        Just("{ stage: { journey: j, reached: two } }".to_owned()),
        prop::sample::select(vec!["low", "medium", "[medium, high]", "high"])
            .prop_map(|band| format!("{{ churn: {{ band: {band} }} }}")),
        probability
            .clone()
            .prop_map(|(op, p)| format!("{{ churn: {{ risk: {{ {op}: {p} }} }} }}")),
        probability.prop_map(|(op, p)| format!("{{ churn: {{ p_alive: {{ {op}: {p} }} }} }}")),
    ];
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

fn definitions() -> impl Strategy<Value = Arc<TenantDefinitions>> {
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

fn tenant(text: &str) -> Arc<TenantDefinitions> {
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
        4 => prop::sample::select(vec!["e", "f"]).prop_map(|name| {
            let properties = AttributeMap::new();
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
fn histories() -> impl Strategy<Value = Vec<CustomerEvent>> {
    let offsets = prop_oneof![-2 * DAY..2 * DAY, -200 * DAY..200 * DAY];
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

fn state_of(events: &[CustomerEvent], definitions: &TenantDefinitions) -> CustomerState {
    let mut state = CustomerState::default();
    for event in events {
        state.fold(event, &definitions.rules).unwrap();
    }
    state
}

/// What must not change between two instants.
fn discrete(outputs: &Outputs) -> impl PartialEq + std::fmt::Debug {
    (
        outputs.segments.clone(),
        outputs.journeys.clone(),
        outputs.churn.band,
    )
}

/// More steps than any of these histories can give cause to.
const MAX_STEPS: usize = 2_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_changes_before_the_next_change(
        definitions in definitions(),
        events in histories(),
        delay in 0..3 * DAY,
        shares in prop::collection::vec(0.0..1.0_f64, 3),
    ) {
        let state = state_of(&events, &definitions);
        let mut at = state.last_seen_at().unwrap().plus_micros(delay);
        for _ in 0..MAX_STEPS {
            let now = derive(&state, &definitions, at);
            let next = next_change(&state, &definitions, at);
            let last = next.unwrap_or(at.plus_micros(2_000 * DAY)).plus_micros(-1);
            prop_assert!(last >= at, "{next:?} is not after {at}");
            let span = last.micros() - at.micros();
            let mut samples = vec![last, at.plus_micros(1).min(last)];
            for share in &shares {
                // A share of a day as well as of the whole: windows end at midnights.
                for part in [span, span.min(DAY), span.min(3_600_000_000)] {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss,
                        reason = "any instant in between will do")]
                    samples.push(at.plus_micros((part as f64 * share) as i64));
                }
            }
            for sample in samples {
                let later = derive(&state, &definitions, sample);
                prop_assert_eq!(
                    discrete(&later), discrete(&now), "at {} of [{}, {:?})", sample, at, next
                );
            }
            match next {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
        prop_assert!(false, "more than {MAX_STEPS} steps");
    }

    #[test]
    fn evaluating_and_deriving_agree(
        definitions in definitions(), events in histories(), delay in 0..900 * DAY
    ) {
        let state = state_of(&events, &definitions);
        let at = state.last_seen_at().unwrap().plus_micros(delay);
        let full = derive(&state, &definitions, at);
        let fast = evaluate(&state, &definitions, at);
        let members: Vec<bool> = definitions
            .segments
            .iter()
            .map(|segment| full.segments.contains(&segment.name))
            .collect();
        prop_assert_eq!(&fast.segments, &members);
        prop_assert_eq!(fast.band, full.churn.band);
        prop_assert_eq!(fast.stages.len(), full.journeys.len());
        prop_assert_eq!(full.segments.contains("other"), !full.segments.contains("s0"));
    }

    #[test]
    fn an_instant_before_the_events_is_harmless(
        definitions in definitions(), events in histories(), at in instants()
    ) {
        let state = state_of(&events, &definitions);
        for at in [at, Instant::MIN, Instant::MAX] {
            let outputs = derive(&state, &definitions, at);
            prop_assert!(outputs.churn.p_alive.is_none_or(|p| (0.0..=1.0).contains(&p)));
            prop_assert!(next_change(&state, &definitions, at).is_none_or(|next| next > at));
        }
    }
}
