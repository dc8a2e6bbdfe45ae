//! Events of the bench's customers, histories first: the same seed gives the same events.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tidemark_schemas::event::{
    ActivityTracked, Channel, Direction, MessageExchanged, OrderPlaced, OrderRefunded,
    ProfileUpdated, StageEntered,
};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, Double, EventId, Instant, Payload,
    TenantId,
};
use uuid::Builder;

use super::arguments::{Distribution, Size};

pub(crate) const TENANTS: u32 = 4;
/// The number of events of each customer's history.
pub(crate) const HISTORY: usize = 5;
const DAY_MICROS: i64 = 86_400_000_000;
const HISTORY_DAYS: i64 = 60;
const ZIPF_EXPONENT: f64 = 0.99;

const STAGES: &[&str] = &["lead", "trial", "customer"];
const PLANS: &[&str] = &["free", "pro", "business", "enterprise"];
const COUNTRIES: &[&str] = &["DE", "FR", "PL", "ES", "US", "JP"];
const PAGES: &[&str] = &["/pricing", "/docs/start", "/blog/2026/launch", "/account"];

/// Returns the id of a tenant by its number.
pub(crate) fn tenant(number: u32) -> TenantId {
    TenantId::new(format!("tenant-{number}")).unwrap()
}

/// A source of random events.
pub(crate) struct Events {
    random: StdRng,
    customers: u32,
    tenants: u32,
    /// Cumulative weights by rank, for Zipf's law.
    ranks: Vec<f64>,
    now: Instant,
}

impl Events {
    pub(crate) fn new(size: &Size, now: Instant) -> Self {
        let mut sum = 0.0;
        let ranks = match size.distribution {
            Distribution::Uniform => Vec::new(),
            Distribution::Zipf => (1..=size.customers)
                .map(|rank| {
                    sum += f64::from(rank).powf(-ZIPF_EXPONENT);
                    sum
                })
                .collect(),
        };
        Self {
            random: StdRng::seed_from_u64(size.seed),
            customers: size.customers,
            tenants: size.tenants,
            ranks,
            now,
        }
    }

    /// Returns the history of a customer: a profile, three orders and a stage.
    pub(crate) fn history(&mut self, customer: u32) -> [CustomerEvent; HISTORY] {
        let begin = -HISTORY_DAYS * DAY_MICROS;
        let signed_up = self.random.random_range(begin..begin / 2);
        let profile = self.profile(customer);
        let mut at = signed_up;
        let mut next = || {
            at += DAY_MICROS;
            at
        };
        let payloads = [
            profile,
            stage("lead"),
            self.order(customer, 0),
            self.order(customer, 1),
            self.order(customer, 2),
        ];
        payloads.map(|payload| self.event(customer, next(), payload))
    }

    /// Draws an event of any customer, within the last hour.
    pub(crate) fn live(&mut self) -> CustomerEvent {
        let customer = self.customer();
        let at = -self.random.random_range(0..3_600_000_000_i64);
        let payload = self.payload(customer);
        self.event(customer, at, payload)
    }

    /// Returns a profile update of a customer by its number, now.
    pub(crate) fn sign_up(&mut self, customer: u32) -> CustomerEvent {
        let profile = self.profile(customer);
        self.event(customer, 0, profile)
    }

    fn customer(&mut self) -> u32 {
        let Some(total) = self.ranks.last() else {
            return self.random.random_range(0..self.customers);
        };
        let drawn = self.random.random_range(0.0..*total);
        let rank = self.ranks.partition_point(|sum| *sum <= drawn);
        // A large prime as multiplier keeps neighbours in rank apart in the table.
        let scattered = (rank as u64 * 2_654_435_761) % u64::from(self.customers);
        u32::try_from(scattered).unwrap()
    }

    fn event(&mut self, customer: u32, after_now: i64, payload: Payload) -> CustomerEvent {
        CustomerEvent {
            event_id: EventId(Builder::from_random_bytes(self.random.random()).into_uuid()),
            tenant_id: tenant(customer % self.tenants),
            customer_id: CustomerId::new(format!("customer-{customer:07}")).unwrap(),
            source: Arc::from("hubspot"),
            occurred_at: self.now.plus_micros(after_now),
            payload,
        }
    }

