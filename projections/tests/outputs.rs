//! What outputs and conditions mean, by example.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::models::Band;
use tidemark_projections::outputs::{ChurnStatus, Outputs, derive, next_change};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::{OrderPlaced, OrderRefunded, ProfileUpdated, StageEntered};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, Double, EventId, Instant, Payload,
    TenantId,
};

const SETTINGS: &str = "zone: Europe/Berlin, currency: EUR, rates: { USD: 0.92, JPY: 0.0061 }";

fn tenant_with(settings: &str, rest: &str) -> Arc<TenantDefinitions> {
    let text = format!("tenant: {{ id: t, {settings} }}\n{rest}");
    let bundle = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap();
    let all = Definitions::default()
        .apply(0, Instant::MIN, &bundle.to_record())
        .unwrap();
    Arc::clone(all.tenants.values().next().unwrap())
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

/// A customer under construction.
struct Customer {
    definitions: Arc<TenantDefinitions>,
    state: CustomerState,
    events: u128,
}

impl Customer {
    fn of(definitions: &Arc<TenantDefinitions>) -> Self {
        let definitions = Arc::clone(definitions);
        Self {
            definitions,
            state: CustomerState::default(),
            events: 0,
        }
    }

    fn new() -> Self {
        Self::of(&tenant_with(SETTINGS, ""))
    }

    fn event(mut self, occurred_at: &str, payload: Payload) -> Self {
        self.events += 1;
        let event = CustomerEvent {
            event_id: EventId(uuid::Uuid::from_u128(self.events)),
            tenant_id: TenantId::new("t").unwrap(),
            customer_id: CustomerId::new("c").unwrap(),
            source: "test".into(),
            occurred_at: at(occurred_at),
            payload,
        };
        self.state.fold(&event, &self.definitions.rules).unwrap();
        self
    }

    fn order(self, occurred_at: &str, id: &str, amount_minor: i64, currency: &str) -> Self {
        let currency = Currency::new(currency).unwrap();
        let order_id = id.into();
        let placed = OrderPlaced {
            order_id,
            amount_minor,
            currency,
            items: None,
            channel: None,
        };
        self.event(occurred_at, Payload::OrderPlaced(placed))
    }

    fn refund(self, occurred_at: &str, id: &str, amount_minor: i64, currency: &str) -> Self {
        let currency = Currency::new(currency).unwrap();
        let refunded = OrderRefunded {
            order_id: id.into(),
            amount_minor,
            currency,
        };
        self.event(occurred_at, Payload::OrderRefunded(refunded))
    }

    fn attribute(self, occurred_at: &str, value: AttributeValue) -> Self {
        let attributes = BTreeMap::from([(Arc::from("a"), value)]);
        self.event(
            occurred_at,
            Payload::ProfileUpdated(ProfileUpdated { attributes }),
        )
    }

    fn stage(self, occurred_at: &str, stage: &str) -> Self {
        let entered = StageEntered {
            journey: "sales".into(),
            stage: stage.into(),
        };
        self.event(occurred_at, Payload::StageEntered(entered))
    }

    fn outputs(&self, instant: &str) -> Outputs {
        derive(&self.state, &self.definitions, at(instant))
    }

    fn due(&self, instant: &str) -> Option<Instant> {
        next_change(&self.state, &self.definitions, at(instant))
    }
}

/// Whether the condition holds of the customer.
fn holds(customer: &Customer, condition: &str, instant: &str) -> bool {
    let journeys = "journeys: [{ name: sales, stages: [lead, trial, customer] }]";
    let rest = format!("segments: [{{ name: s, when: {condition} }}]\n{journeys}");
    let definitions = tenant_with(SETTINGS, &rest);
    derive(&customer.state, &definitions, at(instant))
        .segments
        .contains("s")
}

#[test]
fn money_is_converted_at_the_tenants_rates() {
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
        let customer = Customer::of(&tenant_with(&settings, ""));
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
fn more_given_back_than_bought_is_negative_revenue_but_no_negative_day() {
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
fn days_are_the_tenants() {
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
fn who_never_bought_is_not_scored() {
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
fn stages_not_listed_are_ignored() {
    let rest = "journeys: [{ name: sales, stages: [lead, trial, customer] }]";
    let customer = Customer::of(&tenant_with(SETTINGS, rest));
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
fn attribute_conditions() {
    let text = |text: &str| AttributeValue::String(text.into());
    let double = |value: f64| AttributeValue::Double(Double::new(value).unwrap());
    let long = AttributeValue::Long;
    // The value (none: never set), the condition, whether it holds.
    let cases: Vec<(Option<AttributeValue>, &str, bool)> = vec![
        (Some(text("pro")), "eq: pro", true),
        (Some(text("Pro")), "eq: pro", false),
        (Some(text("1")), "eq: 1", false),
        (Some(long(1)), "eq: 1.0", true),
        (Some(double(1.0)), "eq: 1", true),
        (Some(AttributeValue::Boolean(true)), "eq: true", true),
        (Some(AttributeValue::Boolean(true)), "eq: 1", false),
        (Some(text("pro")), "ne: free", true),
        (Some(text("1")), "ne: 1", true),
        (None, "ne: free", true),
        (Some(AttributeValue::Null), "ne: free", true),
        (None, "eq: free", false),
        (None, "not_in: [free]", true),
        (Some(text("free")), "not_in: [free]", false),
        (Some(double(2.5)), "in: [1, 2.5]", true),
        (Some(long(3)), "gt: 2.9", true),
        (Some(long(3)), "gte: 3", true),
        (Some(double(2.999)), "lt: 3", true),
        (Some(text("9")), "gt: 1", false),
        (None, "lt: 3", false),
        (
            Some(long(9_007_199_254_740_993)),
            "gt: 9007199254740992.0",
            true,
        ),
        (
            Some(double(9_007_199_254_740_992.0)),
            "lt: 9007199254740993",
            true,
        ),
        (Some(long(i64::MAX)), "lt: 9223372036854775808.0", true),
        (Some(long(i64::MIN)), "gte: -9223372036854775808.0", true),
        (Some(double(f64::INFINITY)), "gt: 9223372036854775807", true),
        (Some(long(-3)), "lt: -2.5", true),
        (Some(long(-2)), "lt: -2.5", false),
        (Some(long(2)), "between: [1, 2]", true),
        (Some(long(3)), "between: [1, 2]", false),
        (Some(text("hello world")), "contains: lo w", true),
        (Some(text("hello")), "starts_with: he", true),
        (Some(text("hello")), "ends_with: lo", true),
        (Some(text("hello")), "ends_with: he", false),
        (Some(long(12)), "contains: '1'", false),
        (Some(text("ab-12")), "matches: '-\\d+$'", true),
        (Some(text("ab")), "matches: '^b'", false),
        (Some(long(0)), "exists: true", true),
        (Some(AttributeValue::Null), "exists: true", false),
        (None, "exists: true", false),
        (None, "exists: false", true),
        (None, "missing: true", true),
        (Some(AttributeValue::Null), "missing: true", true),
        (Some(long(0)), "missing: true", false),
        (Some(text("2024-03-30")), "before: 2024-03-31", true),
        (Some(text("2024-03-31")), "before: 2024-03-31", false),
        (
            Some(text("2024-03-30T22:59:59Z")),
            "before: 2024-03-31",
            true,
        ),
        (
            Some(text("2024-03-30T23:00:00Z")),
            "before: 2024-03-31",
            false,
        ),
        (Some(text("2024-03-31")), "after: 2024-03-31", false),
        (
            Some(text("2024-03-31T23:30:00")),
            "after: 2024-03-31",
            false,
        ),
        (Some(text("2024-04-01T00:00:00")), "after: 2024-03-31", true),
        (
            Some(text("2024-03-31T10:00:00Z")),
            "after: 2024-03-31T10:00:00Z",
            false,
        ),
        (
            Some(text("2024-03-31T12:00:00.000001+02:00")),
            "after: 2024-03-31T10:00:00Z",
            true,
        ),
        (Some(text("soon")), "after: 2024-03-31", false),
        (Some(long(1_711_843_200)), "after: 1970-01-01", false),
        (Some(text("2024-06-01T11:00:01Z")), "within_last: 60m", true),
        (
            Some(text("2024-06-01T11:00:00Z")),
            "within_last: 60m",
            false,
        ),
        (
            Some(text("2024-06-01T12:00:01Z")),
            "within_last: 60m",
            false,
        ),
        (Some(text("2024-05-31")), "within_last: 2d", true),
        (Some(text("2024-05-30")), "within_last: 2d", false),
        (Some(text("2024-05-30T22:00:00Z")), "within_last: 2d", true),
        (Some(text("x")), "has_been_for: 31d", true),
        (Some(text("x")), "has_been_for: 32d", false),
        (Some(text("x")), "eq: x, has_been_for: 31d", true),
        (Some(text("x")), "eq: y, has_been_for: 31d", false),
        (None, "has_been_for: 1d", false),
    ];
    for (value, condition, expected) in cases {
        let customer = match &value {
            Some(value) => Customer::new().attribute("2024-05-01T12:00:00Z", value.clone()),
            None => Customer::new().stage("2024-05-01T12:00:00Z", "x"),
        };
        let condition = format!("{{ attribute: {{ name: a, {condition} }} }}");
        let held = holds(&customer, &condition, "2024-06-01T12:00:00Z");
        assert_eq!(held, expected, "{value:?} {condition}");
    }
}

#[test]
fn order_conditions() {
    let customer = Customer::new()
        .order("2024-01-01T10:00:00Z", "a", 10_000, "EUR")
        .order("2024-03-01T10:00:00Z", "b", 5_000, "EUR")
        .order("2024-03-31T10:00:00Z", "c", 1_001, "EUR")
        .refund("2024-04-02T10:00:00Z", "c", 1, "EUR");
    for (condition, expected) in [
        ("count: { gte: 3 }", true),
        ("count: { eq: 2 }", false),
        ("count: { ne: 2 }", true),
        ("revenue: { eq: 160 }", true),
        ("revenue: { gt: 159.99, lt: \"160.01\" }", true),
        ("average: { between: [53.33, 53.34] }", true),
        ("average: { gt: 53.33 }", true),
        ("average: { lt: 53.34 }", true),
        ("count: { eq: 1 }, within: 1d", false),
        ("count: { eq: 1 }, within: 2d", true),
        ("count: { eq: 0 }, within: 1d", true),
        ("average: { ne: 5 }, within: 1d", false),
        ("revenue: { eq: 60 }, within: 32d", true),
        ("revenue: { eq: 10 }, within: 31d", true),
        ("count: { eq: 2 }, between: [2024-01-01, 2024-03-01]", true),
        ("count: { eq: 1 }, between: [2024-01-01, 2024-02-29]", true),
        ("count: { gte: 3 }, revenue: { gte: 1000 }", false),
    ] {
        let condition = format!("{{ orders: {{ {condition} }} }}");
        assert_eq!(
            holds(&customer, &condition, "2024-04-01T10:00:00Z"),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn stage_and_churn_conditions() {
    let customer = Customer::new()
        .stage("2024-01-01T10:00:00Z", "lead")
        .stage("2024-01-05T10:00:00Z", "customer")
        .stage("2024-01-10T10:00:00Z", "lead")
        .order("2024-01-10T10:00:00Z", "a", 1, "EUR");
    for (condition, expected) in [
        ("stage: { journey: sales, is: lead }", true),
        ("stage: { journey: sales, is: [trial, customer] }", false),
        ("stage: { journey: sales, reached: trial }", true),
        (
            "stage: { journey: sales, is: lead, reached: customer, in_for: 5d }",
            true,
        ),
        ("stage: { journey: sales, in_for: 6d }", false),
        ("stage: { journey: sales, in_for: 120h }", true),
        ("churn: { band: low }", true),
        ("churn: { band: [medium, high] }", false),
        ("churn: { risk: { lt: 0.4 }, p_alive: { gt: 0.6 } }", true),
        ("churn: { p_alive: { between: [0, 0.5] } }", false),
        (
            "all: [{ churn: { band: low } }, { not: { churn: { band: high } } }]",
            true,
        ),
        (
            "any: [{ churn: { band: high } }, { stage: { journey: sales, is: trial } }]",
            false,
        ),
    ] {
        let condition = format!("{{ {condition} }}");
        assert_eq!(
            holds(&customer, &condition, "2024-01-15T10:00:00Z"),
            expected,
            "{condition}"
        );
    }
    let nobody = Customer::new().attribute("2024-01-01T00:00:00Z", AttributeValue::Null);
    for condition in [
        "{ churn: { risk: { gte: 0 } } }",
        "{ churn: { band: [low, medium, high] } }",
        "{ stage: { journey: sales, in_for: 1d } }",
        "{ stage: { journey: sales, reached: lead } }",
    ] {
        assert!(
            !holds(&nobody, condition, "2024-01-15T10:00:00Z"),
            "{condition}"
        );
    }
}

#[test]
fn windows_end_at_local_midnight() {
    let rest = "segments: [{ name: s, when: { orders: { count: { gte: 2 }, within: 30d } } }]";
    let customer = Customer::of(&tenant_with(SETTINGS, rest))
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
