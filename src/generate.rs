//! Invented customers of four industries: the same seed gives the same events, on every machine.
//!
//! Each customer is a small life of its own (a [`Behaviour`](behaviour::Behaviour), one module an
//! industry) with its own random numbers, so that more customers change nothing about the others.
//! Pure: no clock, no I/O. Whoever wants a live stream says what time it is.
//!
//! - [`Simulation`] lets everybody live from one instant to another, and on from there.
//! - [`Industry`] names the four and their definitions.

mod behaviour;
mod ecommerce;
mod financial_services;
mod people;
mod random;
mod real_estate;
mod saas;
mod visit;

use std::collections::BTreeMap;
use std::fmt;

use tidemark_schemas::{CustomerEvent, CustomerId, EventId, Instant, TenantId};

use behaviour::Behaviour;
use random::Random;
use visit::Visit;

const DAY_MICROS: i64 = 86_400_000_000;
/// How often somebody new comes while [`Simulation::stir`] is called.
const NEWCOMERS: f64 = 0.04;

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

/// Whom to invent, and when they live.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Another seed, other customers.
    pub seed: u64,
    /// Of each industry.
    pub customers: u32,
    /// The first customers come then.
    pub begin: Instant,
    /// Up to which everybody's life is told at once.
    pub end: Instant,
}

/// Everybody of a [`Scenario`], alive.
#[derive(Debug)]
pub struct Simulation {
    seed: u64,
    random: Random,
    customers: Vec<Customer>,
    /// How many of each industry there have been.
    joined: BTreeMap<Industry, u32>,
    /// What was begun and has not been taken yet.
    upcoming: BTreeMap<(Instant, EventId), CustomerEvent>,
}

#[derive(Debug)]
struct Customer {
    industry: Industry,
    tenant: TenantId,
    id: CustomerId,
    random: Random,
    life: Box<dyn Behaviour>,
}

impl Simulation {
    /// Lets everybody live up to the end of the scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let mut simulation = Self {
            seed: scenario.seed,
            random: Random::of(scenario.seed, "", "everybody"),
            customers: Vec::new(),
            joined: BTreeMap::new(),
            upcoming: BTreeMap::new(),
        };
        let span = scenario.end.micros() - scenario.begin.micros();
        for industry in Industry::ALL {
            for _ in 0..scenario.customers {
                let mut customer = simulation.new_customer(industry);
                // A quarter was there from the beginning; the last days are for those who came.
                let since = (customer.random.unit() * 1.31 - 0.33).max(0.0);
                let joins = scenario.begin.plus_micros(part(since, span));
                simulation.live(customer, joins, scenario.end);
            }
        }
        simulation
    }

    /// Takes what has happened up to and including an instant, in order.
    pub fn until(&mut self, at: Instant) -> Vec<CustomerEvent> {
        let later = self
            .upcoming
            .split_off(&(at.plus_micros(1), EventId(uuid::Uuid::nil())));
        std::mem::replace(&mut self.upcoming, later)
            .into_values()
            .collect()
    }

    /// Lets one customer do something now, or somebody new come. What follows from it, as an answer
    /// to a question, comes later: see [`Self::until`].
    pub fn stir(&mut self, now: Instant) {
        if self.customers.is_empty() || self.random.chance(NEWCOMERS) {
            let industry = self.random.pick(&Industry::ALL);
            let mut customer = self.new_customer(industry);
            self.visit(&mut customer, now, |life, visit| life.join(visit));
            self.customers.push(customer);
            return;
        }
        let index = self.random.below(self.customers.len());
        let mut customer = self.customers.swap_remove(index);
        self.visit(&mut customer, now, |life, visit| life.act(visit));
        if customer.life.pause_days(&mut customer.random).is_some() {
            self.customers.push(customer);
        }
    }

    fn new_customer(&mut self, industry: Industry) -> Customer {
        let number = self.joined.entry(industry).or_insert(0);
        *number += 1;
        let id = format!("c-{number:05}");
        let mut random = Random::of(self.seed, industry.tenant(), &id);
        Customer {
            industry,
            tenant: TenantId::new(industry.tenant()).expect("our own tenants have valid ids"),
            id: CustomerId::new(id).expect("a letter and digits are a valid id"),
            life: industry.new_life(&mut random),
            random,
        }
    }

    fn live(&mut self, mut customer: Customer, joins: Instant, end: Instant) {
        let mut at = awake(joins, &mut customer);
        self.visit(&mut customer, at, |life, visit| life.join(visit));
        while let Some(days) = customer.life.pause_days(&mut customer.random) {
            at = awake(at.plus_micros(part(days, DAY_MICROS)), &mut customer);
            if at > end {
                self.customers.push(customer);
                return;
            }
            self.visit(&mut customer, at, |life, visit| life.act(visit));
        }
    }

    fn visit(
        &mut self,
        customer: &mut Customer,
        at: Instant,
        happen: impl FnOnce(&mut dyn Behaviour, &mut Visit<'_>),
    ) {
        let mut visit = Visit::begin(at, &customer.id, &mut customer.random);
        happen(customer.life.as_mut(), &mut visit);
        for (occurred_at, event_id, payload) in visit.end() {
            let event = CustomerEvent {
                event_id,
                tenant_id: customer.tenant.clone(),
                customer_id: customer.id.clone(),
                source: customer.life.source().into(),
                occurred_at,
                payload,
            };
            self.upcoming.insert((occurred_at, event_id), event);
        }
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

/// Moves an instant to an hour at which this customer is up, on the same day.
fn awake(at: Instant, customer: &mut Customer) -> Instant {
    let hour_micros = DAY_MICROS / 24;
    let ahead = customer.industry.hours_ahead() * hour_micros;
    let midnight = (at.micros() + ahead).div_euclid(DAY_MICROS) * DAY_MICROS - ahead;
    let hour: i64 = customer.random.pick(&[
        7, 8, 9, 10, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 20, 21, 22,
    ]);
    let within = customer.random.between(0, hour_micros - 1);
    let shifted = midnight + hour * hour_micros + within;
    // Never back: the pause before was meant.
    Instant::from_micros(shifted.max(at.micros())).unwrap_or(at)
}

#[cfg(test)]
mod tests;
