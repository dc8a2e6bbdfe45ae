//! Events per second that one core folds, and the cost of evaluating a customer.
//!
//! States are warm: every customer has sixty events before the first measured one.
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot do its work has nothing to say but so"
)]

#[allow(
    dead_code,
    reason = "the tests' generator, of which benches need a part"
)]
#[path = "../tests/it/support/generate.rs"]
mod generate;

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use tidemark_projections::customer::{Customer, InForce, Tracking};
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::outputs;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerEvent, CustomerId, Instant, TenantId};

use generate::{Generator, Population};

const SEED: u64 = 42;
const CUSTOMERS: u32 = 1_000;
const EVENTS_BEFORE: usize = 60_000;
const EVENTS: usize = 10_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let world = World::new();
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.sample_size(20);
    fold(&mut group, &world);
    evaluate(&mut group, &world);
    group.throughput(Throughput::Elements(u64::from(CUSTOMERS)));
    bytes(&mut group, &world);
    derive(&mut group, &world);
    group.finish();
    criterion.final_summary();
}

/// A tenant with twenty segments, its customers, and their next events.
struct World {
    definitions: Definitions,
    states: BTreeMap<CustomerId, CustomerState>,
    customers: BTreeMap<CustomerId, Customer>,
    events: Vec<CustomerEvent>,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let begin: Instant = "2026-01-05T00:00:00Z".parse().unwrap();
        let tenants = vec![TenantId::new("acme").unwrap()];
        let population = Population {
            tenants,
            customers: CUSTOMERS,
            begin,
            days: 6,
        };
        let mut generator = Generator::new(SEED, population);
        let definitions = definitions();
        let mut customers = BTreeMap::new();
        for event in generator.events(EVENTS_BEFORE) {
            let customer = customers.entry(event.customer_id.clone());
            let customer = customer.or_insert_with(|| Customer::new(0));
            let fold = customer.fold(in_force(&definitions), &event, begin);
            fold.outcome.unwrap();
        }
        let state =
            |(id, customer): (&CustomerId, &Customer)| (id.clone(), customer.state().clone());
        let states = customers.iter().map(state).collect();
        let events = generator.events(EVENTS);
        let now = begin.plus_micros(7 * 86_400_000_000);
        Self {
            definitions,
            states,
            customers,
            events,
            now,
        }
    }

    fn tenant(&self) -> &TenantDefinitions {
        tenant(&self.definitions)
    }
}

fn in_force(definitions: &Definitions) -> InForce<'_> {
    static NONE: Tracking = Tracking::new();
    InForce {
        definitions: tenant(definitions),
        tracking: &NONE,
    }
}

fn tenant(definitions: &Definitions) -> &TenantDefinitions {
    definitions.tenant(&TenantId::new("acme").unwrap()).unwrap()
}

fn definitions() -> Definitions {
    let segments: String = (1..=5).flat_map(segments).collect();
    let text = format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR, rates: {{ USD: '0.92' }} }}\n\
         segments:\n{segments}\
         journeys:\n  - {{ name: sales, stages: [lead, trial, customer] }}\n"
    );
    let bundle = Bundle::from_files(&[("bench.yaml".to_owned(), text)], "a bench").unwrap();
    Definitions::default()
        .apply(0, Instant::MIN, &bundle.to_record())
        .unwrap()
}

/// Four segments, one of each kind.
fn segments(n: u32) -> [String; 4] {
    [
        ("buyers", format!("orders: {{ count: {{ gte: {n} }} }}")),
        (
            "lately",
            format!("orders: {{ count: {{ gte: 1 }}, within: {n}d }}"),
        ),
        ("seats", format!("attribute: {{ name: seats, gte: {n}0 }}")),
        (
            "drifting",
            format!("all: [ {{ segment: buyers{n} }}, {{ churn: {{ band: high }} }} ]"),
        ),
    ]
    .map(|(name, condition)| format!("  - {{ name: {name}{n}, when: {{ {condition} }} }}\n"))
}

type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn fold(group: &mut Group<'_>, world: &World) {
    let rules = &world.tenant().rules;
    group.bench_function("events into warm states", |bencher| {
        bencher.iter_batched_ref(
            || world.states.clone(),
            |states| {
                for event in &world.events {
                    let state = states.get_mut(&event.customer_id).unwrap();
                    black_box(state.fold(event, rules)).unwrap();
                }
            },
            BatchSize::LargeInput,
        );
    });
}

/// Folds events as the processor does: each customer advances to the event, folds it and is evaluated.
fn evaluate(group: &mut Group<'_>, world: &World) {
    let in_force = in_force(&world.definitions);
    group.bench_function("events, twenty segments evaluated after each", |bencher| {
        bencher.iter_batched_ref(
            || world.customers.clone(),
            |customers| {
                let mut changes = 0;
                for event in &world.events {
                    let customer = customers.get_mut(&event.customer_id).unwrap();
                    let fold = customer.fold(in_force, event, event.occurred_at);
                    fold.outcome.unwrap();
                    changes += fold.effects.changes.len();
                }
                changes
            },
            BatchSize::LargeInput,
        );
    });
}

fn bytes(group: &mut Group<'_>, world: &World) {
    group.bench_function("states to bytes", |bencher| {
        bencher.iter(|| {
            world
                .states
                .values()
                .map(|state| black_box(state.encode()).len())
                .sum::<usize>()
        });
    });
    let encoded: Vec<_> = world.states.values().map(CustomerState::encode).collect();
    group.bench_function("states from bytes", |bencher| {
        bencher.iter(|| {
            for bytes in &encoded {
                black_box(CustomerState::decode(bytes)).unwrap();
            }
        });
    });
}

fn derive(group: &mut Group<'_>, world: &World) {
    let definitions = world.tenant();
    group.bench_function("outputs derived", |bencher| {
        bencher.iter(|| {
            for state in world.states.values() {
                black_box(outputs::derive(state, definitions, world.now));
            }
        });
    });
}
