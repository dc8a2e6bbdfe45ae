//! The data of an online shop for home and garden. Purchases follow MBG/NBD: many customers buy once
//! and never return.

use tidemark_projections::models::{Family, Parameters, SpendingModel};

use crate::generate::market::{Campaign, Market};
use crate::generate::moves::Hazard;
use crate::generate::offers::Response;
use crate::generate::purchases::Purchases;
use crate::generate::talking::Agent;

pub(in crate::generate) const MARKET: Market = Market {
    name: "e-commerce",
    label: "e-commerce",
    tenant: "fernway",
    definitions: (
        "definitions/e-commerce.yaml",
        include_str!("../../../definitions/e-commerce.yaml"),
    ),
    source: "shopify",
    hours_ahead: 0,
    currency: CURRENCY,
    consent: ("marketing_email", Some("newsletter")),
    acquisition: &["search", "search", "friends", "social"],
    acquisition_cost: (15, 120),
    campaigns: &[
        Campaign::new("newsletter", "email", 1),
        Campaign::new("spring_sale", "email", 1),
        Campaign::new("catalogue", "post", 85),
        Campaign::new("retargeting", "social", 12),
    ],
    responses: &[
        Response::new("free_delivery", "house_owners", 0.22),
        Response::new("free_delivery", "flat_dwellers", 0.38),
        Response::new("garden_box", "house_owners", 0.31),
        Response::new("garden_box", "flat_dwellers", 0.07),
        Response::new("ten_percent", "house_owners", 0.15),
        Response::new("ten_percent", "flat_dwellers", 0.24),
    ],
    journeys: &[(JOURNEY, &MOVES)],
    purchases: Some(&PURCHASES),
    plans: &[],
};
pub(super) const CURRENCY: &str = "GBP";
pub(super) const JOURNEY: &str = "shopping";
/// Moves up to the first purchase; the later ones follow [`PURCHASES`].
pub(super) const MOVES: [Hazard; 4] = [
    Hazard::new("visitor", "cart", [0.07, 0.02, 0.006, 0.001]),
    Hazard::new("visitor", "buyer", [0.02, 0.006, 0.002, 0.0005]),
    Hazard::new("cart", "buyer", [0.14, 0.03, 0.006, 0.001]),
    Hazard::new("cart", "visitor", [0.03, 0.015, 0.01, 0.004]),
];
pub(super) const PURCHASES: Purchases = Purchases {
    family: Family::MbgNbd,
    parameters: Parameters {
        r: 0.9,
        alpha: 4.5,
        a: 0.8,
        b: 2.6,
    },
    spending: SpendingModel {
        p: 4.0,
        q: 4.0,
        v: 45.0,
    },
};
pub(super) const CATEGORIES: [&str; 6] = [
    "garden", "kitchen", "lighting", "textiles", "tools", "storage",
];
pub(super) const AGENTS: [Agent; 3] = [
    Agent::new("amy", 90.0, 0.15),
    Agent::new("liam", 600.0, 0.0),
    Agent::new("sana", 1_800.0, -0.1),
];
