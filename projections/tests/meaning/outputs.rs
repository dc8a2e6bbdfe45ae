//! Outputs, by example.

use tidemark_projections::models::Band;
use tidemark_projections::outputs::ChurnStatus;
use tidemark_schemas::AttributeValue;

use crate::support::{Customer, SETTINGS, at, tenant_with};

#[test]
fn amounts_are_converted_at_the_tenants_rates() {
    let customer = Customer::new()
        .order("2024-01-01T10:00:00Z", "a", 1_000, "EUR")
        .order("2024-01-02T10:00:00Z", "b", 1_000, "USD") // 9.20
        .order("2024-01-03T10:00:00Z", "c", 1_000, "JPY") // 6.10: yen have no minor digits
        .order("2024-01-04T10:00:00Z", "d", 1_000, "GBP") // no rate
        .order("2024-01-05T10:00:00Z", "e", 1_000, "EUR")
        .refund("2024-01-06T10:00:00Z", "e", 100, "GBP") // nor has its refund
        .refund("2024-01-06T10:00:00Z", "a", 300, "EUR")
        .refund("2024-01-06T10:00:00Z", "never placed", 300, "EUR");
    let orders = customer.outputs("2024-02-01T00:00:00Z").orders;
    assert_eq!(orders.count, 5);
    assert_eq!(orders.unconverted, 2);
    assert_eq!(orders.revenue_minor, 700 + 920 + 610);
    assert_eq!(orders.purchase_days, 5);
    assert_eq!(orders.repeat_purchase_days, 4);
    // Of the days after the first, those with a converted order.
    assert_eq!(
        orders.mean_repeat_value_minor,
        Some(f64::midpoint(920.0, 610.0))
    );
}

#[test]
fn halves_are_rounded_away_from_zero() {
    let rate = |text: &str, from: &str, to: &str, amount: i64| {
        let settings = format!("zone: UTC, currency: {to}, rates: {{ {from}: \"{text}\" }}");
        let customer = Customer::under(&tenant_with(&settings, ""));
        let customer = customer.order("2024-01-01T10:00:00Z", "a", amount, from);
        customer
            .outputs("2024-01-01T10:00:00Z")
            .orders
            .revenue_minor
    };
    assert_eq!(rate("0.5", "USD", "EUR", 1), 1);
    assert_eq!(rate("0.5", "USD", "EUR", 3), 2);
    assert_eq!(rate("0.49", "USD", "EUR", 1), 0);
    assert_eq!(rate("164.3", "EUR", "JPY", 50), 82); // 82.15 yen
    assert_eq!(rate("164.3", "EUR", "JPY", 51), 84); // 83.793
    assert_eq!(rate("3.26", "KWD", "USD", 1_000), 326); // three minor digits to two
    assert_eq!(rate("0.31", "USD", "KWD", 100), 310);
    assert_eq!(rate("999999999", "USD", "EUR", i64::MAX), i64::MAX);
}

#[test]
fn refunds_beyond_orders_give_negative_revenue_but_no_negative_day() {
    let customer = Customer::new()
        .order("2024-01-01T10:00:00Z", "a", 100, "EUR")
        .order("2024-01-02T10:00:00Z", "b", 100, "EUR")
        .order("2024-01-03T10:00:00Z", "c", 300, "EUR")
        .refund("2024-01-04T10:00:00Z", "b", 900, "EUR");
    let orders = customer.outputs("2024-02-01T00:00:00Z").orders;
    assert_eq!(orders.revenue_minor, -400);
    assert_eq!(orders.mean_repeat_value_minor, Some(150.0));
    assert_eq!(orders.repeat_purchase_days, 2);
}

