//! The templates fit the simulated customers: every segment, and every eligibility for an action, has
//! members at some time and excludes other customers; every stage is reached, and every trigger fires.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;
use tidemark_projections::customer::{Customer, InForce, Tracking};
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions, TenantSource};
use tidemark_projections::evaluated::{Change, ChangeKind};
use tidemark_projections::state::Folded;
use tidemark_projections::training::Trainer;
use tidemark_schemas::CustomerId;

use super::*;

const CUSTOMERS: u32 = 220;
const BEGIN: &str = "2025-01-01T00:00:00Z";
const END: &str = "2025-12-31T23:00:00Z";
/// The end of the month after the models are trained.
const LATER: &str = "2026-01-31T23:00:00Z";

/// The customers of an industry for a year, and for a month after its models are trained.
struct Year {
    customers: BTreeMap<CustomerId, Customer>,
    definitions: Definitions,
    tenant: Arc<TenantDefinitions>,
    tracking: Tracking,
    changes: Vec<Change>,
}

impl Year {
    fn simulate(industry: Industry) -> Self {
        let (file, text) = industry.definitions();
        let mut bundle = Bundle::from_files(&[(file.to_owned(), text.to_owned())], "test").unwrap();
        bundle.tenants.iter_mut().for_each(add_eligibility_segments);
        let definitions = Definitions::default()
            .apply(0, at(BEGIN), &bundle.to_record())
            .unwrap();
        let id = TenantId::new(industry.tenant()).unwrap();
        let tenant = Arc::clone(definitions.tenant(&id).unwrap());
        let mut tracking = Tracking::new();
        tracking.activate(&tenant, at(BEGIN));
        let mut year = Self {
            customers: BTreeMap::new(),
            definitions,
            tenant,
            tracking,
            changes: Vec::new(),
        };
        let scenario = Scenario {
            industries: &[industry],
            seed: 3,
            customers: CUSTOMERS,
            begin: at(BEGIN),
            end: at(END),
        };
        let mut simulation = Simulation::new(&scenario);
        for event in simulation.run_until(at(END)) {
            year.fold(&event);
        }
        year.step_to(at(END));
        year.train();
        for event in simulation.run_until(at(LATER)) {
            year.fold(&event);
        }
        year.step_to(at(LATER));
        year
    }

    fn fold(&mut self, event: &CustomerEvent) {
        let of_new = || Customer::new(self.tenant.version);
        let customer = self.customers.entry(event.customer_id.clone());
        let in_force = InForce {
            definitions: &self.tenant,
            tracking: &self.tracking,
        };
        let customer = customer.or_insert_with(of_new);
        let fold = customer.fold(in_force, event, event.occurred_at);
        assert_eq!(fold.outcome, Ok(Folded::New));
        self.changes.extend(fold.effects.changes);
    }

    fn step_to(&mut self, until: Instant) {
        for customer in self.customers.values_mut() {
            let effects = customer.advance(&self.tenant, until);
            self.changes.extend(effects.changes);
        }
    }

    /// Trains the models on the customers, and applies them.
    fn train(&mut self) {
        let mut trainer = Trainer::new(&self.tenant, "2025-12-31".parse().unwrap());
        for (id, customer) in &self.customers {
            trainer.add(id, customer.state());
        }
        let mut source = self.tenant.source.clone();
        source.models = Some(trainer.train().models);
        let mut bundle = Bundle::from_sources(vec![source], "test");
        bundle.based_on = self.definitions.version;
        let applied = self.definitions.apply(1, at(END), &bundle.to_record());
        self.definitions = applied.unwrap();
        let id = self.tenant.id.clone();
        self.tenant = Arc::clone(self.definitions.tenant(&id).unwrap());
        self.tracking.activate(&self.tenant, at(END));
        let in_force = InForce {
            definitions: &self.tenant,
            tracking: &self.tracking,
        };
        for customer in self.customers.values_mut() {
            let effects = customer.redefine(in_force, at(END));
            self.changes.extend(effects.changes);
        }
    }

    /// Returns the names entered at any time.
    fn entered(&self, kind: ChangeKind) -> BTreeSet<String> {
        let changes = self.changes.iter().filter(|change| change.kind == kind);
        let entered = changes.filter_map(|change| {
            let to = change.to.as_ref()?;
            Some(match kind {
                ChangeKind::Stage => format!("{}/{to}", change.name),
                _ => to.to_string(),
            })
        });
        entered.collect()
    }

    fn assert_segments_split_customers(&self) {
        let entered = self.entered(ChangeKind::Segment);
        let mut useless = Vec::new();
        for segment in &self.tenant.segments {
            let name = &*segment.name;
            let evaluated_states = self.customers.values().map(Customer::evaluated);
            let members = evaluated_states
                .filter(|of| of.segments.contains_key(name))
                .count();
            if !entered.contains(name) || members == self.customers.len() {
                useless.push(format!("{name}: {members} members at the end"));
            }
        }
        assert!(useless.is_empty(), "{useless:#?}");
    }

    fn assert_every_trigger_fires(&self) {
        let changes = self.changes.iter();
        let fired: BTreeSet<&str> = changes
            .filter(|change| change.kind == ChangeKind::Trigger)
            .map(|change| &*change.name)
            .collect();
        for trigger in &self.tenant.triggers {
            assert!(
                fired.contains(&*trigger.name),
                "{} never fires",
                trigger.name
            );
        }
    }

    fn assert_every_stage_is_reached(&self) {
        let entered = self.entered(ChangeKind::Stage);
        for journey in self.tenant.journeys.values() {
            for stage in &journey.stages {
                let stage = format!("{}/{stage}", journey.name);
                assert!(entered.contains(&stage), "no customer entered {stage}");
            }
        }
    }
}

/// Adds a segment for the eligibility of each action.
fn add_eligibility_segments(tenant: &mut TenantSource) {
    let mut written = serde_json::to_value(&*tenant).unwrap();
    let actions = written["actions"].as_array().unwrap().iter();
    let eligible: Vec<_> = actions
        .map(|action| {
            let name = format!("eligible-{}", action["name"].as_str().unwrap());
            json!({ "name": name, "description": "", "when": action["eligible"] })
        })
        .collect();
    assert!(eligible.len() >= 3, "{eligible:?}");
    written["segments"].as_array_mut().unwrap().extend(eligible);
    *tenant = serde_json::from_value(written).unwrap();
}

fn assert_template_fits(industry: Industry) {
    let year = Year::simulate(industry);
    year.assert_segments_split_customers();
    year.assert_every_stage_is_reached();
    year.assert_every_trigger_fires();
}

#[test]
fn the_template_of_a_shop_fits_its_customers() {
    assert_template_fits(Industry::Ecommerce);
}

#[test]
fn the_template_of_a_software_company_fits_its_customers() {
    assert_template_fits(Industry::Saas);
}

#[test]
fn the_template_of_a_bank_fits_its_customers() {
    assert_template_fits(Industry::FinancialServices);
}

#[test]
fn the_template_of_a_broker_fits_its_customers() {
    assert_template_fits(Industry::RealEstate);
}
