//! Offers made to a customer and accepted, by action.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definitions::TenantDefinitions;
use crate::models::Responses;
use crate::state::CustomerState;

/// Offers and acceptances by action.
pub type Offered = BTreeMap<Arc<str>, Responses>;

/// Counts the offers of the actions that are defined. An offer that is not answered counts as one not accepted.
pub(crate) fn offered(state: &CustomerState, definitions: &TenantDefinitions) -> Offered {
    let mut offered = Offered::new();
    if definitions.actions.is_empty() {
        return offered;
    }
    for offer in state.records().offers.iter() {
        let name = &offer.offered.action;
        if definitions
            .actions
            .iter()
            .any(|action| action.name == *name)
        {
            let responses = offered.entry(Arc::clone(name)).or_default();
            responses.offered += 1;
            let accepted = offer.answer.is_some_and(|answer| answer.accepted);
            responses.accepted += u64::from(accepted);
        }
    }
    offered
}
