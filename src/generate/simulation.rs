//! The simulation of a scenario's customers, in the order of time.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_schemas::{CustomerEvent, CustomerId, EventId, Instant, TenantId};

use super::behaviour::Behaviour;
use super::random::Random;
use super::visit::{Visit, awake};
use super::{Industry, part};

/// The probability that [`Simulation::trigger`] adds a customer.
const NEWCOMERS: f64 = 0.04;
/// The probability that a triggered customer takes its next planned step early, rather than an extra
/// visit.
const EARLY: f64 = 0.4;
/// The most customers drawn until one with a planned step is found.
const TRIES: u32 = 16;

/// The customers to simulate, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Scenario<'a> {
    /// The industries.
    pub industries: &'a [Industry],
    /// The seed of the random numbers.
    pub seed: u64,
    /// The number of customers of each industry.
    pub customers: u32,
    /// The instant at which the first customers join.
    pub begin: Instant,
    /// The instant by which the last ones have joined.
    pub end: Instant,
}

/// The running simulation of a [`Scenario`].
#[derive(Debug)]
pub struct Simulation {
    /// The industries, each with the number of its customers so far.
    industries: Vec<(Industry, u32)>,
    seed: u64,
    random: Random,
    customers: Vec<Customer>,
    /// The next steps: instants, and indexes in `customers`.
    due: BTreeSet<(Instant, usize)>,
    /// Events that are not returned yet.
    upcoming: BTreeMap<(Instant, EventId), CustomerEvent>,
}

#[derive(Debug)]
struct Customer {
    tenant: TenantId,
    id: CustomerId,
    hours_ahead: i64,
    random: Random,
    source: &'static str,
    behaviour: Box<dyn Behaviour>,
    joined: bool,
    /// The instant of its next step.
    due: Option<Instant>,
}

impl Simulation {
    /// Creates a simulation in which no customer has joined yet.
    pub fn new(scenario: &Scenario<'_>) -> Self {
        let mut simulation = Self {
            industries: Vec::new(),
            seed: scenario.seed,
            random: Random::for_customer(scenario.seed, "", "everybody"),
            customers: Vec::new(),
            due: BTreeSet::new(),
            upcoming: BTreeMap::new(),
        };
        let span = scenario.end.micros() - scenario.begin.micros();
        for industry in scenario.industries {
            for number in 1..=scenario.customers {
                let mut customer = simulation.new_customer(*industry, number);
                // A quarter joins at the beginning, and none in the last days.
                let since = (customer.random.unit() * 1.31 - 0.33).max(0.0);
                let joins = scenario.begin.plus_micros(part(since, span));
                let joins = awake(joins, customer.hours_ahead, &mut customer.random);
                customer.due = Some(joins);
                simulation.due.insert((joins, simulation.customers.len()));
                simulation.customers.push(customer);
            }
            simulation.industries.push((*industry, scenario.customers));
        }
        simulation
    }

    /// Runs up to and including an instant. Returns the events up to then that were not returned
    /// before, in order of time and event id.
    pub fn run_until(&mut self, at: Instant) -> Vec<CustomerEvent> {
        while let Some((due, place)) = self.due.first().copied().filter(|(due, _)| *due <= at) {
            self.due.remove(&(due, place));
            self.visit(place, due, |behaviour, visit| behaviour.act(visit));
        }
        let later = self
            .upcoming
            .split_off(&(at.plus_micros(1), EventId(uuid::Uuid::nil())));
        std::mem::replace(&mut self.upcoming, later)
            .into_values()
            .collect()
    }

    /// Makes one customer act now, or a new one join. Events that follow later, such as the answer to
    /// a question, are returned by [`Self::run_until`].
    pub fn trigger(&mut self, now: Instant) {
        let drawn = self.draw_customer();
        let Some((due, place)) = drawn.filter(|_| !self.random.chance(NEWCOMERS)) else {
            return self.add_newcomer(now);
        };
        self.due.remove(&(due, place));
        if self.random.chance(EARLY) {
            self.visit(place, now, |behaviour, visit| behaviour.act(visit));
        } else {
            self.visit(place, now, |behaviour, visit| behaviour.drop_by(visit));
        }
    }

    /// Draws a customer with a planned step; returns the instant of the step and the customer's index.
    fn draw_customer(&mut self) -> Option<(Instant, usize)> {
        if self.customers.is_empty() {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let place = self.random.below(self.customers.len());
            self.customers[place].due.map(|due| (due, place))
        })
    }

    fn add_newcomer(&mut self, now: Instant) {
        let place = self.random.below(self.industries.len());
        let (industry, number) = &mut self.industries[place];
        *number += 1;
        let (industry, number) = (*industry, *number);
        let customer = self.new_customer(industry, number);
        self.customers.push(customer);
        let place = self.customers.len() - 1;
        self.visit(place, now, |behaviour, visit| behaviour.act(visit));
    }

    fn new_customer(&self, industry: Industry, number: u32) -> Customer {
        let id = format!("c-{number:05}");
        let market = industry.market();
        let mut random = Random::for_customer(self.seed, market.tenant, &id);
        Customer {
            tenant: TenantId::new(market.tenant).expect("sample tenants have valid ids"),
            id: CustomerId::new(id).expect("a letter and digits are a valid id"),
            hours_ahead: market.hours_ahead,
            source: market.source,
            behaviour: industry.new_behaviour(&mut random),
            random,
            joined: false,
            due: None,
        }
    }

    /// Runs one visit of a customer: `act`, or joining if it has not joined yet.
    fn visit(
        &mut self,
        place: usize,
        at: Instant,
        act: impl FnOnce(&mut dyn Behaviour, &mut Visit<'_>),
    ) {
        let customer = &mut self.customers[place];
        let behaviour = customer.behaviour.as_mut();
        let mut visit = Visit::begin(at, &customer.id, customer.hours_ahead, &mut customer.random);
        if customer.joined {
            act(behaviour, &mut visit);
        } else {
            customer.joined = true;
            behaviour.join(&mut visit);
        }
        customer.due = behaviour.next();
        if let Some(next) = customer.due {
            self.due.insert((next, place));
        }
        for (occurred_at, event_id, payload) in visit.end() {
            let event = CustomerEvent {
                event_id,
                tenant_id: customer.tenant.clone(),
                customer_id: customer.id.clone(),
                source: customer.source.into(),
                occurred_at,
                payload,
            };
            self.upcoming.insert((occurred_at, event_id), event);
        }
    }
}
