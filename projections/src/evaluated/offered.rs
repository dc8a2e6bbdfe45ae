//! Offers made and accepted, action by action: how they are counted of all customers, and of the
//! members of each segment.
//!
//! An offer counts in every segment its customer is in now, whenever it was made. That depends on
//! nothing but what is known of each customer, so the counts are exact and the same in whatever order
//! things came to be known; where an offer came first and the membership later, it counts all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::EvaluatedState;
use crate::counter::CounterKind;
use crate::models::Responses;
use crate::outputs::Offered;
use crate::state::StateError;
use crate::state::encoding::{Reader, Writer, ascending, damaged};

/// Returns the amounts to add to the counters of offers.
pub(super) fn counters(
    old: &EvaluatedState,
    new: &EvaluatedState,
) -> Vec<(CounterKind, String, i64)> {
    if old.offered.is_empty() && new.offered.is_empty() {
        return Vec::new();
    }
    let same = old.offered == new.offered && old.segments.keys().eq(new.segments.keys());
    if same {
        return Vec::new();
    }
    let mut sums = BTreeMap::new();
    add(old, -1, &mut sums);
    add(new, 1, &mut sums);
    let moved = sums.into_iter().filter(|(_, by)| *by != 0);
    moved.map(|((kind, name), by)| (kind, name, by)).collect()
}

fn add(of: &EvaluatedState, sign: i64, sums: &mut BTreeMap<(CounterKind, String), i64>) {
    for (action, Responses { offered, accepted }) in &of.offered {
        for (what, count) in [("offered", *offered), ("accepted", *accepted)] {
            let by = sign * i64::try_from(count).unwrap_or(i64::MAX);
            if by == 0 {
                continue;
            }
            *sums
                .entry((CounterKind::Offer, format!("{action}/{what}")))
                .or_default() += by;
            for segment in of.segments.keys() {
                let name = format!("{action}/{segment}/{what}");
                *sums.entry((CounterKind::OfferSegment, name)).or_default() += by;
            }
        }
    }
}

pub(super) fn write(offered: &Offered, writer: &mut Writer) {
    writer.count(offered.len());
    for (action, responses) in offered {
        writer.text(action);
        writer.unsigned(responses.offered);
        writer.unsigned(responses.accepted);
    }
}

/// Reads what [`write`] wrote.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Offered, StateError> {
    let mut offered = Offered::new();
    let mut before: Option<Arc<str>> = None;
    // A name and two numbers take a byte each at least.
    for _ in 0..reader.count_from_one(3)? {
        let action: Arc<str> = reader.name()?;
        ascending(before.as_ref(), &action)?;
        let responses = Responses {
            offered: reader.unsigned()?,
            accepted: reader.unsigned()?,
        };
        if responses.offered == 0 || responses.accepted > responses.offered {
            return Err(damaged("answers without offers"));
        }
        offered.insert(Arc::clone(&action), responses);
        before = Some(action);
    }
    Ok(offered)
}
