//! Why a customer is in a segment, or not: each condition with what was found of it, and when it
//! changes by itself if nothing happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use tidemark_schemas::Instant;

use crate::definitions::{DerivedOutputs, Expression, Segment, TenantDefinitions};
use crate::evaluated::EvaluatedState;
use crate::outputs::{Evaluation, History, Memberships, Triggers};
use crate::state::CustomerState;
use facts::facts;

mod eligible;
mod facts;
mod mismatches;

pub use eligible::{Requirement, eligible_actions};
pub use mismatches::{Mismatch, mismatches};

/// The largest number of instants of change that are examined.
const MAX_STEPS: usize = 1_000;

/// The explanation of a membership.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The name of the segment.
    pub segment: Arc<str>,
    /// Whether the customer is in the segment.
    pub member: bool,
    /// The time at which the customer entered the segment; null if it is not a member.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub since: Option<Instant>,
    /// The time at which the customer enters or leaves without further events; null if there is
    /// none up to `looked_until`.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub changes_at: Option<Instant>,
    /// The end of the period examined for `changes_at`; null if unbounded.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub looked_until: Option<Instant>,
    /// The segment's condition.
    pub why: Reason,
}

/// A condition, and whether it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reason {
    /// The kind of the condition: `all`, `any`, `not` or that of a leaf, such as `orders`.
    pub kind: String,
    /// Whether the condition holds.
    pub holds: bool,
    /// The time at which `holds` changes without further events; null if there is none in the
    /// period examined.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub changes_at: Option<Instant>,
    /// The condition as written in the definitions; null for `all`, `any` and `not`.
    #[cfg_attr(feature = "openapi", schema(required, value_type = Option<Value>))]
    pub asked: Option<Value>,
    /// The customer's values by name, and `events`, the ids of the events behind them if they are
    /// kept. Null for `all`, `any` and `not`. Of an attribute also `read_as`, the value by its declared
    /// type, and `mismatch` if it is of another kind than it is compared with.
    #[cfg_attr(feature = "openapi", schema(required, value_type = Option<Object>))]
    pub found: Option<Map<String, Value>>,
    /// The conditions combined by `all`, `any` or `not`; empty for a leaf.
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub of: Vec<Self>,
}

impl Explanation {
    /// Removes what was found of attributes and outputs that the reader may not see, and every time that
    /// is computed from them.
    pub fn mask(&mut self, hidden: &DerivedOutputs) {
        if self.why.mask(hidden) {
            self.since = None;
            self.changes_at = None;
            self.looked_until = None;
        }
    }
}

impl Reason {
    /// Masks the condition and those inside it; returns whether anything was masked.
    fn mask(&mut self, hidden: &DerivedOutputs) -> bool {
        let mut is_masked = self.reads(hidden);
        for reason in &mut self.of {
            is_masked |= reason.mask(hidden);
        }
        if is_masked {
            self.found = None;
            self.changes_at = None;
        }
        is_masked
    }

    /// Whether the condition reads one of these attributes or outputs.
    fn reads(&self, hidden: &DerivedOutputs) -> bool {
        let Some(asked) = &self.asked else {
            return false;
        };
        let names = |key: &str, names: &BTreeSet<Arc<str>>| {
            let name = asked.get(key).unwrap_or(asked).as_str();
            name.is_some_and(|name| names.contains(name))
        };
        match &*self.kind {
            "attribute" => names("name", &hidden.attributes),
            "segment" | "member_for" => names("segment", &hidden.segments),
            "stage" | "conversion" => names("journey", &hidden.journeys),
            _ => false,
        }
    }
}

/// Why a customer is in a segment at an instant, or not. `None` where the tenant has no such
/// segment. The evaluated state is that of the customer at that instant, made with these definitions.
pub fn explain(
    state: &CustomerState,
    evaluated: &EvaluatedState,
    definitions: &TenantDefinitions,
    segment: &str,
    at: Instant,
) -> Option<Explanation> {
    let place = definitions
        .segments
        .iter()
        .position(|other| *other.name == *segment)?;
    let segment = &definitions.segments[place];
    let written = definitions.written(&segment.name)?;
    let mut ahead = Ahead::new(state, evaluated, definitions, place);
    let mut now = ahead.look(at, evaluated.history(definitions, at));
    let mut reasons = Vec::new();
    segment
        .expression
        .each(&mut |condition| reasons.push(now.holds(condition)));
    let found = facts_of(&now, &segment.expression);
    let mut changes = vec![None; reasons.len()];
    let looked_until = ahead.step(now.next_change(), &reasons, &mut changes);
    let mut told = Told {
        holds: &reasons,
        changes: &changes,
        found: found.into_iter(),
        next: 0,
    };
    let why = told.reason(&segment.expression, written);
    Some(Explanation {
        segment: Arc::clone(&segment.name),
        member: why.holds,
        since: evaluated.segments.get(&segment.name).copied(),
        changes_at: why.changes_at,
        looked_until,
        why,
    })
}

