//! The data that distinguish one industry from another, and how customers meet campaigns and offers.

use tidemark_schemas::AttributeValue;

use super::moves::Hazard;
use super::offers::{Response, offer};
use super::purchases::Purchases;
use super::renewals::Plan;
use super::truth::Truth;
use super::visit::Visit;

/// The chance that a contact with a campaign makes a customer grant or withdraw its consent.
const RECONSIDERS: f64 = 0.05;

/// The data of an industry.
#[derive(Debug)]
pub(super) struct Market {
    /// The industry as the command line writes it.
    pub(super) name: &'static str,
    /// The industry as texts write it.
    pub(super) label: &'static str,
    /// The id of the sample tenant.
    pub(super) tenant: &'static str,
    /// The file of the sample tenant's definitions, and its text.
    pub(super) definitions: (&'static str, &'static str),
    /// The CRM that publishes the events.
    pub(super) source: &'static str,
    /// The offset of the tenant's clocks from UTC, in hours, roughly: customers sleep at night.
    pub(super) hours_ahead: i64,
    /// The currency of the tenant.
    pub(super) currency: &'static str,
    /// The purpose of the consent to campaigns, and the attribute that repeats it, if one does.
    pub(super) consent: (&'static str, Option<&'static str>),
    /// The campaigns that win new customers. One that is listed twice wins twice as many.
    pub(super) acquisition: &'static [&'static str],
    /// The lowest and the highest cost of winning a customer, in minor units.
    pub(super) acquisition_cost: (i64, i64),
    /// The campaigns for customers.
    pub(super) campaigns: &'static [Campaign],
    /// The answers to offers, by action and segment.
    pub(super) responses: &'static [Response],
    /// The moves between the stages of each journey that the model of conversion describes.
    pub(super) journeys: &'static [(&'static str, &'static [Hazard])],
    /// The purchases, where customers buy repeatedly.
    pub(super) purchases: Option<&'static Purchases>,
    /// The plans, where customers subscribe.
    pub(super) plans: &'static [Plan],
}

/// A campaign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Campaign {
    name: &'static str,
    channel: &'static str,
    /// The cost of one contact, in minor units.
    cost_minor: i64,
}

/// The contact of one customer with the campaigns and offers of its market.
#[derive(Debug)]
pub(super) struct Contact {
    market: &'static Market,
    /// Whether the customer consents to email.
    pub(super) consents: bool,
}

impl Market {
    /// Returns the parameters that training should find.
    pub(super) fn truth(&self) -> Truth {
        Truth::new(self.purchases, self.plans, self.journeys, self.responses)
    }
}

impl Campaign {
    pub(super) const fn new(name: &'static str, channel: &'static str, cost_minor: i64) -> Self {
        Self {
            name,
            channel,
            cost_minor,
        }
    }
}

impl Contact {
    pub(super) const fn new(market: &'static Market, consents: bool) -> Self {
        Self { market, consents }
    }

    /// Meets the campaign that wins the customer.
    pub(super) fn acquire(&self, visit: &mut Visit<'_>) {
        let campaign = visit.random.pick(self.market.acquisition);
        let (least, most) = self.market.acquisition_cost;
        let cost = visit.random.between(least, most);
        visit.touch_campaign(campaign, "web", Some((cost, self.market.currency)));
    }

    /// Publishes the consent as it is.
    pub(super) fn publish_consent(&self, visit: &mut Visit<'_>) {
        let (purpose, _) = self.market.consent;
        visit.change_consent(purpose, self.consents);
    }

    /// Meets one of the campaigns, unless it is an email without consent.
    pub(super) fn meet_campaign(&self, visit: &mut Visit<'_>) {
        let campaign = visit.random.pick(self.market.campaigns);
        if self.consents || campaign.channel != "email" {
            let cost = Some((campaign.cost_minor, self.market.currency));
            visit.touch_campaign(campaign.name, campaign.channel, cost);
        }
    }

    /// Grants or withdraws the consent, at times.
    pub(super) fn reconsider(&mut self, visit: &mut Visit<'_>) {
        if !visit.random.chance(RECONSIDERS) {
            return;
        }
        self.consents = !self.consents;
        if let (_, Some(attribute)) = self.market.consent {
            visit.update_profile(&[(attribute, AttributeValue::Boolean(self.consents))]);
        }
        self.publish_consent(visit);
    }

    /// Receives one of the offers for a segment, and may answer it.
    pub(super) fn receive_offer(&self, visit: &mut Visit<'_>, segment: &str) {
        offer(visit, self.market.responses, segment);
    }
}
