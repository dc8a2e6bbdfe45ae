//! Generated events: the same seed gives the same events on every machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tidemark_schemas::event::{
    ActivityTracked, CampaignTouched, Channel, Direction, MessageExchanged, OrderPlaced,
    OrderRefunded, ProfileUpdated, StageEntered,
};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, Double, EventId, Instant, Payload,
    TenantId,
};
use uuid::Builder;

const DAY_MICROS: i64 = 86_400_000_000;

/// The customers and the period that events are drawn from.
pub(crate) struct Population {
    pub(crate) tenants: Vec<TenantId>,
    /// The number of customers of each tenant; all tenants have the same customer ids.
    pub(crate) customers: u32,
    pub(crate) begin: Instant,
    pub(crate) days: i64,
}

/// A source of random events.
pub(crate) struct Generator {
    random: StdRng,
    population: Population,
}

impl Generator {
    pub(crate) fn new(seed: u64, population: Population) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            population,
        }
    }

    /// Returns that many different events.
    pub(crate) fn events(&mut self, count: usize) -> Vec<CustomerEvent> {
        (0..count).map(|_| self.event()).collect()
    }

    /// Returns the events, a share of them twice, in an order unrelated to their times.
    pub(crate) fn duplicated_and_shuffled(
        &mut self,
        events: &[CustomerEvent],
        duplicates: f64,
    ) -> Vec<CustomerEvent> {
        let mut sent = events.to_vec();
        sent.extend(
            events
                .iter()
                .filter(|_| self.random.random_bool(duplicates))
                .cloned(),
        );
        sent.shuffle(&mut self.random);
        sent
    }

    fn event(&mut self) -> CustomerEvent {
        let tenant = self.random.random_range(0..self.population.tenants.len());
        let customer = self.random.random_range(0..self.population.customers);
        let since = self
            .random
            .random_range(0..self.population.days * DAY_MICROS);
        CustomerEvent {
            event_id: EventId(Builder::from_random_bytes(self.random.random()).into_uuid()),
            tenant_id: self.population.tenants[tenant].clone(),
            customer_id: CustomerId::new(format!("customer-{customer:05}")).unwrap(),
            source: Arc::from("generator"),
            occurred_at: self.population.begin.plus_micros(since),
            payload: self.payload(customer),
        }
    }

    fn payload(&mut self, customer: u32) -> Payload {
        // Few order ids, so that orders are changed, and refunded before they are placed.
        let order_id: Arc<str> =
            format!("order-{customer}-{}", self.random.random_range(0..40)).into();
        let currency = Currency::new(self.pick(&["EUR", "USD"])).unwrap();
        let amount_minor = self.random.random_range(0..500_000);
        match self.random.random_range(0..100) {
            0..30 => Payload::OrderPlaced(OrderPlaced {
                order_id,
                amount_minor,
                currency,
                items: None,
                channel: None,
            }),
            30..36 => Payload::OrderRefunded(OrderRefunded {
                order_id,
                amount_minor: amount_minor / 10 + 1,
                currency,
            }),
            36..60 => Payload::ProfileUpdated(ProfileUpdated {
                attributes: self.attributes(),
            }),
            60..75 => Payload::StageEntered(StageEntered {
                journey: "sales".into(),
                stage: self.pick(&["lead", "trial", "customer"]).into(),
            }),
            75..90 => Payload::ActivityTracked(ActivityTracked {
                name: self.pick(&["page_viewed", "signed_in"]).into(),
                properties: BTreeMap::new(),
            }),
            90..93 => Payload::CampaignTouched(CampaignTouched {
                campaign: self.pick(&["spring", "autumn"]).into(),
                channel: "email".into(),
                cost_minor: Some(amount_minor / 1_000),
                currency: Some(currency),
            }),
            _ => Payload::MessageExchanged(MessageExchanged {
                conversation_id: format!("conversation-{customer}").into(),
                channel: Channel::Chat,
                direction: Direction::Inbound,
                agent: Some(self.pick(&["kim", "lee"]).into()),
                sentiment: Double::new(0.25),
                intent: None,
                response_ms: Some(amount_minor),
            }),
        }
    }

    fn attributes(&mut self) -> BTreeMap<Arc<str>, AttributeValue> {
        let plan = AttributeValue::String(self.pick(&["free", "pro"]).into());
        let seats = AttributeValue::Long(self.random.random_range(1..50));
        let mut attributes = BTreeMap::from([("plan".into(), plan)]);
        if self.random.random_bool(0.5) {
            attributes.insert("seats".into(), seats);
        }
        attributes
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.random.random_range(0..words.len())]
    }
}
