//! One visit: what happens, and how time passes between.

use std::sync::Arc;

use tidemark_schemas::event::{
    ActivityTracked, CampaignTouched, ConsentChanged, OrderItem, OrderPlaced, OrderRefunded,
    ProfileUpdated, StageEntered, SubscriptionChanged, SubscriptionStatus,
};
use tidemark_schemas::{AttributeValue, Currency, CustomerId, EventId, Instant, Payload};

use super::random::Random;
use super::{DAY_MICROS, part};

const SECOND_MICROS: i64 = 1_000_000;

/// Attributes or properties as they are written down in a behaviour.
pub(super) type Named<'a> = (&'a str, AttributeValue);

/// A text as a value.
pub(super) fn text(text: impl AsRef<str>) -> AttributeValue {
    AttributeValue::String(text.as_ref().into())
}

/// What one visit brings about.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) random: &'a mut Random,
    customer: &'a CustomerId,
    /// How far the customer's clocks are ahead of UTC, about: people sleep at night.
    pub(super) hours_ahead: i64,
    now: Instant,
    happened: Vec<(Instant, EventId, Payload)>,
}

impl<'a> Visit<'a> {
    pub(super) fn begin(
        now: Instant,
        customer: &'a CustomerId,
        hours_ahead: i64,
        random: &'a mut Random,
    ) -> Self {
        Self {
            random,
            customer,
            hours_ahead,
            now,
            happened: Vec::new(),
        }
    }

    pub(super) fn end(self) -> Vec<(Instant, EventId, Payload)> {
        self.happened
    }

    /// What time it is.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// What day it is, as attributes write it.
    pub(super) fn today(&self) -> AttributeValue {
        text(self.now.to_jiff().strftime("%Y-%m-%d").to_string())
    }

    /// So many days from now, or about: at an hour at which the customer is up.
    pub(super) fn in_days(&mut self, days: f64) -> Instant {
        let at = self.now.plus_micros(part(days, DAY_MICROS));
        self.awake(at)
    }

    /// Moves an instant to an hour at which the customer is up, on the same day of its clocks, but not
    /// before now.
    pub(super) fn awake(&mut self, at: Instant) -> Instant {
        awake(at, self.hours_ahead, self.random).max(self.now)
    }

    /// A name for something of this customer that nobody else has, such as an order.
    pub(super) fn new_id(&mut self, prefix: &str) -> Arc<str> {
        let number = self.random.between(1_000_000, 9_999_999);
        format!("{prefix}-{}-{number}", self.customer).into()
    }

    /// Time passes, in seconds.
    pub(super) fn wait(&mut self, least: i64, most: i64) {
        let seconds = self.random.between(least, most);
        let rest = self.random.between(0, SECOND_MICROS - 1);
        self.now = self.now.plus_micros(seconds * SECOND_MICROS + rest);
    }

    /// Time passes, in milliseconds.
    pub(super) fn waits_millis(&mut self, millis: i64) {
        self.now = self.now.plus_micros(millis * 1_000);
    }

    /// It happens, and a moment passes.
    pub(super) fn happens(&mut self, payload: Payload) {
        let id = EventId(self.random.id());
        self.happened.push((self.now, id, payload));
        self.wait(2, 40);
    }

    pub(super) fn profile(&mut self, attributes: &[Named<'_>]) {
        let attributes = named(attributes);
        self.happens(Payload::ProfileUpdated(ProfileUpdated { attributes }));
    }

    pub(super) fn does(&mut self, name: &str, properties: &[Named<'_>]) {
        let properties = named(properties);
        self.happens(Payload::ActivityTracked(ActivityTracked {
            name: name.into(),
            properties,
        }));
    }

    /// Enters a stage; gives when.
    pub(super) fn stage(&mut self, journey: &str, stage: &str) -> Instant {
        let at = self.now;
        self.happens(Payload::StageEntered(StageEntered {
            journey: journey.into(),
            stage: stage.into(),
        }));
        at
    }

    pub(super) fn orders(
        &mut self,
        order_id: &Arc<str>,
        amount_minor: i64,
        currency: &str,
        items: Option<Vec<OrderItem>>,
        channel: &str,
    ) {
        self.happens(Payload::OrderPlaced(OrderPlaced {
            order_id: Arc::clone(order_id),
            amount_minor,
            currency: money(currency),
            items,
            channel: Some(channel.into()),
        }));
    }

    pub(super) fn refund(&mut self, order_id: &Arc<str>, amount_minor: i64, currency: &str) {
        self.happens(Payload::OrderRefunded(OrderRefunded {
            order_id: Arc::clone(order_id),
            amount_minor,
            currency: money(currency),
        }));
    }

    pub(super) fn subscribes(
        &mut self,
        subscription_id: &Arc<str>,
        status: SubscriptionStatus,
        plan: &str,
        mrr_minor: i64,
        currency: &str,
    ) {
        self.happens(Payload::SubscriptionChanged(SubscriptionChanged {
            subscription_id: Arc::clone(subscription_id),
            status,
            plan: plan.into(),
            mrr_minor,
            currency: money(currency),
        }));
    }

    pub(super) fn touched(&mut self, campaign: &str, channel: &str, cost: Option<(i64, &str)>) {
        self.happens(Payload::CampaignTouched(CampaignTouched {
            campaign: campaign.into(),
            channel: channel.into(),
            cost_minor: cost.map(|(minor, _)| minor),
            currency: cost.map(|(_, currency)| money(currency)),
        }));
    }

    pub(super) fn consents(&mut self, purpose: &str, granted: bool) {
        self.happens(Payload::ConsentChanged(ConsentChanged {
            purpose: purpose.into(),
            granted,
        }));
    }
}

fn named(values: &[Named<'_>]) -> tidemark_schemas::event::AttributeMap {
    values
        .iter()
        .map(|(name, value)| (Arc::from(*name), value.clone()))
        .collect()
}

fn money(currency: &str) -> Currency {
    Currency::new(currency).expect("behaviours name currencies that exist")
}

/// Moves an instant to an hour at which people are up, on the same day of clocks so far ahead.
pub(super) fn awake(at: Instant, hours_ahead: i64, random: &mut Random) -> Instant {
    let hour_micros = DAY_MICROS / 24;
    let ahead = hours_ahead * hour_micros;
    let midnight = (at.micros() + ahead).div_euclid(DAY_MICROS) * DAY_MICROS - ahead;
    let hour: i64 = random.pick(&[
        7, 8, 9, 10, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 20, 21, 22,
    ]);
    let shifted = midnight + hour * hour_micros + random.between(0, hour_micros - 1);
    // Never back: the pause before was meant.
    Instant::from_micros(shifted.max(at.micros())).unwrap_or(at)
}
