//! Conditions on what is kept under a business key (subscriptions, tickets, offers, consents), and on
//! what is counted of campaigns and conversations.

use std::sync::Arc;

use tidemark_schemas::event::{Channel, Direction, Outcome, SubscriptionStatus};

use super::{Ago, Bounds, EventWindow};

/// A condition on one kind of record.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordCondition {
    /// Subscriptions.
    Subscription(SubscriptionCondition),
    /// Support tickets.
    Ticket(TicketCondition),
    /// Touches of campaigns.
    Campaign(CampaignCondition),
    /// Offers and their answers.
    Offer(OfferCondition),
    /// Consent to one purpose.
    Consent(ConsentCondition),
    /// Messages and ends of conversations.
    Conversation(ConversationCondition),
}

/// The number of records that satisfy all tests.
#[derive(Debug, Clone, PartialEq)]
pub enum Quantity {
    /// So many.
    Count(Bounds<i64>),
    /// Each there is, and there is one.
    All,
}

/// Tests of a subscription as it now is; one must pass all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionCondition {
    /// Its status is one of these; empty: any.
    pub statuses: Vec<SubscriptionStatus>,
    /// Its plan is one of these; empty: any.
    pub plans: Vec<Arc<str>>,
    /// Its monthly revenue, in minor units of the tenant's currency.
    pub mrr: Bounds<i64>,
    /// The age of the first payment.
    pub started: Option<Ago>,
    /// The age of the newest event.
    pub changed: Option<Ago>,
    /// The number of matching subscriptions.
    pub quantity: Quantity,
    /// The monthly revenue of those that pass, in minor units of the tenant's currency.
    pub total_mrr: Bounds<i64>,
}

/// Tests of a ticket as it now is; one must pass all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct TicketCondition {
    /// Its status is one of these; empty: any.
    pub statuses: Vec<Arc<str>>,
    /// Its priority is one of these; empty: any.
    pub priorities: Vec<Arc<str>>,
    /// The age of the first event.
    pub opened: Option<Ago>,
    /// The age of the newest event.
    pub changed: Option<Ago>,
    /// The number of matching tickets.
    pub quantity: Quantity,
}

/// Tests of an offer; one must pass all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferCondition {
    /// The actions offered; empty: any.
    pub actions: Vec<Arc<str>>,
    /// The answer is one of these; empty: any.
    pub answers: Vec<OfferAnswer>,
    /// The age of the offer.
    pub offered: Option<Ago>,
    /// The age of the answer.
    pub answered: Option<Ago>,
    /// The number of matching offers.
    pub quantity: Quantity,
}

/// The state of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OfferAnswer {
    /// Nothing yet.
    None,
    /// It was taken.
    Accepted,
    /// It was not.
    Declined,
}

/// The newest consent for a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentCondition {
    /// The purpose.
    pub purpose: Arc<str>,
    /// Given or withdrawn; of a purpose never heard of neither holds.
    pub granted: bool,
    /// The age of the consent.
    pub changed: Option<Ago>,
}

/// Conditions on the touches of some campaigns, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignCondition {
    /// The campaign is one of these; empty: any.
    pub names: Vec<Arc<str>>,
    /// The channel is one of these; empty: any.
    pub channels: Vec<Arc<str>>,
    /// The window of touches.
    pub window: EventWindow,
    /// The number of touches.
    pub count: Bounds<i64>,
    /// The cost, in minor units of the tenant's currency; only for a window in days.
    pub cost: Bounds<i64>,
    /// The age of the first touch.
    pub first_time: Option<Ago>,
    /// The age of the newest touch.
    pub last: Option<Ago>,
}

/// Conditions on what was said in a window, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationCondition {
    /// The agents that served the customer; empty: any.
    pub agents: Vec<Arc<str>>,
    /// The channel is one of these; empty: any.
    pub channels: Vec<Channel>,
    /// The days.
    pub window: DayWindow,
    /// The measure.
    pub counted: Counted,
    /// The amount of the measure.
    pub count: Bounds<i64>,
    /// The mean sentiment of messages that have one, in thousandths; without any no bound holds.
    pub sentiment: Bounds<i64>,
    /// The median of the times to an answer, in milliseconds; without any no bound holds.
    pub response_ms: Bounds<i64>,
}

/// A measure of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Messages.
    Messages,
    /// Messages that went this way.
    Direction(Direction),
    /// Messages with one of these intents.
    Intents(Vec<Arc<str>>),
    /// Conversations that ended in one of these ways.
    Outcomes(Vec<Outcome>),
}

/// The days that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayWindow {
    /// Today and the days before it, so many days in all.
    LastDays(i32),
    /// The days from one to another, both included; days since 1970-01-01.
    Between(i32, i32),
}
