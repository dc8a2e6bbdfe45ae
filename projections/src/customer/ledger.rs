//! The ledger of a customer with many orders, kept between events: an event moves one order in it.

use std::sync::Arc;

use tidemark_schemas::CustomerEvent;

use crate::definitions::TenantDefinitions;
use crate::rollups;
use crate::state::CustomerState;
use crate::state::orders::{Day, Ledger};

/// The order that an event is about, if the ledger is kept, and what the order added to it before.
pub(super) struct Moved<'e>(Option<(&'e Arc<str>, Option<Day>)>);

impl<'e> Moved<'e> {
    /// Reads the state right before the event is folded into it.
    pub(super) fn before(
        event: &'e CustomerEvent,
        state: &CustomerState,
        definitions: &TenantDefinitions,
    ) -> Self {
        let orders = &state.orders;
        let kept = orders.kept_ledger(definitions.version);
        Self(
            kept.and(rollups::order_of(event))
                .map(|order_id| (order_id, Day::of_order(orders, order_id, definitions))),
        )
    }

    /// Moves the order after the event, and keeps the ledger from now on if there are many orders.
    pub(super) fn after(self, state: &mut CustomerState, definitions: &TenantDefinitions) {
        let orders = &mut state.orders;
        if let Some((order_id, before)) = self.0 {
            let after = Day::of_order(orders, order_id, definitions);
            orders.move_in_ledger(before, after);
        } else if orders.lacks_ledger(definitions.version) {
            let ledger = Ledger::new(orders, definitions);
            orders.keep_ledger(definitions.version, ledger);
        }
    }
}
