//! The data of a broker of homes. Homes are not bought often enough for a model of purchases: the
//! models describe moves between stages and answers to offers.

use crate::generate::market::{Campaign, Market};
use crate::generate::moves::Hazard;
use crate::generate::offers::Response;
use crate::generate::talking::Agent;

pub(in crate::generate) const MARKET: Market = Market {
    name: "real-estate",
    label: "real estate",
    tenant: "harbor-homes",
    definitions: (
        "definitions/real-estate.yaml",
        include_str!("../../../definitions/real-estate.yaml"),
    ),
    source: "followupboss",
    hours_ahead: -5,
    currency: CURRENCY,
    consent: ("listing_alerts", None),
    acquisition: &["portal", "portal", "search", "open_house", "referral"],
    acquisition_cost: (400, 3_500),
    campaigns: &[
        Campaign::new("new_listings", "email", 2),
        Campaign::new("open_house", "email", 5),
        Campaign::new("neighbourhood_guide", "post", 310),
        Campaign::new("portal_ads", "social", 65),
    ],
    responses: &[
        Response::new("mortgage_advice", "home_seekers", 0.33),
        Response::new("mortgage_advice", "investors", 0.12),
        Response::new("private_tour", "home_seekers", 0.45),
        Response::new("private_tour", "investors", 0.26),
        Response::new("yield_report", "home_seekers", 0.05),
        Response::new("yield_report", "investors", 0.5),
    ],
    journeys: &[(JOURNEY, &MOVES)],
    purchases: None,
    plans: &[],
};
pub(super) const CURRENCY: &str = "USD";
pub(super) const JOURNEY: &str = "purchase";
pub(super) const MOVES: [Hazard; 7] = [
    Hazard::new("lead", "qualified", [0.09, 0.03, 0.008, 0.001]),
    Hazard::new("qualified", "viewing", [0.12, 0.05, 0.015, 0.003]),
    Hazard::new("viewing", "offer", [0.05, 0.035, 0.012, 0.003]),
    Hazard::new("offer", "under_contract", [0.14, 0.07, 0.02, 0.005]),
    Hazard::new("offer", "viewing", [0.08, 0.05, 0.03, 0.02]),
    Hazard::new("under_contract", "closed", [0.006, 0.035, 0.05, 0.02]),
    Hazard::new("under_contract", "viewing", [0.005, 0.005, 0.003, 0.002]),
];
pub(super) const AREAS: [&str; 5] = [
    "harborside",
    "old_town",
    "northgate",
    "riverbend",
    "lakeview",
];
pub(super) const AGENTS: [Agent; 4] = [
    Agent::new("alice", 900.0, 0.15),
    Agent::new("marcus", 5_400.0, 0.0),
    Agent::new("devon", 300.0, 0.1),
    Agent::new("ruth", 14_000.0, -0.15),
];
