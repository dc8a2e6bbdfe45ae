//! The data of a help desk sold by subscription. Renewals are shifted-beta-geometric, with parameters
//! of their own for each plan.

use tidemark_projections::models::RenewalModel;

use crate::generate::market::{Campaign, Market};
use crate::generate::moves::Hazard;
use crate::generate::offers::Response;
use crate::generate::renewals::Plan;
use crate::generate::talking::Agent;

pub(in crate::generate) const MARKET: Market = Market {
    name: "saas",
    label: "software as a service",
    tenant: "loopdesk",
    definitions: (
        "definitions/saas.yaml",
        include_str!("../../../definitions/saas.yaml"),
    ),
    source: "hubspot",
    hours_ahead: 1,
    currency: CURRENCY,
    consent: ("product_news", None),
    acquisition: &["webinar", "search", "search", "partner"],
    acquisition_cost: (90, 900),
    campaigns: &[
        Campaign::new("product_news", "email", 1),
        Campaign::new("webinar", "email", 2),
        Campaign::new("case_study", "social", 45),
        Campaign::new("conference", "event", 2_500),
    ],
    responses: &[
        Response::new("annual_plan", "small_companies", 0.11),
        Response::new("annual_plan", "large_companies", 0.29),
        Response::new("automation_course", "small_companies", 0.34),
        Response::new("automation_course", "large_companies", 0.18),
        Response::new("success_manager", "small_companies", 0.08),
        Response::new("success_manager", "large_companies", 0.42),
    ],
    journeys: &[(JOURNEY, &MOVES)],
    purchases: None,
    plans: &PLANS,
};
pub(super) const CURRENCY: &str = "EUR";
pub(super) const JOURNEY: &str = "adoption";
pub(super) const PLANS: [Plan; 3] = [
    plan("starter", 1_900, 4, 0.9, 5.0),
    plan("team", 2_900, 24, 0.8, 9.0),
    plan("business", 4_900, 400, 0.6, 14.0),
];
/// Moves up to the first payment.
pub(super) const MOVES: [Hazard; 4] = [
    Hazard::new("signup", "trial", [0.45, 0.1, 0.02, 0.005]),
    Hazard::new("trial", "activated", [0.11, 0.03, 0.005, 0.0005]),
    Hazard::new("trial", "paying", [0.015, 0.008, 0.001, 0.0002]),
    Hazard::new("activated", "paying", [0.07, 0.04, 0.012, 0.002]),
];
/// The growth of an account. It needs a paid subscription, so the stay in a stage alone does not
/// predict it, and the journey's model does not describe it.
pub(super) const GROWTH: [Hazard; 1] = [Hazard::new(
    "paying",
    "expanded",
    [0.003, 0.005, 0.006, 0.004],
)];
pub(super) const FEATURES: [&str; 6] = [
    "inbox",
    "macros",
    "reports",
    "automation",
    "chat_widget",
    "api",
];
pub(super) const AGENTS: [Agent; 2] = [
    Agent::new("jonas", 400.0, 0.1),
    Agent::new("mira", 2_400.0, -0.05),
];

const fn plan(name: &'static str, seat_minor: i64, most_seats: i64, alpha: f64, beta: f64) -> Plan {
    Plan {
        name,
        seat_minor,
        most_seats,
        renewals: RenewalModel { alpha, beta },
    }
}
