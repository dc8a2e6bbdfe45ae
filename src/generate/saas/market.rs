//! What the help desk sells, how it is advertised, and how its customers take it.

use tidemark_projections::models::RenewalModel;

use crate::generate::moves::Hazard;
use crate::generate::offers::Response;
use crate::generate::renewals::Plan;
use crate::generate::truth::Truth;

pub(super) const JOURNEY: &str = "adoption";
pub(super) const PLANS: [Plan; 3] = [
    plan("starter", 1_900, 4, 0.9, 5.0),
    plan("team", 2_900, 24, 0.8, 9.0),
    plan("business", 4_900, 400, 0.6, 14.0),
];
/// Up to the first payment.
pub(super) const MOVES: [Hazard; 4] = [
    Hazard::new("signup", "trial", [0.45, 0.1, 0.02, 0.005]),
    Hazard::new("trial", "activated", [0.11, 0.03, 0.005, 0.0005]),
    Hazard::new("trial", "paying", [0.015, 0.008, 0.001, 0.0002]),
    Hazard::new("activated", "paying", [0.07, 0.04, 0.012, 0.002]),
];
/// Only while it pays, so that a stay in the stage alone does not tell it.
pub(super) const GROWS: [Hazard; 1] = [Hazard::new(
    "paying",
    "expanded",
    [0.003, 0.005, 0.006, 0.004],
)];
pub(super) const RESPONSES: [Response; 6] = [
    Response::new("annual_plan", "small_companies", 0.11),
    Response::new("annual_plan", "large_companies", 0.29),
    Response::new("automation_course", "small_companies", 0.34),
    Response::new("automation_course", "large_companies", 0.18),
    Response::new("success_manager", "small_companies", 0.08),
    Response::new("success_manager", "large_companies", 0.42),
];
/// Campaign, channel, and what a touch costs in cents.
pub(super) const CAMPAIGNS: [(&str, &str, i64); 4] = [
    ("product_news", "email", 1),
    ("webinar", "email", 2),
    ("case_study", "social", 45),
    ("conference", "event", 2_500),
];

const fn plan(name: &'static str, seat_minor: i64, most_seats: i64, alpha: f64, beta: f64) -> Plan {
    Plan {
        name,
        seat_minor,
        most_seats,
        renewals: RenewalModel { alpha, beta },
    }
}

/// What they are made with.
pub(in crate::generate) fn truth() -> Truth {
    Truth::of(None, &PLANS, &[(JOURNEY, &MOVES)], &RESPONSES)
}
