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

/// Returns the instant that many microseconds after the start of the generated world.
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

/// A touch that cost so many cents.
pub(crate) fn paid_touch(campaign: &str, channel: &str, cost_minor: i64) -> Payload {
    Payload::CampaignTouched(CampaignTouched {
        campaign: text(campaign),
        channel: text(channel),
        cost_minor: Some(cost_minor),
        currency: Some(currency("EUR")),
    })
}

pub(crate) fn subscription(
    subscription_id: &str,
    status: SubscriptionStatus,
    plan: &str,
    mrr_minor: i64,
    currency: Currency,
) -> Payload {
    Payload::SubscriptionChanged(SubscriptionChanged {
        subscription_id: text(subscription_id),
        status,
        plan: text(plan),
        mrr_minor,
        currency,
    })
}

pub(crate) fn ticket(ticket_id: &str, status: &str, priority: &str) -> Payload {
    Payload::TicketChanged(TicketChanged {
        ticket_id: text(ticket_id),
        status: text(status),
        priority: text(priority),
    })
}

pub(crate) fn offer(offer_id: &str, action: &str) -> Payload {
    Payload::ActionOffered(ActionOffered {
        action: text(action),
        offer_id: text(offer_id),
    })
}

pub(crate) fn answer(offer_id: &str, accepted: bool) -> Payload {
    Payload::ActionAnswered(ActionAnswered {
        offer_id: text(offer_id),
        accepted,
    })
}

pub(crate) fn consent(purpose: &str, granted: bool) -> Payload {
    Payload::ConsentChanged(ConsentChanged {
        purpose: text(purpose),
        granted,
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
        1 => for_life(),
        4 => records(),
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
        _ => Payload::CampaignTouched(CampaignTouched {
            campaign: pick(&["spring", "autumn"], 4),
            channel: pick(&["email", "post"], 8),
            cost_minor: (number % 3 != 0).then_some(
                [0, 7, i64::MAX][usize::from(id.is_multiple_of(5)) + usize::from(id % 2 == 1)],
            ),
            currency: Some(currency(["EUR", "JPY"][usize::from(id % 7 < 3)])),
        }),
    }
}

/// Consequential events that no accumulator keeps.
fn for_life() -> impl Strategy<Value = Payload> {
    let other = CustomerId::new("c-2").unwrap();
    prop::sample::select(vec![
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

/// Subscriptions, tickets, offers, answers and consents, of few ids.
fn records() -> impl Strategy<Value = Payload> {
    let statuses = prop::sample::select(SubscriptionStatus::ALL);
    prop_oneof![
        3 => (one_of(&["s-1", "s-2"]), statuses, one_of(&["basic", "pro"]), money()).prop_map(
            |(id, status, plan, (mrr_minor, currency))| subscription(
                &id, status, &plan, mrr_minor, currency
            )
        ),
        2 => (one_of(&["t-1", "t-2"]), one_of(&["open", "solved"]), one_of(&["low", "high"]))
            .prop_map(|(id, status, priority)| ticket(&id, &status, &priority)),
        1 => (one_of(&["x-1", "x-2", "x-3"]), one_of(&["call", "discount"]))
            .prop_map(|(id, action)| offer(&id, &action)),
        1 => (one_of(&["x-1", "x-2", "x-3"]), any::<bool>())
            .prop_map(|(id, accepted)| answer(&id, accepted)),
        1 => (one_of(&["email", "sms"]), any::<bool>())
            .prop_map(|(purpose, granted)| consent(&purpose, granted)),
    ]
}
