//! [`Customer`] against its parts: each step driven by hand, in the order that the laws ask for.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::customer::{Customer, Effects, Encoded, InForce, Refused, Tracking};
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::evaluated::{Change, EvaluatedState};
use tidemark_projections::rollups::{self, Before, Rollups};
use tidemark_projections::state::{CustomerState, Folded, Late};
use tidemark_schemas::{CustomerEvent, CustomerId, Instant};

use super::random::{DAY, conditions, histories};

/// The parts of a customer, and what was noted of it.
struct Parts {
    state: CustomerState,
    evaluated: EvaluatedState,
    changes: Vec<Change>,
    rollups: Rollups,
}

impl Parts {
    fn new() -> Self {
        Self {
            state: CustomerState::default(),
            evaluated: EvaluatedState::new(0),
            changes: Vec::new(),
            rollups: Rollups::default(),
        }
    }

    fn step_to(&mut self, definitions: &TenantDefinitions, to: Instant) {
        let Self {
            state,
            evaluated,
            changes,
            ..
        } = self;
        if state.first_seen_at().is_some() {
            evaluated.step_to(state, definitions, to, changes);
        }
    }

    fn redefine(&mut self, definitions: &TenantDefinitions, at: Instant) {
        let Self {
            state,
            evaluated,
            changes,
            ..
        } = self;
        if state.first_seen_at().is_none() || evaluated.definition_version >= definitions.version {
            return;
        }
        // Whatever is tracked here counts from the beginning of time.
        state.tracked.keep(|leaf| {
            let kept = definitions.tracked.contains_key(&leaf);
            kept.then_some(Instant::MIN)
        });
        evaluated.redefine(state, definitions, at, changes);
        let window = &mut evaluated.credit_window;
        let redefined = rollups::redefined(state, window, definitions);
        self.rollups.extend(redefined);
    }

    fn fold(
        &mut self,
        definitions: &TenantDefinitions,
        event: &CustomerEvent,
        accepted: bool,
        clock: Instant,
    ) -> Result<Folded, Late> {
        self.step_to(definitions, clock.max(event.occurred_at));
        let window = self.evaluated.credit_window;
        let before = Before::fold(event, accepted, &self.state, window, definitions);
        let folded = if accepted {
            self.state.fold_accepted(event, &definitions.rules)?
        } else {
            self.state.fold(event, &definitions.rules)?
        };
        if folded == Folded::New {
            let asking = definitions.tracking(event);
            let asking = asking.map(|(leaf, asked)| (leaf, asked, Instant::MIN));
            self.state.track(event, &definitions.rules, asking);
            let window = &mut self.evaluated.credit_window;
            let counted = before.folded(&self.state, window, definitions);
            self.rollups.extend(counted);
            let (state, changes) = (&self.state, &mut self.changes);
            self.evaluated.observe(state, definitions, event, changes);
            self.step_to(definitions, clock);
        }
        Ok(folded)
    }

    /// The changes, and their rollups.
    fn all(mut self, definitions: &TenantDefinitions) -> (Encoded, Vec<Change>, Rollups) {
        for change in &self.changes {
            self.rollups.change(change, &definitions.rules);
        }
        let encoded = Encoded {
            state: self.state.encode(),
            tracked: self.state.tracked.encode(),
            evaluated: self.evaluated.encode(),
        };
        (encoded, self.changes, self.rollups)
    }
}

/// Two versions of a tenant's definitions, with attribution over so many days.
fn versions() -> impl Strategy<Value = [Arc<TenantDefinitions>; 2]> {
    let version = || (prop::collection::vec(conditions(), 1..4), 1..40_i32);
    (version(), version()).prop_map(|(old, new)| {
        let mut all = Definitions::default();
        [(0, old), (1, new)].map(|(number, (conditions, days))| {
            let mut text = format!(
                "tenant:\n  id: t\n  zone: Europe/Berlin\n  currency: EUR\n  \
                 rates: {{ USD: \"0.92\" }}\n  attribution: {{ window: {days}d }}\n\
                 journeys:\n  - name: j\n    stages: [one, two]\nsegments:\n"
            );
            for (index, condition) in conditions.iter().enumerate() {
                writeln!(text, "  - name: s{index}\n    when: {condition}").unwrap();
            }
            let mut bundle = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap();
            bundle.based_on = all.version;
            all = all
                .apply(number, Instant::MIN, &bundle.to_record())
                .unwrap();
            Arc::clone(all.tenants.values().next().unwrap())
        })
    })
}

proptest! {
    #[test]
    fn customer_equals_its_parts_driven_in_order(
        versions in versions(),
        events in histories(),
        steps in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<bool>(), -40 * DAY..40 * DAY),
            1..25,
        ),
        activation in 0..25_usize,
        is_stored_between in any::<bool>(),
    ) {
        let (mut customer, mut parts) = (Customer::new(0), Parts::new());
        let (mut tracking, mut effects) = (Tracking::new(), Effects::default());
        let mut definitions = &versions[0];
        tracking.activate(definitions, Instant::MIN);
        let mut clock = Instant::MIN;
        for (place, (event, accepted, ahead)) in steps.into_iter().enumerate() {
            let event = &events[event.index(events.len())];
            if place == activation {
                definitions = &versions[1];
                tracking.activate(definitions, Instant::MIN);
            }
            clock = clock.max(event.occurred_at.plus_micros(ahead));
            let in_force = InForce { definitions, tracking: &tracking };
            if is_stored_between {
                let stored = customer.encode();
                let stored = Encoded {
                    state: &stored.state[..],
                    tracked: &stored.tracked,
                    evaluated: &stored.evaluated,
                };
                customer = Customer::decode(&CustomerId::new("c").unwrap(), stored).unwrap();
            }
            let before = customer.encode();
            let redefined = customer.redefine(in_force, clock);
            parts.redefine(definitions, clock);
            let fold = if accepted {
                customer.fold_accepted(in_force, event, clock)
            } else {
                customer.fold(in_force, event, clock)
            };
            let driven = parts.fold(definitions, event, accepted, clock).map_err(Refused::Late);
            prop_assert_eq!(&fold.outcome, &driven);
            let dirty = redefined.dirty || fold.effects.dirty;
            prop_assert!(dirty || before == customer.encode(), "clean, and yet another");
            effects.extend(redefined);
            effects.extend(fold.effects);
            prop_assert_eq!(effects.next_due, customer.next_due(definitions));
        }
        effects.extend(customer.advance(definitions, clock.plus_micros(30 * DAY)));
        parts.step_to(definitions, clock.plus_micros(30 * DAY));
        let (encoded, changes, rollups) = parts.all(definitions);
        prop_assert_eq!(customer.encode(), encoded);
        prop_assert_eq!(effects.changes, changes);
        prop_assert_eq!(effects.rollups, rollups);
        prop_assert!(!customer.is_behind(definitions, clock.plus_micros(30 * DAY)));
    }
}
