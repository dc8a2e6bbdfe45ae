//! Events per second that one core encodes, and decodes by both paths.
#![allow(
    clippy::unwrap_used,
    reason = "a bench that fails has nothing to report"
)]

#[allow(
    dead_code,
    reason = "the tests' generator, of which benches need a part"
)]
#[path = "../tests/it/support/generate.rs"]
mod generate;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use serde_json::{Value, json};
use tidemark_schemas::codec::{Decoder, Encoder, SCHEMA};
use tidemark_schemas::{CustomerEvent, Instant, TenantId};

use generate::{Generator, Population};

const SEED: u64 = 42;
const EVENTS: usize = 10_000;
const OURS: u32 = 1;
const OTHER: u32 = 2;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let events = events();
    let decoder = Decoder::without_registry();
    decoder.add_schema(OURS, SCHEMA);
    decoder.add_schema(OTHER, &another_schema());

    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.sample_size(20);
    group.bench_function("encode", |bencher| {
        let encoder = Encoder::new(OURS);
        let mut value = Vec::new();
        bencher.iter(|| {
            for event in &events {
                value.clear();
                encoder.encode_into(event, &mut value);
                black_box(&value);
            }
        });
    });
    let direct: Vec<_> = events
        .iter()
        .map(|event| Encoder::new(OURS).encode(event))
        .collect();
    let resolved: Vec<_> = events.iter().map(in_another_schema).collect();
    for (path, values) in [
        ("decode directly", direct),
        ("decode, schemas resolved", resolved),
    ] {
        assert_eq!(&decoder.decode(&values[0]).unwrap(), &events[0]);
        group.bench_function(path, |bencher| {
            bencher.iter(|| {
                for value in &values {
                    black_box(decoder.decode(value)).unwrap();
                }
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

fn events() -> Vec<CustomerEvent> {
    let population = Population {
        tenants: vec![TenantId::new("acme").unwrap()],
        customers: 1_000,
        begin: "2026-01-05T00:00:00Z".parse::<Instant>().unwrap(),
        days: 6,
    };
    Generator::new(SEED, population).events(EVENTS)
}

/// A producer's version of the schema, with a field of its own at the end.
fn another_schema() -> String {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let note = json!({ "name": "note", "type": ["null", "string"], "default": null });
    schema["fields"].as_array_mut().unwrap().push(note);
    schema.to_string()
}

/// Returns the event in that producer's encoding: its field is null, the first branch of its union.
fn in_another_schema(event: &CustomerEvent) -> Vec<u8> {
    let mut value = Encoder::new(OTHER).encode(event);
    value.push(0);
    value
}
