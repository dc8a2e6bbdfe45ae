//! A shop with the customers of the real purchase log, and a log of its definitions.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::civil::{Date, date};
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::models::TrainedModels;
use tidemark_projections::state::CustomerState;
use tidemark_projections::training::{Trainer, TrainingReport};
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId};

use crate::cdnow;

pub(crate) const SHOP: &str = "tenant: { id: shop, zone: UTC, currency: USD }";
pub(crate) const JOURNEY: &str = "tenant: { id: shop, zone: UTC, currency: USD }
journeys: [{ name: sales, stages: [lead, trial, customer] }]";
pub(crate) const END: Date = date(1997, 9, 30);

pub(crate) type Customers = Vec<(CustomerId, CustomerState)>;

/// A log of definitions with its records applied one after another.
pub(crate) struct Log(Definitions);

impl Log {
    pub(crate) fn defined_by(text: &str) -> Self {
        let mut log = Self(Definitions::default());
        log.apply(text);
        log
    }

    pub(crate) fn apply(&mut self, text: &str) {
        let bundle = Bundle::from_files(&[("f.yaml".to_owned(), text.to_owned())], "me").unwrap();
        self.append(bundle);
    }

    fn append(&mut self, mut bundle: Bundle) {
        bundle.based_on = self.0.version;
        let version = bundle.based_on.map_or(0, |version| version + 1);
        self.0 = self
            .0
            .apply(version, Instant::MIN, &bundle.to_record())
            .unwrap();
    }

    pub(crate) fn publish(&mut self, models: TrainedModels) {
        let mut source = self.shop().source.clone();
        source.models = Some(models);
        self.append(Bundle::from_sources(vec![source], "me"));
    }

    pub(crate) fn shop(&self) -> Arc<TenantDefinitions> {
        Arc::clone(self.0.tenants.values().next().unwrap())
    }
}

pub(crate) fn fold(
    state: &mut CustomerState,
    shop: &TenantDefinitions,
    id: &mut u128,
    day: &str,
    payload: Payload,
) {
    *id += 1;
    let event = CustomerEvent {
        event_id: EventId(uuid::Uuid::from_u128(*id)),
        tenant_id: TenantId::new("shop").unwrap(),
        customer_id: CustomerId::new("c").unwrap(),
        source: "test".into(),
        occurred_at: format!("{day}T12:00:00Z").parse().unwrap(),
        payload,
    };
    state.fold(&event, &shop.rules).unwrap();
}

pub(crate) fn order(id: u128, cents: i64) -> Payload {
    Payload::OrderPlaced(OrderPlaced {
        order_id: id.to_string().as_str().into(),
        amount_minor: cents,
        currency: Currency::new("USD").unwrap(),
        items: None,
        channel: None,
    })
}

/// The real shop as of the end of the calibration period, trained once for all tests.
pub(crate) static TRAINED: LazyLock<TrainingReport> = LazyLock::new(|| {
    let log = Log::defined_by(SHOP);
    // What came after the day asked for is there, and must make no difference.
    train(&log.shop(), END, &cdnow(&log.shop(), Date::MAX))
});

/// The log up to a day.
pub(crate) fn cdnow(shop: &TenantDefinitions, last: Date) -> Customers {
    let mut states: BTreeMap<&str, CustomerState> = BTreeMap::new();
    let mut events = 0;
    for line in cdnow::LOG.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let day: Date = fields[2].parse().unwrap();
        if day > last {
            continue;
        }
        let cents = fields[4].replace('.', "").parse().unwrap();
        let payload = order(events, cents);
        let state = states.entry(fields[1]).or_default();
        fold(state, shop, &mut events, &day.to_string(), payload);
    }
    let named = states.into_iter();
    named
        .map(|(id, state)| (CustomerId::new(id).unwrap(), state))
        .collect()
}

pub(crate) fn train<'c>(
    shop: &TenantDefinitions,
    as_of: Date,
    customers: impl IntoIterator<Item = &'c (CustomerId, CustomerState)>,
) -> TrainingReport {
    let mut trainer = Trainer::new(shop, as_of);
    for (id, state) in customers {
        trainer.add(id, state);
    }
    trainer.train()
}

pub(crate) fn midnight(day: Date) -> Instant {
    format!("{day}T00:00:00Z").parse().unwrap()
}
