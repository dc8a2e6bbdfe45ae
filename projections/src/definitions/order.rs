//! The evaluation order of segments: each after those it refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Journey;
use super::draft::Draft;
use super::expression::Expression;
use super::problems::Problems;

/// An order in which each segment comes after those it refers to, and those by which the stages of
/// journeys it asks about are entered; every cycle is a problem.
pub(super) fn evaluation_order(
    drafts: &[Draft<'_>],
    expressions: &[Option<Expression>],
    journeys: &BTreeMap<Arc<str>, Journey>,
    problems: &mut Problems,
) -> Vec<usize> {
    let mut waiting: BTreeMap<usize, BTreeSet<usize>> = expressions
        .iter()
        .enumerate()
        .map(|(index, expression)| {
            let mut references = BTreeSet::new();
            if let Some(expression) = expression {
                expression.each(&mut |condition| {
                    references.extend(condition.refers_to().map(|reference| reference.index));
                    let journey = condition.journey().and_then(|name| journeys.get(name));
                    let entered_by = journey.into_iter().flat_map(|of| &of.entered_by);
                    references.extend(entered_by.map(|(_, segment)| *segment));
                });
            }
            (index, references)
        })
        .collect();
    let mut order = Vec::with_capacity(drafts.len());
    while !waiting.is_empty() {
        let ready = waiting
            .iter()
            .find(|(_, references)| references.iter().all(|other| !waiting.contains_key(other)))
            .map(|(index, _)| *index);
        if let Some(index) = ready {
            waiting.remove(&index);
            order.push(index);
            continue;
        }
        let cycle = a_cycle(&waiting);
        let names: Vec<&str> = cycle.iter().map(|index| &*drafts[*index].name).collect();
        let (first, place) = (names[0], drafts[cycle[0]].place);
        let path = names.join(" → ");
        problems.add(
            place,
            format!("segments refer to each other in a cycle: {path} → {first}"),
        );
        for index in cycle {
            waiting.remove(&index);
        }
    }
    order
}

/// A cycle among segments each of which refers to another that waits; from its first in the list.
fn a_cycle(waiting: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<usize> {
    let mut path: Vec<usize> = waiting.keys().next().copied().into_iter().collect();
    while let Some(last) = path.last() {
        let next = waiting[last]
            .iter()
            .copied()
            .find(|other| waiting.contains_key(other));
        let Some(next) = next else { break };
        if let Some(start) = path.iter().position(|index| *index == next) {
            let mut cycle = path.split_off(start);
            let first = (0..cycle.len())
                .min_by_key(|place| cycle[*place])
                .unwrap_or(0);
            cycle.rotate_left(first);
            return cycle;
        }
        path.push(next);
    }
    path
}