#[test]
fn purchase_days_follow_the_tenants_zone() {
    let customer = Customer::new()
        .order("2024-01-01T22:59:59Z", "a", 0, "EUR")
        .order("2024-01-01T23:00:00Z", "b", 5, "EUR") // the second in Berlin
        .order("2024-01-02T22:59:00Z", "c", 5, "EUR");
    let orders = customer.outputs("2024-02-01T00:00:00Z").orders;
    assert_eq!(orders.purchase_days, 2);
    assert_eq!(orders.first_purchase_on.unwrap().to_string(), "2024-01-01");
    assert_eq!(orders.last_purchase_on.unwrap().to_string(), "2024-01-02");
    assert_eq!(orders.mean_repeat_value_minor, Some(10.0));
}

#[test]
fn a_customer_without_purchases_is_not_scored() {
    let outputs = Customer::new().attribute("2024-01-01T00:00:00Z", AttributeValue::Long(1));
    let churn = outputs.outputs("2024-02-01T00:00:00Z").churn;
    assert_eq!(churn.status, ChurnStatus::NotScored);
    assert_eq!((churn.p_alive, churn.risk, churn.band), (None, None, None));
    assert_eq!(churn.model, "mbg_nbd/shipped-cdnow");
    assert_eq!(outputs.due("2024-02-01T00:00:00Z"), None);
}

#[test]
fn risk_rises_at_local_midnight() {
    let customer = Customer::new().order("2024-01-01T10:00:00Z", "a", 100, "EUR");
    let due = customer.due("2024-01-01T10:00:00Z").unwrap();
    let before = customer.outputs(&due.plus_micros(-1).to_string()).churn;
    let after = customer.outputs(&due.to_string()).churn;
    assert_eq!(
        (before.band, after.band),
        (Some(Band::Low), Some(Band::Medium))
    );
    assert!(before.risk.unwrap() < 0.4 && after.risk.unwrap() >= 0.4);
    let local = due
        .to_jiff()
        .to_zoned(customer.definitions.rules.zone.clone());
    assert_eq!(local.time().to_string(), "00:00:00");
}

#[test]
fn undefined_stages_are_ignored() {
    let rest = "journeys: [{ name: sales, stages: [lead, trial, customer] }]";
    let customer = Customer::under(&tenant_with(SETTINGS, rest));
    let customer = customer.stage("2024-01-01T00:00:00Z", "unlisted");
    assert!(customer.outputs("2024-02-01T00:00:00Z").journeys.is_empty());
    let customer = customer
        .stage("2024-01-02T00:00:00Z", "lead")
        .stage("2024-01-03T00:00:00Z", "trial")
        .stage("2024-01-04T00:00:00Z", "unlisted")
        .stage("2024-01-05T00:00:00Z", "trial");
    let outputs = customer.outputs("2024-02-01T00:00:00Z");
    let sales = &outputs.journeys["sales"];
    assert_eq!(
        (&*sales.stage, sales.since),
        ("trial", at("2024-01-03T00:00:00Z"))
    );
}

#[test]
fn windows_end_at_local_midnight() {
    let rest = "segments: [{ name: s, when: { orders: { count: { gte: 2 }, within: 30d } } }]";
    let customer = Customer::under(&tenant_with(SETTINGS, rest))
        .order("2024-03-05T10:00:00Z", "a", 1, "EUR")
        .order("2024-03-10T10:00:00Z", "b", 1, "EUR")
        .order("2024-03-10T11:00:00Z", "c", 1, "EUR");
    // The orders of the 10th leave on April 9th, midnight in Berlin's summer time; that of the 5th
    // makes no difference when it leaves.
    let mut due = customer.due("2024-03-10T11:00:00Z").unwrap();
    while customer.outputs(&due.to_string()).segments.contains("s") {
        due = customer.due(&due.to_string()).unwrap();
    }
    assert_eq!(due, at("2024-04-08T22:00:00Z"));
    assert!(
        customer
            .outputs("2024-04-08T21:59:59Z")
            .segments
            .contains("s")
    );
    assert!(
        !customer
            .outputs("2024-04-08T22:00:00Z")
            .segments
            .contains("s")
    );
}
