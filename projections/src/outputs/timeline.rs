//! The timeline of a customer, from its state.
//!
//! A state is no log. Orders, refunds, entered stages, offers and answers are all there; of a
//! subscription, a ticket and a consent what was last said; activities, messages and touches by day,
//! for as long as days are kept.

use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tidemark_schemas::{EventId, Instant};

use super::{ConsentOutput, OfferOutput, SubscriptionOutput, TicketOutput};
use crate::days;
use crate::definitions::TenantDefinitions;
use crate::state::{Campaigns, Conversations, CustomerState, Records, Stamp};

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HappeningKind {
    /// An order was placed; by its id.
    Order,
    /// Money of an order was given back; by the order's id.
    Refund,
    /// A stage was entered; by the journey.
    StageEntered,
    /// A subscription became what it is; by its id.
    Subscription,
    /// A ticket became what it is; by its id.
    Ticket,
    /// An action was offered; by the offer's id.
    Offer,
    /// An offer was answered; by its id.
    Answer,
    /// Consent was given or withdrawn; by its purpose.
    Consent,
    /// Something was done that day; by the activity's name.
    Activity,
    /// Something was said that day, or a conversation closed; by the channel, or `closed`.
    Message,
    /// A campaign reached the customer that day; by its name.
    Touch,
}

/// One thing that happened, or the things of one kind of one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// The instant; for daily items, the start of the day in the tenant's zone.
    pub at: Instant,
    /// The kind.
    pub kind: HappeningKind,
    /// The subject, by kind.
    pub name: Arc<str>,
    /// The part that distinguishes it from others of the same instant, kind and name.
    pub part: String,
    /// The event; `None` for daily items.
    pub event_id: Option<EventId>,
    /// The day in the tenant's zone, for daily items.
    pub day: Option<Date>,
    /// The details, by kind.
    pub details: Map<String, Value>,
}

impl HappeningKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Order,
        Self::Refund,
        Self::StageEntered,
        Self::Subscription,
        Self::Ticket,
        Self::Offer,
        Self::Answer,
        Self::Consent,
        Self::Activity,
        Self::Message,
        Self::Touch,
    ];

    /// Returns the name in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Refund => "refund",
            Self::StageEntered => "stage_entered",
            Self::Subscription => "subscription",
            Self::Ticket => "ticket",
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Consent => "consent",
            Self::Activity => "activity",
            Self::Message => "message",
            Self::Touch => "touch",
        }
    }
}

/// Everything that happened of these kinds, in no order. Nothing of it is an attribute.
pub fn timeline(
    state: &CustomerState,
    definitions: &TenantDefinitions,
    wanted: impl Fn(HappeningKind) -> bool,
) -> Vec<Happening> {
    let mut told = Told {
        definitions,
        happenings: Vec::new(),
    };
    told.orders(state);
    for (journey, entries) in state.journeys.iter() {
        for entry in entries {
            let details = json!({ "stage": entry.stage });
            told.event(HappeningKind::StageEntered, journey, entry.stamp, details);
        }
    }
    told.records(state.records());
    for (name, counter) in state.activity.iter() {
        for held in counter.days() {
            let details = json!({ "count": held.events });
            told.day(HappeningKind::Activity, name, "", held.day, details);
        }
    }
    told.messages(&state.conversations);
    told.touches(&state.records().campaigns);
    told.happenings.retain(|happening| wanted(happening.kind));
    told.happenings
}

/// The items so far.
struct Told<'a> {
    definitions: &'a TenantDefinitions,
    happenings: Vec<Happening>,
}

impl Told<'_> {
    fn event(
        &mut self,
        kind: HappeningKind,
        name: &Arc<str>,
        stamp: Stamp,
        details: impl Serialize,
    ) {
        self.happenings.push(Happening {
            at: stamp.at,
            kind,
            name: Arc::clone(name),
            part: stamp.id.to_string(),
            event_id: Some(stamp.id),
            day: None,
            details: object(details),
        });
    }

    fn day(
        &mut self,
        kind: HappeningKind,
        name: &Arc<str>,
        part: &str,
        day: i32,
        details: impl Serialize,
    ) {
        // Days of events: all of them have a beginning.
        let zone = &self.definitions.rules.zone;
        let Some(at) = days::start_of(zone, day) else {
            return;
        };
        self.happenings.push(Happening {
            at,
            kind,
            name: Arc::clone(name),
            part: part.to_owned(),
            event_id: None,
            day: days::date_of(day),
            details: object(details),
        });
    }

    fn orders(&mut self, state: &CustomerState) {
        for order in state.orders.iter() {
            let placed = order.placed;
            let details =
                json!({ "amount_minor": placed.amount_minor, "currency": placed.currency });
            self.event(HappeningKind::Order, order.order_id, placed.stamp, details);
        }
        for (order_id, id, refund) in state.orders.refunds() {
            let stamp = Stamp { at: refund.at, id };
            let details =
                json!({ "amount_minor": refund.amount_minor, "currency": refund.currency });
            self.event(HappeningKind::Refund, order_id, stamp, details);
        }
    }

    fn records(&mut self, records: &Records) {
        for (id, subscription) in records.subscriptions.iter() {
            let stamp = subscription.newest.stamp;
            let details = SubscriptionOutput::from(subscription);
            self.event(HappeningKind::Subscription, id, stamp, details);
        }
        for (id, ticket) in records.tickets.iter() {
            let details = TicketOutput::from(ticket);
            self.event(HappeningKind::Ticket, id, ticket.newest.stamp, details);
        }
        for offer in records.offers.iter() {
            let details = OfferOutput::from(offer);
            let stamp = offer.offered.stamp;
            self.event(HappeningKind::Offer, offer.offer_id, stamp, &details);
            if let Some(answer) = offer.answer {
                self.event(HappeningKind::Answer, offer.offer_id, answer.stamp, details);
            }
        }
        for (purpose, consent) in records.consents.iter() {
            let details = ConsentOutput::from(consent);
            self.event(HappeningKind::Consent, purpose, consent.stamp, details);
        }
    }

    fn messages(&mut self, conversations: &Conversations) {
        for (line, days) in conversations.iter() {
            let channel = line.channel.map_or("closed", |channel| channel.as_str());
            let name = Arc::from(channel);
            let agent = line.agent.as_deref();
            for (day, tally) in days {
                let details = match line.channel {
                    Some(_) => json!({
                        "agent": agent,
                        "inbound": tally.inbound,
                        "outbound": tally.outbound,
                        "mean_sentiment": tally.mean_sentiment(),
                        "intents": tally.intents,
                    }),
                    None => json!({ "agent": agent, "outcomes": tally.outcomes }),
                };
                let part = agent.unwrap_or_default();
                self.day(HappeningKind::Message, &name, part, *day, details);
            }
        }
    }

    fn touches(&mut self, campaigns: &Campaigns) {
        for (line, touches) in campaigns.iter() {
            for held in touches.counter.days() {
                let costs = touches.costs().filter(|(day, ..)| *day == held.day);
                let costs = costs.map(|(_, currency, minor)| (currency.to_string(), json!(minor)));
                let details = json!({
                    "channel": line.channel,
                    "count": held.events,
                    "cost_minor": costs.collect::<Map<_, _>>(),
                });
                let (campaign, channel) = (&line.campaign, &line.channel);
                self.day(HappeningKind::Touch, campaign, channel, held.day, details);
            }
        }
    }
}

/// The details of an item with named parts.
fn object(details: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(details) {
        Ok(Value::Object(fields)) => fields,
        // All that is told here is an object.
        Ok(_) | Err(_) => Map::new(),
    }
}
