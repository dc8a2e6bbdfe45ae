//! The actions that a customer is eligible for, and the reasons.

use serde::Serialize;
use serde_json::Value;
use tidemark_schemas::Instant;

use crate::definitions::{Action, Expression, TenantDefinitions};
use crate::evaluated::EvaluatedState;
use crate::outputs::Evaluation;
use crate::state::CustomerState;

/// A leaf condition, and whether it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Requirement {
    /// The kind of the condition, such as `churn`.
    pub kind: String,
    /// Whether the condition holds.
    pub holds: bool,
    /// The condition as written in the definitions.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub asked: Value,
}

/// The actions a customer may be offered at an instant, in the author's order, each with the leaves
/// of its condition. The evaluated state is that of the customer at that instant, made with these
/// definitions.
pub fn eligible_actions<'d>(
    state: &CustomerState,
    evaluated: &EvaluatedState,
    definitions: &'d TenantDefinitions,
    at: Instant,
) -> Vec<(&'d Action, Vec<Requirement>)> {
    let known = evaluated.history(definitions, at);
    let mut now = Evaluation::new(known, state, definitions, at);
    now.evaluate_segments(|_| true);
    let written = definitions.source.actions.iter();
    let mut eligible = Vec::new();
    for (action, written) in definitions.actions.iter().zip(written) {
        let mut requirements = Vec::new();
        if let Some((condition, written)) = action.eligible.as_ref().zip(written.eligible.as_ref())
        {
            if !now.holds(condition) {
                continue;
            }
            leaves(&mut now, condition, written, &mut requirements);
        }
        eligible.push((action, requirements));
    }
    eligible
}

fn leaves(
    now: &mut Evaluation<'_>,
    condition: &Expression,
    written: &Value,
    found: &mut Vec<Requirement>,
) {
    let entry = written
        .as_object()
        .and_then(|entries| entries.iter().next());
    let Some((kind, asked)) = entry else { return };
    let inner = condition.inner();
    if inner.is_empty() {
        found.push(Requirement {
            kind: kind.clone(),
            holds: now.holds(condition),
            asked: asked.clone(),
        });
    }
    for (index, inner) in inner.iter().enumerate() {
        // `not` holds one condition, `all` and `any` a list.
        leaves(now, inner, asked.get(index).unwrap_or(asked), found);
    }
}
