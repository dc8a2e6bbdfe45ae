//! Simulated customers of four industries: the same seed gives the same events on every machine.
//!
//! Each customer is simulated on its own (a [`Behaviour`](behaviour::Behaviour), one module an
//! industry) with its own random numbers, so that more customers change nothing about the others.
//! Purchases, renewals, moves through journeys and answers to offers follow the very models that
//! `tidemark train` fits, one module each. The data of an industry are its
//! [`Market`](market::Market); its [`Truth`] holds the parameters of the models.
//!
//! Pure: no clock, no I/O. The caller of a live stream passes the instants.
//!
//! - [`Simulation`] runs the customers from one instant to another, and on from there.
//! - [`Industry`] names the four industries and their definitions.

mod behaviour;
mod ecommerce;
mod financial_services;
mod market;
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
use market::Market;
use random::Random;

pub use simulation::{Scenario, Simulation};
pub use truth::{ChurnTruth, FromDay, MoveTruth, Truth};

const DAY_MICROS: i64 = 86_400_000_000;

/// An industry with simulated customers.
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
    /// Every industry.
    pub const ALL: [Self; 4] = [
        Self::RealEstate,
        Self::Saas,
        Self::Ecommerce,
        Self::FinancialServices,
    ];

    const fn market(self) -> &'static Market {
        match self {
            Self::RealEstate => &real_estate::MARKET,
            Self::Saas => &saas::MARKET,
            Self::Ecommerce => &ecommerce::MARKET,
            Self::FinancialServices => &financial_services::MARKET,
        }
    }

    fn new_behaviour(self, random: &mut Random) -> Box<dyn Behaviour> {
        match self {
            Self::RealEstate => Box::new(real_estate::Buyer::new(random)),
            Self::Saas => Box::new(saas::Account::new(random)),
            Self::Ecommerce => Box::new(ecommerce::Shopper::new(random)),
            Self::FinancialServices => Box::new(financial_services::Client::new(random)),
        }
    }

    /// Returns the name on the command line.
    pub const fn name(self) -> &'static str {
        self.market().name
    }

    /// Returns the name in texts.
    pub const fn label(self) -> &'static str {
        self.market().label
    }

    /// Returns the id of the sample tenant.
    pub const fn tenant(self) -> &'static str {
        self.market().tenant
    }

    /// Returns the file of the sample tenant's definitions, and its text.
    pub const fn definitions(self) -> (&'static str, &'static str) {
        self.market().definitions
    }

    /// Returns the parameters of the customers, which training should find.
    pub fn truth(self) -> Truth {
        self.market().truth()
    }
}

impl fmt::Display for Industry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Returns a share of a span of time.
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
