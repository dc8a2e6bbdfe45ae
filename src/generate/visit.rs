//! One visit: the events of a customer, and the time between them.

use std::sync::Arc;

use tidemark_schemas::event::{
    ActivityTracked, CampaignTouched, ConsentChanged, OrderItem, OrderPlaced, OrderRefunded,
    ProfileUpdated, StageEntered, SubscriptionChanged, SubscriptionStatus,
};
use tidemark_schemas::{AttributeValue, Currency, CustomerId, EventId, Instant, Payload};

use super::random::Random;
use super::{DAY_MICROS, part};

const SECOND_MICROS: i64 = 1_000_000;

/// An attribute or a property, as behaviours write it.
pub(super) type NamedValue<'a> = (&'a str, AttributeValue);

/// Returns a text as a value.
pub(super) fn text(text: impl AsRef<str>) -> AttributeValue {
    AttributeValue::String(text.as_ref().into())
}

/// A visit and its events so far.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) random: &'a mut Random,
    customer: &'a CustomerId,
    /// The offset of the customer's clocks from UTC, in hours, roughly: customers sleep at night.
    pub(super) hours_ahead: i64,
    now: Instant,
    events: Vec<(Instant, EventId, Payload)>,
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
            events: Vec::new(),
        }
    }

    pub(super) fn end(self) -> Vec<(Instant, EventId, Payload)> {
        self.events
    }

    /// Returns the current instant.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Returns the current day, as attributes hold it.
    pub(super) fn today(&self) -> AttributeValue {
        text(self.now.to_jiff().strftime("%Y-%m-%d").to_string())
    }

    /// Returns an instant about so many days from now, at an hour at which customers are awake.
    pub(super) fn in_days(&mut self, days: f64) -> Instant {
        let at = self.now.plus_micros(part(days, DAY_MICROS));
        self.awake(at)
    }

    /// Moves an instant to an hour at which customers are awake, on the same day, but not before now.
    pub(super) fn awake(&mut self, at: Instant) -> Instant {
        awake(at, self.hours_ahead, self.random).max(self.now)
    }

    /// Returns a unique id for an object of this customer, such as an order.
    pub(super) fn new_id(&mut self, prefix: &str) -> Arc<str> {
        let number = self.random.between(1_000_000, 9_999_999);
        format!("{prefix}-{}-{number}", self.customer).into()
    }

    /// Lets a random number of seconds pass.
    pub(super) fn wait(&mut self, least: i64, most: i64) {
        let seconds = self.random.between(least, most);
        let rest = self.random.between(0, SECOND_MICROS - 1);
        self.now = self.now.plus_micros(seconds * SECOND_MICROS + rest);
    }

    /// Lets milliseconds pass.
    pub(super) fn wait_millis(&mut self, millis: i64) {
        self.now = self.now.plus_micros(millis * 1_000);
    }

    /// Adds an event, and lets a few seconds pass.
    pub(super) fn publish(&mut self, payload: Payload) {
        let id = EventId(self.random.id());
        self.events.push((self.now, id, payload));
        self.wait(2, 40);
    }

    pub(super) fn update_profile(&mut self, attributes: &[NamedValue<'_>]) {
        let attributes = attribute_map(attributes);
        self.publish(Payload::ProfileUpdated(ProfileUpdated { attributes }));
    }

    pub(super) fn track(&mut self, name: &str, properties: &[NamedValue<'_>]) {
        let properties = attribute_map(properties);
        self.publish(Payload::ActivityTracked(ActivityTracked {
            name: name.into(),
            properties,
        }));
    }

    /// Enters a stage, and returns the instant.
    pub(super) fn enter_stage(&mut self, journey: &str, stage: &str) -> Instant {
        let at = self.now;
        self.publish(Payload::StageEntered(StageEntered {
            journey: journey.into(),
            stage: stage.into(),
        }));
        at
    }

    pub(super) fn place_order(
        &mut self,
        order_id: &Arc<str>,
        amount_minor: i64,
        currency: &str,
        items: Option<Vec<OrderItem>>,
        channel: &str,
    ) {
        self.publish(Payload::OrderPlaced(OrderPlaced {
            order_id: Arc::clone(order_id),
            amount_minor,
            currency: money(currency),
            items,
            channel: Some(channel.into()),
        }));
    }

    pub(super) fn refund(&mut self, order_id: &Arc<str>, amount_minor: i64, currency: &str) {
        self.publish(Payload::OrderRefunded(OrderRefunded {
            order_id: Arc::clone(order_id),
            amount_minor,
            currency: money(currency),
        }));
    }

    pub(super) fn change_subscription(
        &mut self,
        subscription_id: &Arc<str>,
        status: SubscriptionStatus,
        plan: &str,
        mrr_minor: i64,
        currency: &str,
    ) {
        self.publish(Payload::SubscriptionChanged(SubscriptionChanged {
            subscription_id: Arc::clone(subscription_id),
            status,
            plan: plan.into(),
            mrr_minor,
            currency: money(currency),
        }));
    }

    pub(super) fn touch_campaign(
        &mut self,
        campaign: &str,
        channel: &str,
        cost: Option<(i64, &str)>,
    ) {
        self.publish(Payload::CampaignTouched(CampaignTouched {
            campaign: campaign.into(),
            channel: channel.into(),
            cost_minor: cost.map(|(minor, _)| minor),
            currency: cost.map(|(_, currency)| money(currency)),
        }));
    }

    pub(super) fn change_consent(&mut self, purpose: &str, granted: bool) {
        self.publish(Payload::ConsentChanged(ConsentChanged {
            purpose: purpose.into(),
            granted,
        }));
    }
}

fn attribute_map(values: &[NamedValue<'_>]) -> tidemark_schemas::event::AttributeMap {
    values
        .iter()
        .map(|(name, value)| (Arc::from(*name), value.clone()))
        .collect()
}

fn money(currency: &str) -> Currency {
    Currency::new(currency).expect("behaviours name currencies that exist")
}

/// Moves an instant to an hour at which customers are awake, on the same day of their clocks.
pub(super) fn awake(at: Instant, hours_ahead: i64, random: &mut Random) -> Instant {
    let hour_micros = DAY_MICROS / 24;
    let ahead = hours_ahead * hour_micros;
    let midnight = (at.micros() + ahead).div_euclid(DAY_MICROS) * DAY_MICROS - ahead;
    let hour: i64 = random.pick(&[
        7, 8, 9, 10, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 20, 21, 22,
    ]);
    let shifted = midnight + hour * hour_micros + random.between(0, hour_micros - 1);
    // Never earlier, so that pauses keep their length.
    Instant::from_micros(shifted.max(at.micros())).unwrap_or(at)
}
