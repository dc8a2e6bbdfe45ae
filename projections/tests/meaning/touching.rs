//! After an event only the outputs that it can touch are evaluated, with the same result.

use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::outputs::derive_knowing;
use tidemark_projections::state::{CustomerState, Folded};
use tidemark_schemas::{CustomerEvent, Instant};

use super::random::{DAY, definitions, histories};
use super::records_laws;

/// Folds one event after the other, each evaluated as a processor does it, and compares what is known
/// then with an evaluation of everything.
pub(crate) fn compare(definitions: &TenantDefinitions, events: &[CustomerEvent], pauses: &[i64]) {
    let mut state = CustomerState::default();
    let mut evaluated = EvaluatedState::new(definitions.version);
    let mut changes = Vec::new();
    let mut clock = Instant::MIN;
    for (event, pause) in events.iter().zip(pauses.iter().cycle()) {
        clock = clock.max(event.occurred_at);
        if state.first_seen_at().is_some() {
            evaluated.step_to(&state, definitions, clock, &mut changes);
        }
        if state.fold(event, &definitions.rules) != Ok(Folded::New) {
            continue;
        }
        let asking = definitions.tracking(event);
        let asking = asking.map(|(leaf, asked)| (leaf, asked, Instant::MIN));
        state.track(event, &definitions.rules, asking);
        let at = event.occurred_at.max(evaluated.evaluated_at);
        let known = evaluated.history(definitions, at);
        let whole = derive_knowing(known, &state, definitions, at);
        evaluated.observe(&state, definitions, event, &mut changes);
        assert_eq!(evaluated.evaluated_at, at);
        let members: Vec<_> = evaluated.segments.keys().collect();
        assert_eq!(
            members,
            whole.segments.iter().collect::<Vec<_>>(),
            "{event:?}"
        );
        let stages = evaluated.paths.iter();
        let stages: Vec<_> = stages
            .map(|(journey, path)| (journey, path.stage(), path.since()))
            .collect();
        let found = whole.journeys.iter();
        let found: Vec<_> = found
            .map(|(name, stage)| (name, &stage.stage, stage.since))
            .collect();
        assert_eq!(stages, found);
        assert_eq!(evaluated.band, whole.churn.band);
        let (look, due) = (
            evaluated.next_look(&state, definitions),
            evaluated.next_due(&state, definitions),
        );
        let never = Instant::MAX;
        assert!(
            look.unwrap_or(never) <= due.unwrap_or(never),
            "{look:?}, {due:?}"
        );
        // Read back, it goes on in the same way.
        evaluated = EvaluatedState::decode(&evaluated.encode()).unwrap();
        clock = clock.plus_micros(*pause);
    }
}

fn arriving() -> impl Strategy<Value = Vec<CustomerEvent>> {
    let any_order = histories().prop_flat_map(|events| Just(events).prop_shuffle());
    prop_oneof![histories(), any_order]
}

fn pauses() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(prop_oneof![Just(0), 0..3 * DAY, 0..90 * DAY], 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn outputs_that_an_event_cannot_touch_stay_constant(
        definitions in definitions(), events in arriving(), pauses in pauses(),
    ) {
        compare(&definitions, &events, &pauses);
    }

    #[test]
    fn outputs_that_a_record_cannot_touch_stay_constant(
        (definitions, events) in records_laws::tenants(), pauses in pauses(),
    ) {
        let definitions: Arc<TenantDefinitions> = definitions;
        compare(&definitions, &events, &pauses);
    }
}
