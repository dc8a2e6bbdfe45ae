//! A tenant and a customer to test with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::outputs::{Outputs, derive, next_change};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::{
    ActivityTracked, AttributeMap, OrderPlaced, OrderRefunded, ProfileUpdated, StageEntered,
};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId,
};

pub(crate) const SETTINGS: &str =
    "zone: Europe/Berlin, currency: EUR, rates: { USD: 0.92, JPY: 0.0061 }";

pub(crate) fn tenant_with(settings: &str, rest: &str) -> Arc<TenantDefinitions> {
    let text = format!("tenant: {{ id: t, {settings} }}\n{rest}");
    let bundle = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap();
    let all = Definitions::default()
        .apply(0, Instant::MIN, &bundle.to_record())
        .unwrap();
    Arc::clone(all.tenants.values().next().unwrap())
}

pub(crate) fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

/// A customer under construction.
pub(crate) struct Customer {
    pub(crate) definitions: Arc<TenantDefinitions>,
    pub(crate) state: CustomerState,
    events: u128,
}

impl Customer {
    pub(crate) fn under(definitions: &Arc<TenantDefinitions>) -> Self {
        let definitions = Arc::clone(definitions);
        Self {
            definitions,
            state: CustomerState::default(),
            events: 0,
        }
    }

    pub(crate) fn new() -> Self {
        Self::under(&tenant_with(SETTINGS, ""))
    }

    pub(crate) fn event(mut self, occurred_at: &str, payload: Payload) -> Self {
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

    pub(crate) fn order(
        self,
        occurred_at: &str,
        id: &str,
        amount_minor: i64,
        currency: &str,
    ) -> Self {
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

    pub(crate) fn refund(
        self,
        occurred_at: &str,
        id: &str,
        amount_minor: i64,
        currency: &str,
    ) -> Self {
        let currency = Currency::new(currency).unwrap();
        let refunded = OrderRefunded {
            order_id: id.into(),
            amount_minor,
            currency,
        };
        self.event(occurred_at, Payload::OrderRefunded(refunded))
    }

    pub(crate) fn attribute(self, occurred_at: &str, value: AttributeValue) -> Self {
        let attributes = BTreeMap::from([(Arc::from("a"), value)]);
        self.event(
            occurred_at,
            Payload::ProfileUpdated(ProfileUpdated { attributes }),
        )
    }

    pub(crate) fn activity(self, occurred_at: &str, name: &str) -> Self {
        let tracked = ActivityTracked {
            name: name.into(),
            properties: AttributeMap::new(),
        };
        self.event(occurred_at, Payload::ActivityTracked(tracked))
    }

    pub(crate) fn stage(self, occurred_at: &str, stage: &str) -> Self {
        let entered = StageEntered {
            journey: "sales".into(),
            stage: stage.into(),
        };
        self.event(occurred_at, Payload::StageEntered(entered))
    }

    pub(crate) fn outputs(&self, instant: &str) -> Outputs {
        derive(&self.state, &self.definitions, at(instant))
    }

    pub(crate) fn due(&self, instant: &str) -> Option<Instant> {
        next_change(&self.state, &self.definitions, at(instant))
    }
}
