//! Folding and decoding in memory on one core: rounds of both in turns, and the median of each.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;
use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_projections::state::{CustomerState, FoldRules};
use tidemark_schemas::codec::{Decoder, Encoder, SCHEMA};
use tidemark_schemas::{CustomerEvent, CustomerKey};

use super::arguments::{Distribution, Size};
use super::events::{self, Events};

const ROUNDS: usize = 101;
const CUSTOMERS: u32 = 1_000;
const EVENTS: usize = 20_000;
/// The schema id, with no registry behind it.
const SCHEMA_ID: u32 = 1;

/// Events per second on one core.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Micro {
    pub(crate) fold_events_per_second: f64,
    pub(crate) decode_events_per_second: f64,
}

pub(crate) fn measure(seed: u64) -> Micro {
    let size = Size {
        tenants: events::TENANTS,
        customers: CUSTOMERS,
        events: EVENTS,
        distribution: Distribution::Uniform,
        seed,
        memory_mib: 0,
    };
    let now = "2026-03-02T12:00:00Z".parse().unwrap();
    let mut generator = Events::new(&size, now);
    let definitions = definitions();
    let fold = |states: &mut HashMap<CustomerKey, CustomerState>, event: &CustomerEvent| {
        let tenant = definitions.tenant(&event.tenant_id).unwrap();
        let state = states.entry(event.key()).or_default();
        state.fold(event, &tenant.rules).unwrap();
    };
    let encoder = Encoder::new(SCHEMA_ID);
    let decoder = Decoder::without_registry();
    decoder.add_schema(SCHEMA_ID, SCHEMA);
    // Decoded from bytes, as in the processor.
    let read = |event: CustomerEvent| decoder.decode(&encoder.encode(&event)).unwrap();
    let mut states = HashMap::new();
    for customer in 0..CUSTOMERS {
        for event in generator.history(customer) {
            fold(&mut states, &read(event));
        }
    }
    // Warm states: sixty events of each customer before the first measured one.
    for _ in 0..60 * CUSTOMERS {
        fold(&mut states, &read(generator.live()));
    }
    let mut some = || (0..EVENTS).map(|_| read(generator.live())).collect();
    let (warm_up, events): (Vec<CustomerEvent>, Vec<CustomerEvent>) = (some(), some());
    let values: Vec<Vec<u8>> = events.iter().map(|event| encoder.encode(event)).collect();
    let (mut fold_rounds, mut decode_rounds) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fold_rounds.push(fold_round(&states, [&warm_up, &events], &definitions));
        decode_rounds.push(rate(|| {
            for value in &values {
                black_box(decoder.decode(value)).unwrap();
            }
        }));
    }
    Micro {
        fold_events_per_second: median(fold_rounds),
        decode_events_per_second: median(decode_rounds),
    }
}

/// Measures the fold alone: states are in memory and events decoded. A copy of a state has no spare
/// capacity, unlike one with recent folds, so some events are folded before the measured ones.
fn fold_round(
    states: &HashMap<CustomerKey, CustomerState>,
    events: [&[CustomerEvent]; 2],
    definitions: &Definitions,
) -> f64 {
    let places: HashMap<&CustomerKey, usize> = states.keys().zip(0..).collect();
    let mut states: Vec<CustomerState> = states.values().cloned().collect();
    let [warm_up, measured] = events.map(|events| {
        let work = events.iter().map(|event| {
            let tenant = definitions.tenant(&event.tenant_id).unwrap();
            (places[&event.key()], &tenant.rules, event)
        });
        work.collect::<Vec<_>>()
    });
    let mut fold = |work: Vec<(usize, &FoldRules, &CustomerEvent)>| {
        for (place, rules, event) in work {
            black_box(states[place].fold(event, rules)).unwrap();
        }
    };
    fold(warm_up);
    rate(|| fold(measured))
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn rate(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    EVENTS as f64 / begun.elapsed().as_secs_f64()
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn definitions() -> Definitions {
    let files = [("bench.yaml".to_owned(), events::definitions())];
    let bundle = Bundle::from_files(&files, "a bench").unwrap();
    Definitions::default()
        .apply(0, tidemark_schemas::Instant::MIN, &bundle.to_record())
        .unwrap()
}
