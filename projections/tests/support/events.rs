//! Events drawn at random, from so small a world that ties, repeated ids, equal values and refunds
//! ahead of their orders are common.

use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tidemark_projections::state::{CustomerState, FoldRules};
use tidemark_schemas::event::{
    ActionAnswered, ActionOffered, ActivityTracked, AttributeMap, CampaignTouched, Channel,
    ConsentChanged, ConversationClosed, CustomerErased, Direction, IdentityMerged,
    IdentityUnmerged, MessageExchanged, OrderPlaced, OrderRefunded, Outcome, ProfileUpdated,
    StageEntered, SubscriptionChanged, SubscriptionStatus, TicketChanged,
};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, Double, EventId, Instant, Payload,
    TenantId,
};
use uuid::Uuid;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;
pub(crate) const HORIZON: i64 = 7 * DAY;
/// 2026-03-27: the generated events fall around the change to summer time.
const START: i64 = 1_774_569_600 * SECOND;

/// Central Europe, by rule, so that no time zone database is needed.
pub(crate) fn rules() -> FoldRules {
    FoldRules {
        zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
        dedup_horizon_micros: HORIZON,
    }
}

pub(crate) fn text(text: &str) -> Arc<str> {
    Arc::from(text)
}

pub(crate) fn currency(code: &str) -> Currency {
    Currency::new(code).unwrap()
}

/// That many microseconds after the beginning of the generated world.
pub(crate) fn after(micros: i64) -> Instant {
    Instant::from_micros(START + micros).unwrap()
}

pub(crate) fn event(id: u128, occurred_at: Instant, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::from_u128(id)),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new("c-1").unwrap(),
        source: text("test"),
        occurred_at,
        payload,
    }
}

pub(crate) fn profile<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Payload {
    let attributes = attributes
        .into_iter()
        .map(|(name, value)| (text(name), value))
        .collect();
    Payload::ProfileUpdated(ProfileUpdated { attributes })
}

pub(crate) fn string(value: &str) -> AttributeValue {
    AttributeValue::String(text(value))
}

pub(crate) fn activity(name: &str) -> Payload {
    Payload::ActivityTracked(ActivityTracked {
        name: text(name),
        properties: AttributeMap::default(),
    })
}

/// An e-mail to an agent.
pub(crate) fn message(agent: &str) -> Payload {
    Payload::MessageExchanged(MessageExchanged {
        conversation_id: text("k-1"),
        channel: Channel::Email,
        direction: Direction::Inbound,
        agent: Some(text(agent)),
        sentiment: Double::new(-0.5),
        intent: None,
        response_ms: None,
    })
}

pub(crate) fn touch(campaign: &str) -> Payload {
    Payload::CampaignTouched(CampaignTouched {
        campaign: text(campaign),
        channel: text("email"),
        cost_minor: None,
        currency: None,
    })
}

pub(crate) fn order(order_id: &str, amount_minor: i64) -> Payload {
    Payload::OrderPlaced(OrderPlaced {
        order_id: text(order_id),
        amount_minor,
        currency: currency("EUR"),
        items: None,
        channel: None,
    })
}

pub(crate) fn refund(order_id: &str, amount_minor: i64) -> Payload {
    Payload::OrderRefunded(OrderRefunded {
        order_id: text(order_id),
        amount_minor,
        currency: currency("EUR"),
    })
}

pub(crate) fn stage(journey: &str, stage: &str) -> Payload {
    Payload::StageEntered(StageEntered {
        journey: text(journey),
        stage: text(stage),
    })
}

/// The state of events folded in that order, and which of them were not refused.
pub(crate) fn fold(events: &[CustomerEvent]) -> (CustomerState, Vec<CustomerEvent>) {
    let rules = rules();
    let mut state = CustomerState::default();
    let accepted = events
        .iter()
        .filter(|event| state.fold(event, &rules).is_ok());
    let accepted = accepted.cloned().collect();
    (state, accepted)
}

/// The same events, the oldest first: an order in which none is ever late.
pub(crate) fn oldest_first(events: &[CustomerEvent]) -> Vec<CustomerEvent> {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|event| event.occurred_at);
    sorted
}

/// Events of any kind within so many dedup horizons of each other.
pub(crate) fn events(horizons: i64, at_most: usize) -> impl Strategy<Value = Vec<CustomerEvent>> {
    vec(any_event(horizons), 0..=at_most)
}

fn any_event(horizons: i64) -> impl Strategy<Value = CustomerEvent> {
    (0_u128..48, 0..=24 * horizons, payload()).prop_map(|(id, tick, payload)| {
        // An id names one event: what it says must not depend on which of two came first.
        let payload = payload.unwrap_or_else(|| high_volume(id));
        event(id, after(tick * (HORIZON / 24)), payload)
    })
}

