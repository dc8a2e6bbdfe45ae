//! Conditions on subscriptions, tickets, campaigns, offers, consents and conversations, by example.

use tidemark_projections::outputs::derive;
use tidemark_schemas::event::{Direction, Outcome, SubscriptionStatus};

use super::support::{Customer, SETTINGS, at, tenant_with};

#[path = "records/payloads.rs"]
mod payloads;

use payloads::{answer, closed, consent, message, offer, subscription, ticket, touch};

/// Whether the conditions hold of the customer at that instant.
#[track_caller]
fn check(customer: &Customer, leaf: &str, instant: &str, expected: &[(&str, bool)]) {
    for (condition, expected) in expected {
        let rest = format!("segments: [{{ name: s, when: {{ {leaf}: {{ {condition} }} }} }}]");
        let definitions = tenant_with(SETTINGS, &rest);
        let outputs = derive(&customer.state, &definitions, at(instant));
        assert_eq!(
            outputs.segments.contains("s"),
            *expected,
            "{leaf}: {condition}"
        );
    }
}

#[test]
fn subscription_conditions() {
    use SubscriptionStatus::{Active, Cancelled, PastDue, Trialing};
    let customer = Customer::new()
        .event(
            "2024-01-01T10:00:00Z",
            subscription("a", Trialing, "basic", 0, "EUR"),
        )
        .event(
            "2024-02-01T10:00:00Z",
            subscription("a", Active, "pro", 5_000, "EUR"),
        )
        .event(
            "2024-03-01T10:00:00Z",
            subscription("b", PastDue, "basic", 10_000, "USD"),
        )
        .event(
            "2024-03-20T10:00:00Z",
            subscription("c", Cancelled, "basic", 900, "GBP"),
        );
    check(
        &customer,
        "subscription",
        "2024-04-01T10:00:00Z",
        &[
            ("status: active", true),
            ("status: trialing", false),
            ("status: [trialing, past_due]", true),
            ("plan: pro", true),
            ("plan: [gold, silver]", false),
            ("status: active, plan: basic", false),
            ("mrr: { gte: 92 }", true),
            ("mrr: { gt: 92 }", false),
            ("plan: basic, status: cancelled, mrr: { gte: 0 }", false),
            ("status: [active, past_due], count: { eq: 2 }", true),
            ("count: { eq: 3 }", true),
            ("match: any, status: cancelled", true),
            ("match: all, status: [active, past_due]", false),
            ("match: all, status: [active, past_due, cancelled]", true),
            ("total_mrr: { eq: 142 }", true),
            ("status: active, total_mrr: { gte: 50.01 }", false),
            ("status: paused, total_mrr: { eq: 0 }", true),
            ("status: active, started: { within: 61d }", true),
            ("status: active, started: { within: 60d }", false),
            ("status: active, started: { not_within: 60d }", true),
            ("status: cancelled, changed: { within: 13d }", true),
            ("status: cancelled, changed: { within: 12d }", false),
            ("status: cancelled, started: { not_within: 1d }", false),
        ],
    );
}

#[test]
fn a_customer_without_subscriptions_counts_zero() {
    let nobody = Customer::new().stage("2024-01-01T10:00:00Z", "lead");
    check(
        &nobody,
        "subscription",
        "2024-04-01T10:00:00Z",
        &[
            ("status: active", false),
            ("match: all, status: active", false),
            ("status: active, count: { eq: 0 }", true),
            ("total_mrr: { lt: 1 }", true),
        ],
    );
}

#[test]
fn ticket_conditions() {
    let customer = Customer::new()
        .event("2024-03-01T10:00:00Z", ticket("t-1", "open", "high"))
        .event("2024-03-30T10:00:00Z", ticket("t-1", "pending", "urgent"))
        .event("2024-03-31T21:00:00Z", ticket("t-2", "open", "low"));
    check(
        &customer,
        "ticket",
        "2024-04-01T10:00:00Z",
        &[
            ("status: open", true),
            ("status: Open", false),
            ("status: open, priority: urgent", false),
            ("priority: [high, urgent]", true),
            ("status: solved, count: { eq: 0 }", true),
            ("opened: { within: 13h }", false),
            ("opened: { within: 14h }", true),
            ("opened: { within: 2d }, count: { eq: 1 }", true),
            ("opened: { not_within: 31d }, changed: { within: 3d }", true),
            ("changed: { not_within: 72h }", false),
            ("match: all, status: [open, pending]", true),
            ("match: all, priority: low", false),
        ],
    );
}

