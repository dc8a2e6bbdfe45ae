//! Conditions on value that are false because no model scores value yet.

use std::collections::BTreeSet;

use super::TenantDefinitions;
use super::expression::{Expression, ScoreCondition};
use crate::models::VALUE_NOT_SCORED;

impl TenantDefinitions {
    /// Returns the reason why bounds of value in a condition, or in the segments that it refers to, are
    /// false for every customer; `None` if there are none, or if the models that they need are trained.
    pub fn not_scored_because(&self, condition: &Expression) -> Option<&'static str> {
        self.has_unscored(condition, &mut BTreeSet::new())
            .then_some(VALUE_NOT_SCORED)
    }

    fn has_unscored(&self, condition: &Expression, visited: &mut BTreeSet<usize>) -> bool {
        if let Expression::Score(ScoreCondition::Value(value)) = condition {
            return value.is_unscored(&self.models);
        }
        if let Some(reference) = condition.refers_to() {
            let segment = self.segments.get(reference.index);
            let unvisited = segment.filter(|_| visited.insert(reference.index));
            return unvisited.is_some_and(|of| self.has_unscored(&of.expression, visited));
        }
        let mut inner = condition.inner().iter();
        inner.any(|condition| self.has_unscored(condition, visited))
    }
}
