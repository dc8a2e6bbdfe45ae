//! The data of a bank for private clients. Purchases of funds follow BG/NBD: no client leaves after
//! the first one.

use tidemark_projections::models::{Family, Parameters, SpendingModel};

use crate::generate::market::{Campaign, Market};
use crate::generate::moves::Hazard;
use crate::generate::offers::Response;
use crate::generate::purchases::Purchases;
use crate::generate::talking::Agent;

pub(in crate::generate) const MARKET: Market = Market {
    name: "financial-services",
    label: "financial services",
    tenant: "granite-bank",
    definitions: (
        "definitions/financial-services.yaml",
        include_str!("../../../definitions/financial-services.yaml"),
    ),
    source: "salesforce",
    hours_ahead: 1,
    currency: CURRENCY,
    consent: ("marketing", None),
    acquisition: &["branch", "search", "referral", "youth_account"],
    acquisition_cost: (200, 2_000),
    campaigns: &[
        Campaign::new("market_letter", "email", 2),
        Campaign::new("pension_evening", "post", 240),
        Campaign::new("branch_talk", "branch", 1_900),
    ],
    responses: &[
        Response::new("credit_card", "cautious_clients", 0.12),
        Response::new("credit_card", "balanced_clients", 0.2),
        Response::new("credit_card", "bold_clients", 0.33),
        Response::new("savings_plan", "cautious_clients", 0.41),
        Response::new("savings_plan", "balanced_clients", 0.27),
        Response::new("savings_plan", "bold_clients", 0.1),
        Response::new("portfolio_review", "cautious_clients", 0.09),
        Response::new("portfolio_review", "balanced_clients", 0.22),
        Response::new("portfolio_review", "bold_clients", 0.38),
    ],
    journeys: &[("onboarding", &ONBOARDING), ("mortgage", &MORTGAGE)],
    purchases: Some(&PURCHASES),
    plans: &[],
};
pub(super) const CURRENCY: &str = "CHF";
pub(super) const ONBOARDING: [Hazard; 5] = [
    Hazard::new("application", "identity_check", [0.3, 0.08, 0.02, 0.003]),
    Hazard::new("identity_check", "approved", [0.16, 0.08, 0.02, 0.003]),
    Hazard::new("identity_check", "application", [0.05, 0.02, 0.005, 0.001]),
    Hazard::new("approved", "funded", [0.2, 0.06, 0.02, 0.003]),
    Hazard::new("funded", "active", [0.12, 0.05, 0.02, 0.004]),
];
pub(super) const MORTGAGE: [Hazard; 5] = [
    Hazard::new("enquiry", "documents", [0.1, 0.05, 0.01, 0.001]),
    Hazard::new("documents", "underwriting", [0.07, 0.04, 0.015, 0.002]),
    Hazard::new("documents", "enquiry", [0.02, 0.01, 0.005, 0.002]),
    Hazard::new("underwriting", "signed", [0.04, 0.06, 0.03, 0.01]),
    Hazard::new("underwriting", "documents", [0.03, 0.02, 0.01, 0.005]),
];
pub(super) const PURCHASES: Purchases = Purchases {
    family: Family::BgNbd,
    parameters: Parameters {
        r: 1.2,
        alpha: 7.0,
        a: 0.7,
        b: 3.5,
    },
    spending: SpendingModel {
        p: 3.0,
        q: 5.0,
        v: 2_000.0,
    },
};
pub(super) const ADVISERS: [Agent; 3] = [
    Agent::new("beat", 3_000.0, 0.0),
    Agent::new("celine", 700.0, 0.2),
    Agent::new("luca", 9_000.0, -0.1),
];
