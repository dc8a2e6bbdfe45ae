//! The timeline of a customer, from its state.

use serde_json::{Value, json};
use tidemark_projections::outputs::{HappeningKind, timeline};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::CustomerEvent;

use crate::support::{SETTINGS, tenant_with};

fn event(number: u32, at: &str, payload: &Value) -> CustomerEvent {
    let event = json!({
        "event_id": format!("00000000-0000-4000-8000-{number:012}"), "tenant_id": "t",
        "customer_id": "ann", "source": "test", "occurred_at": at, "payload": payload,
    });
    CustomerEvent::from_json(&event.to_string()).unwrap()
}

/// One event of every kind, a minute apart, and some of them twice.
fn payloads() -> Vec<Value> {
    let touched = json!({ "type": "campaign_touched", "campaign": "spring", "channel": "post",
                          "cost_minor": 90, "currency": "EUR" });
    let said = |direction: &str| {
        json!({ "type": "message_exchanged", "conversation_id": "c",
        "channel": "chat", "direction": direction, "agent": "kim", "sentiment": 0.5 })
    };
    vec![
        json!({ "type": "profile_updated", "attributes": { "email": "ann@shop.example" } }),
        json!({ "type": "order_refunded", "order_id": "later", "amount_minor": 5, "currency": "EUR" }),
        json!({ "type": "order_placed", "order_id": "o", "amount_minor": 100, "currency": "EUR" }),
        json!({ "type": "order_refunded", "order_id": "o", "amount_minor": 40, "currency": "EUR" }),
        json!({ "type": "stage_entered", "journey": "sales", "stage": "lead" }),
        json!({ "type": "subscription_changed", "subscription_id": "s", "status": "trialing",
                "plan": "pro", "mrr_minor": 900, "currency": "EUR" }),
        json!({ "type": "subscription_changed", "subscription_id": "s", "status": "active",
                "plan": "pro", "mrr_minor": 900, "currency": "EUR" }),
        json!({ "type": "ticket_changed", "ticket_id": "t", "status": "open", "priority": "high" }),
        json!({ "type": "action_offered", "action": "call", "offer_id": "f" }),
        json!({ "type": "action_answered", "offer_id": "f", "accepted": true }),
        json!({ "type": "consent_changed", "purpose": "mail", "granted": false }),
        json!({ "type": "activity_tracked", "name": "login", "properties": {} }),
        json!({ "type": "activity_tracked", "name": "login", "properties": {} }),
        touched.clone(),
        touched,
        said("inbound"),
        said("outbound"),
        json!({ "type": "conversation_closed", "conversation_id": "c", "outcome": "resolved" }),
    ]
}

/// The timeline of these events, oldest first.
fn expected() -> Vec<Value> {
    let at = |minute: u32| format!("2025-03-30T10:{minute:02}:00Z");
    let eur = |minor: i64| json!({ "amount_minor": minor, "currency": "EUR" });
    let offer = json!({ "action": "call", "offered_at": at(8), "accepted": true,
                        "answered_at": at(9) });
    let said = json!({ "agent": "kim", "inbound": 1, "outbound": 1, "mean_sentiment": 0.5,
                       "intents": {} });
    let touched = json!({ "channel": "post", "count": 2, "cost_minor": { "EUR": 180 } });
    let subscribed = json!({ "status": "active", "plan": "pro", "mrr_minor": 900,
        "currency": "EUR", "first_at": at(5), "started_at": at(6), "ended_at": null,
        "changed_at": at(6) });
    let ticket = json!({ "status": "open", "priority": "high", "opened_at": at(7),
                         "changed_at": at(7) });
    let day = "2025-03-30";
    vec![
        json!(["activity", "login", day, { "count": 2 }]),
        json!(["message", "chat", day, said]),
        json!(["message", "closed", day, { "agent": null, "outcomes": { "resolved": 1 } }]),
        json!(["touch", "spring", day, touched]),
        // It waits for its order.
        json!(["refund", "later", at(1), eur(5)]),
        json!(["order", "o", at(2), eur(100)]),
        json!(["refund", "o", at(3), eur(40)]),
        json!(["stage_entered", "sales", at(4), { "stage": "lead" }]),
        // What it was before is not kept.
        json!(["subscription", "s", at(6), subscribed]),
        json!(["ticket", "t", at(7), ticket]),
        json!(["offer", "f", at(8), offer]),
        json!(["answer", "f", at(9), offer]),
        json!(["consent", "mail", at(10), { "granted": false, "changed_at": at(10) }]),
    ]
}

#[test]
fn the_timeline_lists_everything_kept() {
    let definitions = tenant_with(SETTINGS, "");
    let mut state = CustomerState::default();
    for (payload, minute) in payloads().iter().zip(0..) {
        let at = format!("2025-03-30T10:{minute:02}:00Z");
        state
            .fold(&event(minute, &at, payload), &definitions.rules)
            .unwrap();
    }
    let mut told = timeline(&state, &definitions, |_| true);
    told.sort_by(|a, b| (a.at, a.kind, &a.name).cmp(&(b.at, b.kind, &b.name)));
    let told: Vec<Value> = told
        .into_iter()
        .map(|happening| {
            // Each event has its minute for an id; what is kept by day began with it.
            let (when, at) = if let Some(day) = happening.day {
                (day.to_string(), "2025-03-29T23:00:00Z".to_owned())
            } else {
                let minute = happening.event_id.unwrap().0.as_u128() & 0xff;
                let at = format!("2025-03-30T10:{minute:02x}:00Z");
                (at.clone(), at)
            };
            assert_eq!(happening.at.to_string(), at);
            json!([
                happening.kind.name(),
                &*happening.name,
                when,
                happening.details
            ])
        })
        .collect();
    assert_eq!(told, expected());
    let only = timeline(&state, &definitions, |kind| kind == HappeningKind::Refund);
    assert_eq!(only.len(), 2);
    assert_eq!(
        timeline(&CustomerState::default(), &definitions, |_| true),
        []
    );
}
