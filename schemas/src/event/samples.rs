//! Valid events of every kind, for property tests.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::*;
use crate::value::{AttributeValue, Currency, Double};

/// Any valid event.
pub(crate) fn event() -> impl Strategy<Value = CustomerEvent> {
    let id = any::<u128>().prop_map(|bits| EventId(Uuid::from_u128(bits)));
    let micros = EARLIEST.micros()..=Instant::MAX.micros();
    let at = micros.prop_map(|micros| Instant::from_micros(micros).unwrap_or(EARLIEST));
    // Ids that cannot be equal, since a customer cannot be merged into itself.
    let tenant = "[a-zé.]{1,8}".prop_filter_map("valid", |text| TenantId::new(text).ok());
    let customer = "c[ -~]{0,12}".prop_filter_map("valid", |text| CustomerId::new(text).ok());
    (id, tenant, customer, name(), at, payload()).prop_map(
        |(event_id, tenant_id, customer_id, source, occurred_at, payload)| CustomerEvent {
            event_id,
            tenant_id,
            customer_id,
            source,
            occurred_at,
            payload,
        },
    )
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![facts(), money(), talk(), offers(), identities()]
}

fn name() -> impl Strategy<Value = Arc<str>> {
    "[ -~äß漢🦀]{1,20}".prop_map(Arc::from)
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "[^\0]{0,40}".prop_map(Arc::from)
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(MAX_AMOUNT_MINOR), 0..=MAX_AMOUNT_MINOR]
}

fn currency() -> impl Strategy<Value = Currency> {
    select(vec!["EUR", "USD", "JPY", "KWD", "CLF"]).prop_filter_map("known", Currency::new)
}

fn attributes() -> impl Strategy<Value = AttributeMap> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};

    let double = (NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE)
        .prop_filter_map("finite", |value| {
            Double::new(value).map(AttributeValue::Double)
        });
    let value = prop_oneof![
        Just(AttributeValue::Null),
        any::<bool>().prop_map(AttributeValue::Boolean),
        any::<i64>().prop_map(AttributeValue::Long),
        double,
        text().prop_map(AttributeValue::String),
    ];
    btree_map(name(), value, 0..6)
}

fn facts() -> BoxedStrategy<Payload> {
    prop_oneof![
        attributes().prop_map(|attributes| Payload::ProfileUpdated(ProfileUpdated { attributes })),
        (name(), attributes()).prop_map(|(name, properties)| {
            Payload::ActivityTracked(ActivityTracked { name, properties })
        }),
        (name(), name()).prop_map(|(journey, stage)| {
            Payload::StageEntered(StageEntered { journey, stage })
        }),
    ]
    .boxed()
}

fn money() -> BoxedStrategy<Payload> {
    let item =
        (name(), 1..=i32::MAX, amount()).prop_map(|(sku, quantity, unit_amount_minor)| OrderItem {
            sku,
            quantity,
            unit_amount_minor,
        });
    let items = option::of(vec(item, 0..4));
    prop_oneof![
        (name(), amount(), currency(), items, option::of(name())).prop_map(
            |(order_id, amount_minor, currency, items, channel)| {
                Payload::OrderPlaced(OrderPlaced {
                    order_id,
                    amount_minor,
                    currency,
                    items,
                    channel,
                })
            }
        ),
        (name(), amount(), currency()).prop_map(|(order_id, amount_minor, currency)| {
            Payload::OrderRefunded(OrderRefunded {
                order_id,
                amount_minor,
                currency,
            })
        }),
        (
            name(),
            select(SubscriptionStatus::ALL),
            name(),
            amount(),
            currency()
        )
            .prop_map(|(subscription_id, status, plan, mrr_minor, currency)| {
                Payload::SubscriptionChanged(SubscriptionChanged {
                    subscription_id,
                    status,
                    plan,
                    mrr_minor,
                    currency,
                })
            }),
    ]
    .boxed()
}

fn talk() -> BoxedStrategy<Payload> {
    let sentiment = option::of((-1.0..=1.0).prop_filter_map("a number", Double::new));
    let head = (
        name(),
        select(Channel::ALL),
        select(Direction::ALL),
        option::of(name()),
    );
    let tail = (sentiment, option::of(name()), option::of(0..=i64::MAX));
    prop_oneof![
        (head, tail).prop_map(
            |((conversation_id, channel, direction, agent), (sentiment, intent, response_ms))| {
                Payload::MessageExchanged(MessageExchanged {
                    conversation_id,
                    channel,
                    direction,
                    agent,
                    sentiment,
                    intent,
                    response_ms,
                })
            }
        ),
        (name(), select(Outcome::ALL), option::of(name())).prop_map(
            |(conversation_id, outcome, agent)| {
                Payload::ConversationClosed(ConversationClosed {
                    conversation_id,
                    outcome,
                    agent,
                })
            }
        ),
        (name(), name(), name()).prop_map(|(ticket_id, status, priority)| {
            Payload::TicketChanged(TicketChanged {
                ticket_id,
                status,
                priority,
            })
        }),
    ]
    .boxed()
}

fn offers() -> BoxedStrategy<Payload> {
    let cost = option::of((amount(), currency()));
    prop_oneof![
        (name(), name(), cost).prop_map(|(campaign, channel, cost)| {
            Payload::CampaignTouched(CampaignTouched {
                campaign,
                channel,
                cost_minor: cost.map(|(minor, _)| minor),
                currency: cost.map(|(_, currency)| currency),
            })
        }),
        (name(), name()).prop_map(|(action, offer_id)| {
            Payload::ActionOffered(ActionOffered { action, offer_id })
        }),
        (name(), any::<bool>()).prop_map(|(offer_id, accepted)| {
            Payload::ActionAnswered(ActionAnswered { offer_id, accepted })
        }),
        (name(), any::<bool>()).prop_map(|(purpose, granted)| {
            Payload::ConsentChanged(ConsentChanged { purpose, granted })
        }),
    ]
    .boxed()
}

fn identities() -> BoxedStrategy<Payload> {
    let other = || "d[ -~]{0,12}".prop_filter_map("valid", |text| CustomerId::new(text).ok());
    prop_oneof![
        other().prop_map(|into_customer_id| {
            Payload::IdentityMerged(IdentityMerged { into_customer_id })
        }),
        other().prop_map(|from_customer_id| {
            Payload::IdentityUnmerged(IdentityUnmerged { from_customer_id })
        }),
        text().prop_map(|reason| Payload::CustomerErased(CustomerErased { reason })),
    ]
    .boxed()
}
