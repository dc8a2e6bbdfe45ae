//! Figures: what folding adds to them in any order is what a naive reading of all events adds up.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::figures::{Before, Figure, Figures, kinds};
use tidemark_projections::state::{CustomerState, Folded};
use tidemark_schemas::{Currency, CustomerEvent, EventId, Instant, Payload};

use crate::support::{events, fold, rules};

/// The day by the clocks of the tenant's zone.
fn day(at: Instant) -> i32 {
    let date = at.to_jiff().to_zoned(rules().zone).date();
    let hours = date
        .duration_since(jiff::civil::date(1970, 1, 1))
        .as_hours();
    i32::try_from(hours / 24).unwrap()
}

/// Folds in this order, adding up what each event changes.
fn fold_figures(events: &[CustomerEvent]) -> Figures {
    let (mut state, mut sums) = (CustomerState::default(), Figures::default());
    for event in events {
        let before = Before::fold(event, &state, &rules());
        if state.fold(event, &rules()) == Ok(Folded::New) {
            sums.extend(before.folded(&state, &rules()));
        }
    }
    sums
}

type Order = (Instant, EventId, i64, Currency);
type Refunds = BTreeMap<EventId, (Instant, i64, Currency)>;

fn naive(events: &[CustomerEvent]) -> Figures {
    let mut figures = Figures::default();
    revenue(events, &mut figures);
    if let Some(first) = events.iter().map(|event| event.occurred_at).min() {
        figures.add(Figure::of(kinds::CUSTOMERS_NEW, day(first)), 1);
    }
    figures
}

fn revenue(events: &[CustomerEvent], figures: &mut Figures) {
    let mut orders: BTreeMap<Arc<str>, Order> = BTreeMap::new();
    let mut refunds: BTreeMap<Arc<str>, Refunds> = BTreeMap::new();
    for event in events {
        let (at, id) = (event.occurred_at, event.event_id);
        if let Payload::OrderPlaced(order) = &event.payload {
            let said = (at, id, order.amount_minor, order.currency);
            let held = orders.entry(Arc::clone(&order.order_id)).or_insert(said);
            *held = said.max(*held);
        }
        if let Payload::OrderRefunded(refund) = &event.payload {
            let said = (at, refund.amount_minor, refund.currency);
            let of = refunds.entry(Arc::clone(&refund.order_id)).or_default();
            let held = of.entry(id).or_insert(said);
            *held = said.max(*held);
        }
    }
    for (order_id, (at, _, amount, currency)) in orders {
        let figure = |kind| Figure::of(kind, day(at)).in_currency(currency);
        figures.add(figure(kinds::ORDERS), 1);
        figures.add(figure(kinds::GROSS), i128::from(amount));
        for (at, amount, currency) in refunds.remove(&order_id).unwrap_or_default().into_values() {
            let figure = |kind| Figure::of(kind, day(at)).in_currency(currency);
            figures.add(figure(kinds::REFUNDS), 1);
            figures.add(figure(kinds::REFUNDED), i128::from(amount));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn figures_are_a_function_of_the_set_of_folded_events(
        (events, shuffled) in events(8, 60)
            .prop_flat_map(|events| {
                let repeated = proptest::sample::subsequence(events.clone(), 0..=events.len());
                (Just(events), repeated)
            })
            .prop_flat_map(|(events, repeated)| {
                let all: Vec<_> = events.iter().chain(&repeated).cloned().collect();
                (Just(events), Just(all).prop_shuffle())
            })
    ) {
        for order in [events, shuffled] {
            let (_, accepted) = fold(&order);
            prop_assert_eq!(fold_figures(&order), naive(&accepted));
        }
    }
}