    fn payload(&mut self, customer: u32) -> Payload {
        let order = self.random.random_range(0..20);
        match self.random.random_range(0..100) {
            0..30 => self.order(customer, order),
            30..36 => Payload::OrderRefunded(OrderRefunded {
                order_id: order_id(customer, order % 3),
                amount_minor: self.random.random_range(1..2_000),
                currency: Currency::new("EUR").unwrap(),
            }),
            36..60 => self.update(),
            60..75 => stage(self.pick(STAGES)),
            75..90 => Payload::ActivityTracked(ActivityTracked {
                name: self.pick(&["page_viewed", "signed_in"]).into(),
                properties: BTreeMap::from([("page".into(), text(self.pick(PAGES)))]),
            }),
            _ => Payload::MessageExchanged(MessageExchanged {
                conversation_id: format!("conversation-{customer}").into(),
                channel: Channel::Chat,
                direction: Direction::Inbound,
                agent: Some(self.pick(&["kim", "sam", "alex"]).into()),
                sentiment: Double::new(f64::from(self.random.random_range(-100..=100)) / 100.0),
                intent: Some("billing".into()),
                response_ms: Some(self.random.random_range(1_000..600_000)),
            }),
        }
    }

    fn order(&mut self, customer: u32, number: u32) -> Payload {
        let usd = self.random.random_bool(0.2);
        Payload::OrderPlaced(OrderPlaced {
            order_id: order_id(customer, number),
            amount_minor: self.random.random_range(100..50_000),
            currency: Currency::new(if usd { "USD" } else { "EUR" }).unwrap(),
            items: None,
            channel: Some("web".into()),
        })
    }

    fn update(&mut self) -> Payload {
        let mut attributes = BTreeMap::from([("plan".into(), text(self.pick(PLANS)))]);
        if self.random.random_bool(0.5) {
            let seats = AttributeValue::Long(self.random.random_range(1..50));
            attributes.insert("seats".into(), seats);
        }
        Payload::ProfileUpdated(ProfileUpdated { attributes })
    }

    fn profile(&mut self, customer: u32) -> Payload {
        let plan = self.pick(PLANS);
        let country = self.pick(COUNTRIES);
        let seats = self.random.random_range(1..50);
        let score = Double::new(f64::from(self.random.random_range(0..1_000)) / 10.0).unwrap();
        let attributes = [
            ("address", text("Maximilianstrasse 112, 67433 Neustadt")),
            ("city", text("Neustadt an der Weinstrasse")),
            ("company", text(&format!("Company {} Ltd", customer / 7))),
            ("country", text(country)),
            (
                "email",
                text(&format!(
                    "person.{customer}@company{}.example",
                    customer / 7
                )),
            ),
            ("first_name", text("Maximiliane")),
            ("job_title", text("Head of Customer Operations")),
            ("language", text("de-DE")),
            ("last_name", text("Oberhausen")),
            (
                "newsletter",
                AttributeValue::Boolean(customer.is_multiple_of(3)),
            ),
            ("owner", text("agent.kim@vendor.example")),
            ("phone", text(&format!("+49 30 {customer:07}"))),
            ("plan", text(plan)),
            ("referrer", text("partner.example/autumn-2026")),
            ("score", AttributeValue::Double(score)),
            ("seats", AttributeValue::Long(seats)),
        ];
        Payload::ProfileUpdated(ProfileUpdated {
            attributes: attributes.map(|(name, value)| (name.into(), value)).into(),
        })
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.random.random_range(0..words.len())]
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::String(text.into())
}

fn order_id(customer: u32, number: u32) -> Arc<str> {
    format!("order-{customer}-{number}").into()
}

fn stage(stage: &str) -> Payload {
    Payload::StageEntered(StageEntered {
        journey: "sales".into(),
        stage: stage.into(),
    })
}

/// Returns the definitions of every tenant: twenty segments of four kinds, and a journey.
pub(crate) fn definitions() -> String {
    let segments: String = (1..=5).flat_map(segments).collect();
    let tenants: Vec<String> = (0..TENANTS)
        .map(|number| {
            format!(
                "tenant: {{ id: tenant-{number}, zone: Europe/Berlin, currency: EUR, \
                 rates: {{ USD: '0.92' }} }}\nsegments:\n{segments}\
                 journeys:\n  - {{ name: sales, stages: [lead, trial, customer] }}\n"
            )
        })
        .collect();
    tenants.join("---\n")
}

/// Four segments, one of each kind.
fn segments(n: u32) -> [String; 4] {
    [
        ("buyers", format!("orders: {{ count: {{ gte: {n} }} }}")),
        (
            "lately",
            format!("orders: {{ count: {{ gte: 1 }}, within: {n}d }}"),
        ),
        ("seats", format!("attribute: {{ name: seats, gte: {n}0 }}")),
        (
            "drifting",
            format!("all: [ {{ segment: buyers{n} }}, {{ churn: {{ band: high }} }} ]"),
        ),
    ]
    .map(|(name, condition)| format!("  - {{ name: {name}{n}, when: {{ {condition} }} }}\n"))
}
