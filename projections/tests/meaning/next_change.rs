//! The law of `next_change`: between two of them nothing discrete changes by itself.

use proptest::prelude::*;
use tidemark_projections::outputs::{Outputs, derive, evaluate, next_change};
use tidemark_schemas::Instant;

use super::random::{DAY, definitions, histories, instants, state_of};

/// The outputs that must be constant between two instants.
fn discrete(outputs: &Outputs) -> impl PartialEq + std::fmt::Debug {
    (
        outputs.segments.clone(),
        outputs.journeys.clone(),
        outputs.churn.band,
    )
}

/// More steps than any of these histories can give cause to.
const MAX_STEPS: usize = 2_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn outputs_are_constant_until_next_change(
        definitions in definitions(),
        events in histories(),
        delay in 0..3 * DAY,
        shares in prop::collection::vec(0.0..1.0_f64, 3),
    ) {
        let state = state_of(&events, &definitions);
        let mut at = state.last_seen_at().unwrap().plus_micros(delay);
        for _ in 0..MAX_STEPS {
            let now = derive(&state, &definitions, at);
            let next = next_change(&state, &definitions, at);
            let last = next.unwrap_or(at.plus_micros(2_000 * DAY)).plus_micros(-1);
            prop_assert!(last >= at, "{next:?} is not after {at}");
            let span = last.micros() - at.micros();
            let mut samples = vec![last, at.plus_micros(1).min(last)];
            for share in &shares {
                // A share of a day as well as of the whole: windows end at midnights.
                for part in [span, span.min(DAY), span.min(3_600_000_000)] {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss,
                        reason = "any instant in between will do")]
                    samples.push(at.plus_micros((part as f64 * share) as i64));
                }
            }
            for sample in samples {
                let later = derive(&state, &definitions, sample);
                prop_assert_eq!(
                    discrete(&later), discrete(&now), "at {} of [{}, {:?})", sample, at, next
                );
            }
            match next {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
        prop_assert!(false, "more than {MAX_STEPS} steps");
    }

    #[test]
    fn evaluate_and_derive_agree(
        definitions in definitions(), events in histories(), delay in 0..900 * DAY
    ) {
        let state = state_of(&events, &definitions);
        let at = state.last_seen_at().unwrap().plus_micros(delay);
        let full = derive(&state, &definitions, at);
        let fast = evaluate(&state, &definitions, at);
        let members: Vec<bool> = definitions
            .segments
            .iter()
            .map(|segment| full.segments.contains(&segment.name))
            .collect();
        prop_assert_eq!(&fast.segments, &members);
        prop_assert_eq!(fast.band, full.churn.band);
        prop_assert_eq!(fast.stages.len(), full.journeys.len());
        prop_assert_eq!(full.segments.contains("other"), !full.segments.contains("s0"));
    }

    #[test]
    fn an_instant_before_the_events_is_accepted(
        definitions in definitions(), events in histories(), at in instants()
    ) {
        let state = state_of(&events, &definitions);
        for at in [at, Instant::MIN, Instant::MAX] {
            let outputs = derive(&state, &definitions, at);
            prop_assert!(outputs.churn.p_alive.is_none_or(|p| (0.0..=1.0).contains(&p)));
            prop_assert!(next_change(&state, &definitions, at).is_none_or(|next| next > at));
        }
    }
}
