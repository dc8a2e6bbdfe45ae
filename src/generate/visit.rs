//! One visit: what happens, and how time passes between.

use std::sync::Arc;

use tidemark_schemas::event::{
    ActionAnswered, ActionOffered, ActivityTracked, CampaignTouched, Channel, ConsentChanged,
    ConversationClosed, Direction, MessageExchanged, OrderItem, OrderPlaced, OrderRefunded,
    Outcome, ProfileUpdated, StageEntered, SubscriptionChanged, SubscriptionStatus, TicketChanged,
};
use tidemark_schemas::value::Double;
use tidemark_schemas::{AttributeValue, Currency, CustomerId, EventId, Instant, Payload};

use super::random::Random;

const SECOND_MICROS: i64 = 1_000_000;

/// Attributes or properties as they are written down in a behaviour.
pub(super) type Named<'a> = (&'a str, AttributeValue);

/// A text as a value.
pub(super) fn text(text: impl AsRef<str>) -> AttributeValue {
    AttributeValue::String(text.as_ref().into())
}

/// A conversation from the first message to its end.
pub(super) struct Conversation<'a> {
    pub(super) channel: Channel,
    pub(super) agent: &'a str,
    pub(super) intent: &'a str,
    /// About which the customer's mood is, from -1 to 1.
    pub(super) mood: f64,
    pub(super) outcome: Outcome,
}

/// What one visit brings about.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) random: &'a mut Random,
    customer: &'a CustomerId,
    now: Instant,
    happened: Vec<(Instant, EventId, Payload)>,
}

impl<'a> Visit<'a> {
    pub(super) fn begin(now: Instant, customer: &'a CustomerId, random: &'a mut Random) -> Self {
        Self {
            random,
            customer,
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

    pub(super) fn stage(&mut self, journey: &str, stage: &str) {
        self.happens(Payload::StageEntered(StageEntered {
            journey: journey.into(),
            stage: stage.into(),
        }));
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

    /// An offer, and its answer a while later.
    pub(super) fn offered(&mut self, action: &str, accepted: bool) {
        let offer_id = self.new_id("offer");
        self.happens(Payload::ActionOffered(ActionOffered {
            action: action.into(),
            offer_id: Arc::clone(&offer_id),
        }));
        self.wait(30, 900);
        self.happens(Payload::ActionAnswered(ActionAnswered {
            offer_id,
            accepted,
        }));
    }

    /// A ticket that is opened, and solved a while later.
    pub(super) fn ticket(&mut self, priority: &str) {
        let ticket_id = self.new_id("ticket");
        for status in ["open", "pending", "solved"] {
            self.happens(Payload::TicketChanged(TicketChanged {
                ticket_id: Arc::clone(&ticket_id),
                status: status.into(),
                priority: priority.into(),
            }));
            self.wait(300, 7_200);
        }
    }

    /// Two to six messages, turn by turn, and the end.
    pub(super) fn talks(&mut self, about: &Conversation<'_>) {
        let conversation_id = self.new_id("talk");
        let turns = self.random.between(1, 3);
        for _ in 0..turns {
            self.message(&conversation_id, about, Direction::Inbound);
            self.message(&conversation_id, about, Direction::Outbound);
        }
        self.happens(Payload::ConversationClosed(ConversationClosed {
            conversation_id,
            outcome: about.outcome,
            agent: Some(about.agent.into()),
        }));
    }

    fn message(&mut self, id: &Arc<str>, about: &Conversation<'_>, direction: Direction) {
        let before = self.now;
        self.wait(20, 1_200);
        let inbound = direction == Direction::Inbound;
        let mood = (about.mood + self.random.unit() * 0.6 - 0.3).clamp(-1.0, 1.0);
        // Thousandths are as fine as a mood can be told.
        let mood = (mood * 1_000.0).round() / 1_000.0;
        let waited = (self.now.micros() - before.micros()) / 1_000;
        self.happens(Payload::MessageExchanged(MessageExchanged {
            conversation_id: Arc::clone(id),
            channel: about.channel,
            direction,
            agent: (!inbound).then(|| about.agent.into()),
            sentiment: Double::new(mood).filter(|_| inbound),
            intent: inbound.then(|| about.intent.into()),
            response_ms: (!inbound).then_some(waited),
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
