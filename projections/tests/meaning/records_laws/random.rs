//! Random conditions on records, and customers' histories.

use std::sync::Arc;

use proptest::prelude::*;
use tidemark_schemas::event::{
    ActionAnswered, ActionOffered, CampaignTouched, Channel, ConsentChanged, ConversationClosed,
    Direction, MessageExchanged, Outcome, SubscriptionChanged, SubscriptionStatus, TicketChanged,
};
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, Double, EventId, Instant, Payload, TenantId,
};

pub(crate) const DAY: i64 = 86_400 * 1_000_000;

fn words(list: &'static [&'static str]) -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(list).prop_map(Arc::from)
}

fn days() -> impl Strategy<Value = String> {
    prop_oneof![1..5_i32, 1..400].prop_map(|days| format!("{days}d"))
}

fn durations() -> impl Strategy<Value = String> {
    prop_oneof![2 => days(), 1 => (1..72).prop_map(|hours| format!("{hours}h"))]
}

fn bounds() -> impl Strategy<Value = String> {
    let operators = prop::sample::select(vec!["eq", "ne", "gt", "gte", "lt", "lte"]);
    (operators, 0..4).prop_map(|(operator, bound)| format!("{{ {operator}: {bound} }}"))
}

/// Some of these tests, none twice, separated by commas.
fn some_of(tests: Vec<BoxedStrategy<String>>) -> impl Strategy<Value = String> {
    let all = tests.len();
    let picked = prop::sample::subsequence((0..all).collect::<Vec<_>>(), 0..=all.min(3));
    (picked, tests).prop_map(|(picked, tests)| {
        let tests: Vec<&str> = picked.iter().map(|index| tests[*index].as_str()).collect();
        tests.join(", ")
    })
}

