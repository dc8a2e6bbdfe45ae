//! Summaries of a customer's subscriptions, tickets, campaigns, offers and consents.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidemark_schemas::event::SubscriptionStatus;
use tidemark_schemas::{Currency, Instant};

use crate::definitions::TenantDefinitions;
use crate::state::campaigns::{CampaignLine, Touches};
use crate::state::consents::Consent;
use crate::state::offers::Offer;
use crate::state::subscriptions::Subscription;
use crate::state::tickets::Ticket;
use crate::state::{Records, Subscriptions};

/// See the module's documentation. Money is in the tenant's currency unless a currency stands beside
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordsSummary {
    /// The monthly recurring revenue of subscriptions that are active or past due, in minor units.
    /// Subscriptions in a currency without a rate are left out.
    pub mrr_minor: i64,
    /// The subscriptions, by id.
    pub subscriptions: BTreeMap<Arc<str>, SubscriptionOutput>,
    /// The tickets, by id.
    pub tickets: BTreeMap<Arc<str>, TicketOutput>,
    /// The campaigns, by name and channel.
    pub campaigns: Vec<CampaignOutput>,
    /// The offers, by id.
    pub offers: BTreeMap<Arc<str>, OfferOutput>,
    /// The consents, by purpose.
    pub consents: BTreeMap<Arc<str>, ConsentOutput>,
}

/// The latest state of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionOutput {
    /// The status of the subscription.
    pub status: SubscriptionStatus,
    /// The plan.
    pub plan: Arc<str>,
    /// The monthly recurring revenue, in minor units of `currency`.
    pub mrr_minor: i64,
    /// The currency of the revenue.
    pub currency: Currency,
    /// The time of the first event of the subscription.
    pub first_at: Instant,
    /// The time of the first paid period; null for a trial.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub started_at: Option<Instant>,
    /// The time of cancellation; null unless cancelled.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub ended_at: Option<Instant>,
    /// The time of the latest event of the subscription.
    pub changed_at: Instant,
}

/// The latest state of a support ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TicketOutput {
    /// The status, as named by the help desk.
    pub status: Arc<str>,
    /// The priority, as named by the help desk.
    pub priority: Arc<str>,
    /// The time of the first event of the ticket.
    pub opened_at: Instant,
    /// The time of the latest event of the ticket.
    pub changed_at: Instant,
}

/// The touches of a campaign on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CampaignOutput {
    /// The name of the campaign.
    pub campaign: Arc<str>,
    /// The channel.
    pub channel: Arc<str>,
    /// The number of touches, for life.
    pub touches: u64,
    /// The time of the first touch.
    pub first_at: Instant,
    /// The time of the last touch.
    pub last_at: Instant,
    /// The cost of the touches within the days that are kept, in minor units. Costs in a currency
    /// without a rate are left out.
    pub cost_minor: i64,
}

/// The latest state of an offer and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfferOutput {
    /// The name of the action offered.
    pub action: Arc<str>,
    /// The time of the offer.
    pub offered_at: Instant,
    /// Whether the offer was accepted; null if it is not answered.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub accepted: Option<bool>,
    /// The time of the answer; null if it is not answered.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub answered_at: Option<Instant>,
}

/// The latest state of a consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentOutput {
    /// Whether consent is granted.
    pub granted: bool,
    /// The time of the latest event of the consent.
    pub changed_at: Instant,
}

impl From<&Subscription> for SubscriptionOutput {
    fn from(subscription: &Subscription) -> Self {
        let newest = &subscription.newest;
        Self {
            status: newest.status,
            plan: Arc::clone(&newest.plan),
            mrr_minor: newest.mrr_minor,
            currency: newest.currency,
            first_at: subscription.first_at(),
            started_at: subscription.started_at(),
            ended_at: subscription.ended_at(),
            changed_at: newest.stamp.at,
        }
    }
}

impl From<&Ticket> for TicketOutput {
    fn from(ticket: &Ticket) -> Self {
        Self {
            status: Arc::clone(&ticket.newest.status),
            priority: Arc::clone(&ticket.newest.priority),
            opened_at: ticket.first_at,
            changed_at: ticket.newest.stamp.at,
        }
    }
}

impl From<Offer<'_>> for OfferOutput {
    fn from(offer: Offer<'_>) -> Self {
        Self {
            action: Arc::clone(&offer.offered.action),
            offered_at: offer.offered.stamp.at,
            accepted: offer.answer.map(|answer| answer.accepted),
            answered_at: offer.answer.map(|answer| answer.stamp.at),
        }
    }
}

impl From<Consent> for ConsentOutput {
    fn from(consent: Consent) -> Self {
        Self {
            granted: consent.granted,
            changed_at: consent.stamp.at,
        }
    }
}

impl CampaignOutput {
    fn new(line: &CampaignLine, touches: &Touches, definitions: &TenantDefinitions) -> Self {
        let costs = touches
            .costs()
            .filter_map(|(_, currency, minor)| definitions.convert(minor, currency));
        Self {
            campaign: Arc::clone(&line.campaign),
            channel: Arc::clone(&line.channel),
            touches: touches.counter.count,
            first_at: touches.counter.first,
            last_at: touches.counter.last,
            cost_minor: within_64_bits(costs),
        }
    }
}

pub(crate) fn records_summary(
    records: &Records,
    definitions: &TenantDefinitions,
) -> RecordsSummary {
    let subscriptions = records.subscriptions.iter();
    let tickets = records.tickets.iter();
    let campaigns = records.campaigns.iter();
    let offers = records.offers.iter();
    let consents = records.consents.iter();
    RecordsSummary {
        mrr_minor: mrr_minor(&records.subscriptions, definitions),
        subscriptions: subscriptions
            .map(|(id, subscription)| (Arc::clone(id), subscription.into()))
            .collect(),
        tickets: tickets
            .map(|(id, ticket)| (Arc::clone(id), ticket.into()))
            .collect(),
        campaigns: campaigns
            .map(|(line, touches)| CampaignOutput::new(line, touches, definitions))
            .collect(),
        offers: offers
            .map(|offer| (Arc::clone(offer.offer_id), offer.into()))
            .collect(),
        consents: consents
            .map(|(purpose, consent)| (Arc::clone(purpose), consent.into()))
            .collect(),
    }
}

fn mrr_minor(subscriptions: &Subscriptions, definitions: &TenantDefinitions) -> i64 {
    use SubscriptionStatus::{Active, PastDue};
    let paid = subscriptions
        .iter()
        .map(|(_, subscription)| &subscription.newest)
        .filter(|newest| [Active, PastDue].contains(&newest.status));
    within_64_bits(paid.filter_map(|newest| definitions.convert(newest.mrr_minor, newest.currency)))
}

/// The sum of amounts that are not negative, or the end of what 64 bits hold.
fn within_64_bits(amounts: impl Iterator<Item = i128>) -> i64 {
    i64::try_from(amounts.sum::<i128>()).unwrap_or(i64::MAX)
}