#[test]
fn campaign_conditions() {
    let customer = Customer::new()
        .event(
            "2023-01-01T10:00:00Z",
            touch("winter", "email", Some((500, "EUR"))),
        )
        .event("2024-03-01T10:00:00Z", touch("spring", "email", None))
        .event(
            "2024-03-31T10:00:00Z",
            touch("spring", "post", Some((100, "EUR"))),
        )
        .event(
            "2024-04-01T09:00:00Z",
            touch("spring", "post", Some((100, "USD"))),
        )
        .event(
            "2024-04-01T09:00:00Z",
            touch("spring", "post", Some((100, "GBP"))),
        );
    check(
        &customer,
        "campaign",
        "2024-04-01T10:00:00Z",
        &[
            ("name: spring", true),
            ("name: summer", false),
            ("name: summer, never: true", true),
            ("name: spring, count: { eq: 4 }", true),
            ("name: spring, channel: post, count: { eq: 3 }", true),
            ("name: [spring, winter], count: { eq: 5 }", true),
            ("channel: [email, sms], count: { eq: 2 }", true),
            ("count: { eq: 5 }", true),
            ("name: spring, count: { eq: 2 }, within: 1d", true),
            ("name: spring, count: { eq: 3 }, within: 2d", true),
            ("name: spring, within: 60m", false),
            ("name: spring, within: 61m", true),
            ("count: { eq: 2 }, between: [2024-03-01, 2024-03-31]", true),
            ("cost: { eq: 1.92 }, within: 2d", true),
            ("cost: { eq: 0.92 }, within: 1d", true),
            ("channel: email, cost: { eq: 0 }, within: 90d", true),
            ("cost: { gte: 1 }, between: [2024-03-01, 2024-03-31]", true),
            ("name: winter, last: { within: 400d }", false),
            ("name: winter, first_time: { not_within: 400d }", true),
            ("name: summer, last: { not_within: 1d }", false),
            ("name: spring, first_time: { within: 32d }", true),
        ],
    );
}

#[test]
fn offer_conditions() {
    let customer = Customer::new()
        .event("2024-03-01T10:00:00Z", offer("x-1", "discount"))
        .event("2024-03-02T10:00:00Z", answer("x-1", false))
        .event("2024-03-25T10:00:00Z", offer("x-2", "call"))
        .event("2024-03-26T10:00:00Z", answer("x-3", true));
    check(
        &customer,
        "offer",
        "2024-04-01T10:00:00Z",
        &[
            ("action: discount", true),
            ("action: gift", false),
            ("answer: accepted", false),
            ("answer: declined", true),
            ("answer: none, action: call", true),
            ("answer: [none, declined], count: { eq: 2 }", true),
            (
                "action: call, answer: none, offered: { not_within: 7d }",
                true,
            ),
            (
                "action: call, answer: none, offered: { not_within: 8d }",
                false,
            ),
            ("answered: { within: 31d }", true),
            ("answered: { within: 30d }", false),
            ("answered: { not_within: 1d }, action: call", false),
            ("match: all, answer: declined", false),
            ("match: all, action: [call, discount]", true),
        ],
    );
}

#[test]
fn consent_conditions() {
    let customer = Customer::new()
        .event("2024-01-01T10:00:00Z", consent("email", false))
        .event("2024-02-01T10:00:00Z", consent("email", true))
        .event("2024-02-02T10:00:00Z", consent("sms", false));
    check(
        &customer,
        "consent",
        "2024-04-01T10:00:00Z",
        &[
            ("purpose: email", true),
            ("purpose: email, granted: true", true),
            ("purpose: email, granted: false", false),
            ("purpose: sms", false),
            ("purpose: sms, granted: false", true),
            ("purpose: phone", false),
            ("purpose: phone, granted: false", false),
            ("purpose: email, changed: { within: 61d }", true),
            ("purpose: email, changed: { not_within: 61d }", false),
            ("purpose: email, changed: { not_within: 60d }", true),
        ],
    );
}

