//! Everybody of a scenario, living in the order of time.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_schemas::{CustomerEvent, CustomerId, EventId, Instant, TenantId};

use super::behaviour::Behaviour;
use super::random::Random;
use super::visit::{Visit, awake};
use super::{Industry, part};

/// How often somebody new comes while [`Simulation::stir`] is called.
const NEWCOMERS: f64 = 0.04;
/// How often who is stirred does what would have come next; else it just comes by.
const HURRIES: f64 = 0.4;
/// How many customers are tried until one is found who will do something yet.
const TRIES: u32 = 16;

/// Whom to invent, and when they live.
#[derive(Debug, Clone, Copy)]
pub struct Scenario<'a> {
    /// Whose customers.
    pub industries: &'a [Industry],
    /// Another seed, other customers.
    pub seed: u64,
    /// Of each industry.
    pub customers: u32,
    /// The first customers come then.
    pub begin: Instant,
    /// The last ones come by then.
    pub end: Instant,
}

/// Everybody of a [`Scenario`], alive.
#[derive(Debug)]
pub struct Simulation {
    /// With how many of their customers there have been.
    industries: Vec<(Industry, u32)>,
    seed: u64,
    random: Random,
    customers: Vec<Customer>,
    /// Who does something next: when, and the place in `customers`.
    due: BTreeSet<(Instant, usize)>,
    /// What was begun and has not been taken yet.
    upcoming: BTreeMap<(Instant, EventId), CustomerEvent>,
}

#[derive(Debug)]
struct Customer {
    tenant: TenantId,
    id: CustomerId,
    hours_ahead: i64,
    random: Random,
    life: Box<dyn Behaviour>,
    joined: bool,
    /// When it does something next.
    due: Option<Instant>,
}

impl Simulation {
    /// Nobody has come yet.
    pub fn new(scenario: &Scenario<'_>) -> Self {
        let mut simulation = Self {
            industries: Vec::new(),
            seed: scenario.seed,
            random: Random::of(scenario.seed, "", "everybody"),
            customers: Vec::new(),
            due: BTreeSet::new(),
            upcoming: BTreeMap::new(),
        };
        let span = scenario.end.micros() - scenario.begin.micros();
        for industry in scenario.industries {
            for number in 1..=scenario.customers {
                let mut customer = simulation.new_customer(*industry, number);
                // A quarter was there from the beginning; the last days are for those who came.
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

    /// Lets everybody live up to and including an instant; gives what has happened by then and was
    /// not taken before, in order of time, and of event ids where that is the same.
    pub fn until(&mut self, at: Instant) -> Vec<CustomerEvent> {
        while let Some((due, place)) = self.due.first().copied().filter(|(due, _)| *due <= at) {
            self.due.remove(&(due, place));
            self.visit(place, due, |life, visit| life.act(visit));
        }
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
        let somebody = self.somebody();
        let Some((due, place)) = somebody.filter(|_| !self.random.chance(NEWCOMERS)) else {
            return self.newcomer(now);
        };
        self.due.remove(&(due, place));
        if self.random.chance(HURRIES) {
            self.visit(place, now, |life, visit| life.act(visit));
        } else {
            self.visit(place, now, |life, visit| life.drop_by(visit));
        }
    }

    /// One of those who will do something yet.
    fn somebody(&mut self) -> Option<(Instant, usize)> {
        if self.customers.is_empty() {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let place = self.random.below(self.customers.len());
            self.customers[place].due.map(|due| (due, place))
        })
    }

    fn newcomer(&mut self, now: Instant) {
        let place = self.random.below(self.industries.len());
        let (industry, number) = &mut self.industries[place];
        *number += 1;
        let (industry, number) = (*industry, *number);
        let customer = self.new_customer(industry, number);
        self.customers.push(customer);
        self.visit(self.customers.len() - 1, now, |life, visit| life.act(visit));
    }

    fn new_customer(&self, industry: Industry, number: u32) -> Customer {
        let id = format!("c-{number:05}");
        let mut random = Random::of(self.seed, industry.tenant(), &id);
        Customer {
            tenant: TenantId::new(industry.tenant()).expect("our own tenants have valid ids"),
            id: CustomerId::new(id).expect("a letter and digits are a valid id"),
            hours_ahead: industry.hours_ahead(),
            life: industry.new_life(&mut random),
            random,
            joined: false,
            due: None,
        }
    }

    /// Something happens to a customer, who joins if it has not yet.
    fn visit(
        &mut self,
        place: usize,
        at: Instant,
        happen: impl FnOnce(&mut dyn Behaviour, &mut Visit<'_>),
    ) {
        let customer = &mut self.customers[place];
        let life = customer.life.as_mut();
        let mut visit = Visit::begin(at, &customer.id, customer.hours_ahead, &mut customer.random);
        if customer.joined {
            happen(life, &mut visit);
        } else {
            customer.joined = true;
            life.join(&mut visit);
        }
        let source = life.source();
        customer.due = life.next();
        if let Some(next) = customer.due {
            self.due.insert((next, place));
        }
        for (occurred_at, event_id, payload) in visit.end() {
            let event = CustomerEvent {
                event_id,
                tenant_id: customer.tenant.clone(),
                customer_id: customer.id.clone(),
                source: source.into(),
                occurred_at,
                payload,
            };
            self.upcoming.insert((occurred_at, event_id), event);
        }
    }
}
