//! Invented customers of four industries: the same seed gives the same events, on every machine.
//!
//! Each customer is a small life of its own (a [`Behaviour`](behaviour::Behaviour), one module an
//! industry) with its own random numbers, so that more customers change nothing about the others.
//! How they buy, renew, move through journeys and answer offers follows the very models that
//! `tidemark train` fits, one module each; an industry's [`Truth`] says with which parameters.
//! Pure: no clock, no I/O. Whoever wants a live stream says what time it is.
//!
//! - [`Simulation`] lets everybody live from one instant to another, and on from there.
//! - [`Industry`] names the four and their definitions.

mod behaviour;
mod ecommerce;
mod financial_services;
mod moves;
mod offers;
mod people;
mod purchases;
mod random;
mod real_estate;
mod renewals;
mod saas;
mod simulation;
mod talking;
mod truth;
mod visit;

use std::fmt;

use behaviour::Behaviour;
use random::Random;

pub use simulation::{Scenario, Simulation};
pub use truth::{ChurnTruth, FromDay, MoveTruth, Truth};

const DAY_MICROS: i64 = 86_400_000_000;

/// A kind of company whose customers are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Industry {
    /// A broker of homes.
    RealEstate,
    /// A help desk sold by subscription.
    Saas,
    /// An online shop.
    Ecommerce,
    /// A bank for private clients.
    FinancialServices,
}

impl Industry {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::RealEstate,
        Self::Saas,
        Self::Ecommerce,
        Self::FinancialServices,
    ];

    /// As the command line writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RealEstate => "real-estate",
            Self::Saas => "saas",
            Self::Ecommerce => "e-commerce",
            Self::FinancialServices => "financial-services",
        }
    }

    /// What people call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RealEstate => "real estate",
            Self::Saas => "software as a service",
            Self::Ecommerce => "e-commerce",
            Self::FinancialServices => "financial services",
        }
    }

    /// The id of the sample tenant.
    pub const fn tenant(self) -> &'static str {
        match self {
            Self::RealEstate => "harbor-homes",
            Self::Saas => "loopdesk",
            Self::Ecommerce => "fernway",
            Self::FinancialServices => "granite-bank",
        }
    }

    /// The file of the sample tenant's definitions, and what it holds.
    pub const fn definitions(self) -> (&'static str, &'static str) {
        match self {
            Self::RealEstate => (
                "definitions/real-estate.yaml",
                include_str!("../definitions/real-estate.yaml"),
            ),
            Self::Saas => (
                "definitions/saas.yaml",
                include_str!("../definitions/saas.yaml"),
            ),
            Self::Ecommerce => (
                "definitions/e-commerce.yaml",
                include_str!("../definitions/e-commerce.yaml"),
            ),
            Self::FinancialServices => (
                "definitions/financial-services.yaml",
                include_str!("../definitions/financial-services.yaml"),
            ),
        }
    }

    /// What its customers are made with: what training should find.
    pub fn truth(self) -> Truth {
        match self {
            Self::RealEstate => real_estate::truth(),
            Self::Saas => saas::truth(),
            Self::Ecommerce => ecommerce::truth(),
            Self::FinancialServices => financial_services::truth(),
        }
    }

    /// How far the tenant's clocks are ahead of UTC, about: people sleep at night.
    const fn hours_ahead(self) -> i64 {
        match self {
            Self::RealEstate => -5,
            Self::Saas | Self::FinancialServices => 1,
            Self::Ecommerce => 0,
        }
    }

    fn new_life(self, random: &mut Random) -> Box<dyn Behaviour> {
        match self {
            Self::RealEstate => Box::new(real_estate::Buyer::new(random)),
            Self::Saas => Box::new(saas::Account::new(random)),
            Self::Ecommerce => Box::new(ecommerce::Shopper::new(random)),
            Self::FinancialServices => Box::new(financial_services::Client::new(random)),
        }
    }
}

impl fmt::Display for Industry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// That part of a span, or that many of it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "microseconds of some years are far below 2^53"
)]
fn part(share: f64, micros: i64) -> i64 {
    (share * micros as f64) as i64
}

#[cfg(test)]
mod tests;