fn fixed(tests: &[&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(tests.to_vec())
        .prop_map(str::to_owned)
        .boxed()
}

fn ago(key: &'static str) -> BoxedStrategy<String> {
    (
        prop::sample::select(vec!["within", "not_within"]),
        durations(),
    )
        .prop_map(move |(ago, duration)| format!("{key}: {{ {ago}: {duration} }}"))
        .boxed()
}

fn quantity() -> BoxedStrategy<String> {
    let count = bounds().prop_map(|bounds| format!("count: {bounds}"));
    prop_oneof![3 => count, 1 => Just("match: all".to_owned())].boxed()
}

fn subscription() -> impl Strategy<Value = String> {
    let total = bounds()
        .prop_map(|bounds| format!("total_mrr: {bounds}"))
        .boxed();
    some_of(vec![
        fixed(&[
            "status: active",
            "status: cancelled",
            "status: [active, past_due]",
        ]),
        fixed(&["plan: pro", "plan: [basic, pro]"]),
        bounds().prop_map(|bounds| format!("mrr: {bounds}")).boxed(),
        ago("started"),
        ago("changed"),
        quantity(),
        total,
    ])
    .prop_map(|tests| format!("{{ subscription: {{ {tests} }} }}"))
}

fn ticket() -> impl Strategy<Value = String> {
    some_of(vec![
        fixed(&["status: open", "status: [open, solved]"]),
        fixed(&["priority: high"]),
        ago("opened"),
        ago("changed"),
        quantity(),
    ])
    .prop_map(|tests| format!("{{ ticket: {{ {tests} }} }}"))
}

fn offer() -> impl Strategy<Value = String> {
    some_of(vec![
        fixed(&["action: call", "action: [call, gift]"]),
        fixed(&[
            "answer: none",
            "answer: accepted",
            "answer: [none, declined]",
        ]),
        ago("offered"),
        ago("answered"),
        quantity(),
    ])
    .prop_map(|tests| format!("{{ offer: {{ {tests} }} }}"))
}

fn consent() -> impl Strategy<Value = String> {
    (
        fixed(&["purpose: email", "purpose: email, granted: false"]),
        prop_oneof![
            Just(String::new()),
            ago("changed").prop_map(|ago| format!(", {ago}"))
        ],
    )
        .prop_map(|(consent, changed)| format!("{{ consent: {{ {consent}{changed} }} }}"))
}

fn campaign() -> impl Strategy<Value = String> {
    let lines = fixed(&[
        "",
        "name: spring, ",
        "channel: [email, post], ",
        "name: spring, channel: post, ",
    ]);
    let window = prop_oneof![
        Just(String::new()),
        durations().prop_map(|duration| format!(", within: {duration}")),
        Just(", between: [2024-03-29, 2024-04-01]".to_owned()),
    ];
    let day_window = prop_oneof![
        days().prop_map(|days| format!("within: {days}")),
        Just("between: [2024-03-29, 2024-04-01]".to_owned()),
    ];
    let asked = prop_oneof![
        2 => (bounds(), window).prop_map(|(count, window)| format!("count: {count}{window}")),
        2 => (bounds(), day_window).prop_map(|(cost, window)| format!("cost: {cost}, {window}")),
        1 => ago("first_time"),
        1 => ago("last"),
    ];
    (lines, asked).prop_map(|(lines, asked)| format!("{{ campaign: {{ {lines}{asked} }} }}"))
}

fn conversation() -> impl Strategy<Value = String> {
    let tenths = -10..=10_i32;
    let minutes = prop::sample::select(vec![1, 10, 60, 300]);
    let measured = some_of(vec![
        bounds()
            .prop_map(|bounds| format!("count: {bounds}"))
            .boxed(),
        tenths
            .prop_map(|tenths| format!("sentiment: {{ lt: {} }}", f64::from(tenths) / 10.0))
            .boxed(),
        minutes
            .prop_map(|minutes| format!("response_time: {{ gte: {minutes}m }}"))
            .boxed(),
        days().prop_map(|days| format!("within: {days}")).boxed(),
    ]);
    let about = fixed(&[
        "",
        "agent: kim, ",
        "direction: inbound, ",
        "intent: refund, ",
        "intent: [refund, praise], ",
        "outcome: resolved, ",
        "outcome: [resolved, escalated], agent: kim, ",
        "channel: chat, ",
        "channel: [chat, email], direction: outbound, ",
    ]);
    (about, measured)
        .prop_map(|(about, measured)| format!("{{ conversation: {{ {about}{measured} }} }}"))
}

pub(crate) fn leaves() -> impl Strategy<Value = String> {
    prop_oneof![
        subscription(),
        ticket(),
        offer(),
        consent(),
        campaign(),
        conversation()
    ]
}

/// Amounts in whole euros, and in twice as many dollars.
fn money() -> impl Strategy<Value = (i64, Currency)> {
    let codes = prop::sample::select(vec!["EUR", "USD", "GBP"]);
    (0..4_i64, codes).prop_map(|(units, code)| (units * 100, Currency::new(code).unwrap()))
}

fn records() -> impl Strategy<Value = Payload> {
    prop_oneof![
        (
            words(&["a", "b", "c"]),
            prop::sample::select(SubscriptionStatus::ALL),
            words(&["basic", "pro"]),
            money()
        )
            .prop_map(|(subscription_id, status, plan, (mrr_minor, currency))| {
                Payload::SubscriptionChanged(SubscriptionChanged {
                    subscription_id,
                    status,
                    plan,
                    mrr_minor,
                    currency,
                })
            }),
        (
            words(&["a", "b", "c"]),
            words(&["open", "solved"]),
            words(&["high", "low"])
        )
            .prop_map(|(ticket_id, status, priority)| Payload::TicketChanged(
                TicketChanged {
                    ticket_id,
                    status,
                    priority,
                }
            )),
        (
            words(&["a", "b", "c"]),
            words(&["call", "gift", "discount"])
        )
            .prop_map(|(offer_id, action)| Payload::ActionOffered(ActionOffered {
                action,
                offer_id
            })),
        (words(&["a", "b", "c"]), any::<bool>()).prop_map(|(offer_id, accepted)| {
            Payload::ActionAnswered(ActionAnswered { offer_id, accepted })
        }),
        (words(&["email", "sms"]), any::<bool>()).prop_map(|(purpose, granted)| {
            Payload::ConsentChanged(ConsentChanged { purpose, granted })
        }),
    ]
}

fn high_volume() -> impl Strategy<Value = Payload> {
    let agents = || prop::option::of(words(&["kim", "lee"]));
    let channels = prop::sample::select(vec![Channel::Chat, Channel::Email, Channel::Sms]);
    // The lower bounds of buckets, so that the median is exact.
    let responses = prop::sample::select(vec![0, 1 << 16, 1 << 20, 1 << 22, 1 << 24]);
    prop_oneof![
        (
            words(&["spring", "autumn"]),
            words(&["email", "post", "sms"]),
            prop::option::of(money())
        )
            .prop_map(|(campaign, channel, cost)| Payload::CampaignTouched(
                CampaignTouched {
                    campaign,
                    channel,
                    cost_minor: cost.map(|(minor, _)| minor),
                    currency: cost.map(|(_, currency)| currency),
                }
            )),
        (
            agents(),
            channels,
            any::<bool>(),
            prop::option::of(-10..=10_i32),
            prop::option::of(words(&["refund", "praise", "other"])),
            prop::option::of(responses)
        )
            .prop_map(|(agent, channel, inbound, tenths, intent, response_ms)| {
                Payload::MessageExchanged(MessageExchanged {
                    conversation_id: "k".into(),
                    channel,
                    direction: if inbound {
                        Direction::Inbound
                    } else {
                        Direction::Outbound
                    },
                    agent,
                    sentiment: tenths.and_then(|tenths| Double::new(f64::from(tenths) / 10.0)),
                    intent,
                    response_ms,
                })
            }),
        (agents(), prop::sample::select(Outcome::ALL)).prop_map(|(agent, outcome)| {
            Payload::ConversationClosed(ConversationClosed {
                conversation_id: "k".into(),
                outcome,
                agent,
            })
        }),
    ]
}

/// Events of less than a year around an instant at which clocks were changed, in order.
pub(crate) fn histories() -> impl Strategy<Value = Vec<CustomerEvent>> {
    let around = prop::sample::select(vec![
        "2018-11-04T03:00:00Z", // São Paulo had no midnight
        "2018-02-18T02:00:00Z", // São Paulo set back at midnight
        "2011-12-30T10:00:00Z", // Apia skipped a day
        "2024-11-03T05:00:00Z", // Havana had midnight twice
        "2024-03-31T01:00:00Z", // Berlin
        "2024-03-30T22:00:00Z", // Beirut had no midnight
    ]);
    let offsets = prop_oneof![-2 * DAY..2 * DAY, -150 * DAY..150 * DAY];
    let payloads = prop_oneof![records(), high_volume()];
    (around, prop::collection::vec((offsets, payloads), 1..16)).prop_map(|(around, drawn)| {
        let around: Instant = around.parse().unwrap();
        let event = |(number, (offset, payload)): (u128, (i64, Payload))| CustomerEvent {
            event_id: EventId(uuid::Uuid::from_u128(number)),
            tenant_id: TenantId::new("t").unwrap(),
            customer_id: CustomerId::new("c").unwrap(),
            source: "test".into(),
            occurred_at: around.plus_micros(offset),
            payload,
        };
        let mut events: Vec<_> = (0..).zip(drawn).map(event).collect();
        events.sort_by_key(|event| event.occurred_at);
        events
    })
}
