//! What is known of a customer's subscriptions, tickets, campaigns, offers and consents, for people.

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
    /// Monthly recurring revenue of subscriptions that are active or past due, in minor units. Those
    /// in a currency without a rate are left out.
    pub mrr_minor: i64,
    /// By id.
    pub subscriptions: BTreeMap<Arc<str>, SubscriptionOutput>,
    /// By id.
    pub tickets: BTreeMap<Arc<str>, TicketOutput>,
    /// By campaign and channel.
    pub campaigns: Vec<CampaignOutput>,
    /// By id.
    pub offers: BTreeMap<Arc<str>, OfferOutput>,
    /// By purpose.
    pub consents: BTreeMap<Arc<str>, ConsentOutput>,
}

/// A subscription as it now is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionOutput {
    /// Whether it is paid.
    pub status: SubscriptionStatus,
    /// What is subscribed to.
    pub plan: Arc<str>,
    /// Monthly recurring revenue in minor units of its own currency.
    pub mrr_minor: i64,
    /// Of the revenue.
    pub currency: Currency,
    /// When it was first heard of.
    pub first_at: Instant,
    /// When it was first paid for; null of a trial.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub started_at: Option<Instant>,
    /// When it was cancelled; null unless it is.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub ended_at: Option<Instant>,
    /// When it was last heard of.
    pub changed_at: Instant,
}

/// A support ticket as it now is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TicketOutput {
    /// In the help desk's words.
    pub status: Arc<str>,
    /// In the help desk's words.
    pub priority: Arc<str>,
    /// When it was first heard of.
    pub opened_at: Instant,
    /// When it was last heard of.
    pub changed_at: Instant,
}

/// How often a campaign reached the customer by a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CampaignOutput {
    /// The campaign.
    pub campaign: Arc<str>,
    /// The channel.
    pub channel: Arc<str>,
    /// How often, for life.
    pub touches: u64,
    /// When first.
    pub first_at: Instant,
    /// When last.
    pub last_at: Instant,
    /// What the touches of the days kept cost, in minor units, as far as there are rates.
    pub cost_minor: i64,
}

/// An offer as last made, with the answer as last given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfferOutput {
    /// What was offered.
    pub action: Arc<str>,
    /// When.
    pub offered_at: Instant,
    /// Taken or not; null while there is no answer.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub accepted: Option<bool>,
    /// When it was answered.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub answered_at: Option<Instant>,
}

/// What was last said of a purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentOutput {
    /// Given or withdrawn.
    pub granted: bool,
    /// When.
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
    fn of(line: &CampaignLine, touches: &Touches, definitions: &TenantDefinitions) -> Self {
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

pub(super) fn records_summary(
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
            .map(|(line, touches)| CampaignOutput::of(line, touches, definitions))
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