fn talkative() -> Customer {
    use Direction::{Inbound, Outbound};
    Customer::new()
        .event(
            "2023-01-01T10:00:00Z",
            message(Inbound, 1.0, Some("praise"), 0),
        )
        .event(
            "2024-03-01T10:00:00Z",
            message(Inbound, -0.5, Some("refund"), 0),
        )
        .event("2024-03-01T10:05:00Z", message(Outbound, 0.2, None, 5))
        .event(
            "2024-03-31T10:00:00Z",
            message(Inbound, -0.9, Some("refund"), 0),
        )
        .event("2024-03-31T10:00:01Z", message(Outbound, 0.0, None, 120))
        .event("2024-03-31T10:00:02Z", message(Outbound, 0.0, None, 60))
        .event(
            "2024-03-31T12:00:00Z",
            closed(Some("kim"), Outcome::Escalated),
        )
        .event("2024-04-01T09:00:00Z", closed(None, Outcome::Resolved))
}

#[test]
fn conversation_conditions() {
    let customer = talkative();
    check(
        &customer,
        "conversation",
        "2024-04-01T10:00:00Z",
        &[
            ("count: { eq: 5 }", true),
            ("within: 1d", false),
            ("never: true, within: 1d", true),
            ("count: { eq: 3 }, within: 2d", true),
            ("direction: inbound, count: { eq: 2 }", true),
            (
                "direction: outbound, count: { eq: 1 }, between: [2024-03-01, 2024-03-30]",
                true,
            ),
            ("intent: refund", true),
            ("intent: praise", false),
            ("intent: [praise, refund], count: { eq: 2 }", true),
            ("outcome: escalated", true),
            ("outcome: escalated, agent: lee", false),
            ("outcome: [escalated, resolved], count: { eq: 2 }", true),
            ("outcome: resolved, agent: kim", false),
            ("outcome: resolved, within: 1d", true),
            ("agent: kim, channel: chat", true),
            ("channel: [email, sms]", false),
            ("sentiment: { lt: -0.2 }", true),
            ("sentiment: { lt: -0.24 }", false),
            ("sentiment: { between: [-0.3, -0.3] }, within: 2d", true),
            ("sentiment: { lte: 1 }, within: 1d", false),
            ("sentiment: { lt: 0 }, count: { gte: 9 }", false),
            ("response_time: { gte: 50m }", true),
            ("response_time: { gt: 1h }", false),
            (
                "response_time: { lt: 6m }, between: [2024-03-01, 2024-03-30]",
                true,
            ),
            ("response_time: { gte: 1s }, within: 1d", false),
        ],
    );
}

#[test]
fn outputs_summarise_records() {
    use SubscriptionStatus::{Active, Cancelled};
    let records = Customer::new()
        .event(
            "2024-01-01T10:00:00Z",
            subscription("a", Active, "pro", 5_000, "EUR"),
        )
        .event(
            "2024-02-01T10:00:00Z",
            subscription("b", Active, "pro", 5_000, "USD"),
        )
        .event(
            "2024-02-01T10:00:00Z",
            subscription("c", Active, "pro", 5_000, "GBP"),
        )
        .event(
            "2024-02-01T11:00:00Z",
            subscription("d", Cancelled, "pro", 5_000, "EUR"),
        )
        .event("2024-02-02T10:00:00Z", ticket("t-1", "open", "high"))
        .event(
            "2024-02-03T10:00:00Z",
            touch("spring", "post", Some((100, "USD"))),
        )
        .event("2024-02-04T10:00:00Z", offer("x-1", "call"))
        .event("2024-02-05T10:00:00Z", answer("x-1", true))
        .event("2024-02-06T10:00:00Z", consent("email", true))
        .outputs("2024-03-01T10:00:00Z")
        .records;
    assert_eq!(records.mrr_minor, 9_600);
    assert_eq!(records.subscriptions.len(), 4);
    assert_eq!(
        records.subscriptions["d"].ended_at,
        Some(at("2024-02-01T11:00:00Z"))
    );
    assert_eq!(
        records.subscriptions["a"].started_at,
        Some(at("2024-01-01T10:00:00Z"))
    );
    assert_eq!(&*records.tickets["t-1"].priority, "high");
    assert_eq!(records.campaigns.len(), 1);
    assert_eq!(
        (
            records.campaigns[0].touches,
            records.campaigns[0].cost_minor
        ),
        (1, 92)
    );
    assert_eq!(records.offers["x-1"].accepted, Some(true));
    assert!(records.consents["email"].granted);
}