/// Returns the finding of each leaf, in order.
fn facts_of(evaluation: &Evaluation<'_>, expression: &Expression) -> Vec<Map<String, Value>> {
    let mut found = Vec::new();
    expression.each(&mut |condition| found.extend(facts(condition, evaluation)));
    found
}

/// A look ahead at one segment, and those it refers to.
struct Ahead<'a> {
    state: &'a CustomerState,
    definitions: &'a TenantDefinitions,
    segment: &'a Segment,
    needed: Vec<bool>,
    memberships: BTreeMap<Arc<str>, Instant>,
    triggers: Triggers,
}

impl<'a> Ahead<'a> {
    fn new(
        state: &'a CustomerState,
        evaluated: &EvaluatedState,
        definitions: &'a TenantDefinitions,
        place: usize,
    ) -> Self {
        let mut needed = vec![false; definitions.segments.len()];
        needed[place] = true;
        // Segments stand after those they refer to.
        for place in (0..=place).rev() {
            if needed[place] {
                definitions.segments[place]
                    .expression
                    .each(&mut |condition| {
                        if let Some(reference) = condition.refers_to() {
                            needed[reference.index] = true;
                        }
                        for (_, segment) in definitions.entering(condition) {
                            needed[*segment] = true;
                        }
                    });
            }
        }
        Self {
            state,
            definitions,
            segment: &definitions.segments[place],
            needed,
            memberships: evaluated.segments.clone(),
            triggers: evaluated.triggers(definitions),
        }
    }

    /// Evaluates the segments needed.
    fn look(&self, at: Instant, known: History) -> Evaluation<'a> {
        let mut evaluation = Evaluation::new(known, self.state, self.definitions, at);
        evaluation.evaluate_segments(|place| self.needed[place]);
        evaluation
    }

    /// Goes from one instant of change to the next, and notes when each condition is no longer what
    /// it is. Returns where it had to stop.
    fn step(
        &mut self,
        mut next: Option<Instant>,
        holds: &[bool],
        changes: &mut [Option<Instant>],
    ) -> Option<Instant> {
        for _ in 0..MAX_STEPS {
            let at = next?;
            if changes.iter().all(Option::is_some) {
                return None;
            }
            let known = History::new(&self.memberships, self.definitions, at)
                .with_triggers(std::mem::take(&mut self.triggers));
            let mut then = self.look(at, known);
            let mut place = 0;
            self.segment.expression.each(&mut |condition| {
                if then.holds(condition) != holds[place] && changes[place].is_none() {
                    changes[place] = Some(at);
                }
                place += 1;
            });
            next = then.next_change();
            let memberships = then.into_memberships();
            self.triggers = memberships.all_triggers(self.definitions);
            self.remember(&memberships, at);
        }
        next
    }

    fn remember(&mut self, memberships: &Memberships, at: Instant) {
        for (place, segment) in self.definitions.segments.iter().enumerate() {
            if !self.needed[place] {
                continue;
            }
            if memberships.contains(place) {
                let name = Arc::clone(&segment.name);
                self.memberships.entry(name).or_insert(at);
            } else {
                self.memberships.remove(&segment.name);
            }
        }
    }
}

/// Puts together what was found, condition by condition in the order they are written.
struct Told<'a, F> {
    holds: &'a [bool],
    changes: &'a [Option<Instant>],
    found: F,
    next: usize,
}

impl<F: Iterator<Item = Map<String, Value>>> Told<'_, F> {
    fn reason(&mut self, expression: &Expression, written: &Value) -> Reason {
        let place = self.next;
        self.next += 1;
        let entry = written
            .as_object()
            .and_then(|entries| entries.iter().next());
        let (kind, asked) = entry.map_or((String::new(), Value::Null), |(kind, asked)| {
            (kind.clone(), asked.clone())
        });
        let inner = expression.inner();
        let is_leaf = inner.is_empty();
        let found = if is_leaf { self.found.next() } else { None };
        let of = inner.iter().enumerate().map(|(index, inner)| {
            let written = asked.get(index).unwrap_or(&asked);
            self.reason(inner, written)
        });
        let of = of.collect();
        Reason {
            kind,
            holds: self.holds[place],
            changes_at: self.changes[place],
            asked: is_leaf.then_some(asked),
            found,
            of,
        }
    }
}