/// The same events under other ids, as another customer's would be.
pub(crate) fn under_other_ids(events: &[CustomerEvent], distance: u128) -> Vec<CustomerEvent> {
    let mut events = events.to_vec();
    for event in &mut events {
        event.event_id = EventId(Uuid::from_u128(event.event_id.0.as_u128() + distance));
    }
    events
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(words).prop_map(text)
}

fn money() -> impl Strategy<Value = (i64, Currency)> {
    (
        prop_oneof![0_i64..300, Just(i64::MAX)],
        one_of(&["EUR", "JPY", "USD"]),
    )
        .prop_map(|(amount, code)| (amount, currency(&code)))
}

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        1 => Just(AttributeValue::Null),
        1 => any::<bool>().prop_map(AttributeValue::Boolean),
        1 => prop_oneof![0_i64..2, Just(i64::MIN)].prop_map(AttributeValue::Long),
        1 => Just(AttributeValue::Double(Double::new(-0.5).unwrap())),
        4 => one_of(&["free", "pro"]).prop_map(AttributeValue::String),
    ]
}

/// `None` is a high-volume event.
fn payload() -> impl Strategy<Value = Option<Payload>> {
    prop_oneof![
        6 => consequential().prop_map(Some),
        2 => Just(None),
    ]
}

fn consequential() -> impl Strategy<Value = Payload> {
    prop_oneof![
        4 => btree_map(one_of(&["city", "plan"]), value(), 0..3)
            .prop_map(|attributes| Payload::ProfileUpdated(ProfileUpdated { attributes })),
        2 => (one_of(&["o-1", "o-2", "o-3"]), money()).prop_map(
            |(order_id, (amount_minor, currency))| Payload::OrderPlaced(OrderPlaced {
                order_id,
                amount_minor,
                currency,
                items: None,
                channel: None,
            })
        ),
        2 => (one_of(&["o-1", "o-2", "o-3"]), money()).prop_map(
            |(order_id, (amount_minor, currency))| Payload::OrderRefunded(OrderRefunded {
                order_id,
                amount_minor,
                currency,
            })
        ),
        2 => (one_of(&["sales", "support"]), one_of(&["lead", "trial", "customer"]))
            .prop_map(|(journey, stage)| Payload::StageEntered(StageEntered { journey, stage })),
        2 => for_life(),
    ]
}

/// Any kind of high-volume event, the same for the same id.
fn high_volume(id: u128) -> Payload {
    let pick = |words: &[&str], by: u128| {
        let place = usize::try_from(id / by).unwrap() % words.len();
        text(words[place])
    };
    let agent = (!id.is_multiple_of(3)).then(|| pick(&["kim", "lee"], 3));
    let number = i64::try_from(id).unwrap();
    match id % 4 {
        0 => Payload::ActivityTracked(ActivityTracked {
            name: pick(&["page_viewed", "login"], 4),
            properties: AttributeMap::default(),
        }),
        1 => Payload::MessageExchanged(MessageExchanged {
            conversation_id: text("k-1"),
            channel: Channel::ALL[usize::try_from(id / 4).unwrap() % Channel::ALL.len()],
            direction: if id.is_multiple_of(8) {
                Direction::Inbound
            } else {
                Direction::Outbound
            },
            agent,
            sentiment: Double::new(
                [-1.0, -0.333_5, 0.0, 0.333_4][usize::try_from(id / 4).unwrap() % 4],
            ),
            intent: id.is_multiple_of(5).then(|| pick(&["refund", "praise"], 5)),
            response_ms: (number % 2 == 1).then_some(number * number * 1_000),
        }),
        2 => Payload::ConversationClosed(ConversationClosed {
            conversation_id: text("k-1"),
            outcome: Outcome::ALL[usize::try_from(id / 4).unwrap() % Outcome::ALL.len()],
            agent,
        }),
        _ => touch("spring"),
    }
}

fn for_life() -> impl Strategy<Value = Payload> {
    let other = CustomerId::new("c-2").unwrap();
    let subscription = SubscriptionChanged {
        subscription_id: text("s-1"),
        status: SubscriptionStatus::Active,
        plan: text("pro"),
        mrr_minor: 900,
        currency: currency("EUR"),
    };
    let ticket = TicketChanged {
        ticket_id: text("t-1"),
        status: text("open"),
        priority: text("high"),
    };
    prop::sample::select(vec![
        Payload::SubscriptionChanged(subscription),
        Payload::TicketChanged(ticket),
        Payload::ActionOffered(ActionOffered {
            action: text("call"),
            offer_id: text("x-1"),
        }),
        Payload::ActionAnswered(ActionAnswered {
            offer_id: text("x-1"),
            accepted: true,
        }),
        Payload::ConsentChanged(ConsentChanged {
            purpose: text("email"),
            granted: true,
        }),
        Payload::IdentityMerged(IdentityMerged {
            into_customer_id: other.clone(),
        }),
        Payload::IdentityUnmerged(IdentityUnmerged {
            from_customer_id: other,
        }),
        Payload::CustomerErased(CustomerErased {
            reason: text("asked"),
        }),
    ])
}
