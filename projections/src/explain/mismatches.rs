//! Attributes that segments compare with values of another kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::definitions::{Expression, TenantDefinitions};
use crate::state::CustomerState;

/// An attribute that a segment compares with values of another kind, so that the comparison is false.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// The name of the segment.
    pub segment: Arc<str>,
    /// The attribute.
    pub attribute: Arc<str>,
    /// The difference, for example "text, not a number".
    pub difference: &'static str,
}

/// Returns the mismatches of a customer's attributes under these definitions.
pub fn mismatches(state: &CustomerState, definitions: &TenantDefinitions) -> BTreeSet<Mismatch> {
    let mut found = BTreeSet::new();
    for segment in &definitions.segments {
        segment.expression.each(&mut |condition| {
            let Expression::Attribute(condition) = condition else {
                return;
            };
            let current = state.attributes.get(&condition.name);
            let zone = &definitions.rules.zone;
            let difference = current.and_then(|current| condition.mismatch(current.value, zone));
            found.extend(difference.map(|difference| Mismatch {
                segment: Arc::clone(&segment.name),
                attribute: Arc::clone(&condition.name),
                difference,
            }));
        });
    }
    found
}
