//! The bound of a customer: the size of core state and tracked counters from which on its events are
//! not folded.
//!
//! Each commit writes a customer whole, so one that grows without end would take up the commits of
//! every other. Whether an event is folded is a function of the state before the event, the event and
//! the tenant's definitions. Sizes are remembered between events only to spare computing them again:
//! a customer just read from the database decides as one that stayed in memory.

use tidemark_schemas::{CustomerEvent, Instant, Payload};

use crate::definitions::TenantDefinitions;
use crate::state::{CustomerState, size};

/// An event that is not folded, because its customer has reached the tenant's bound. Park it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the customer has {bytes} bytes of state, and the bound is {bound}")]
pub struct TooLarge {
    /// The size of the customer's state.
    pub bytes: usize,
    /// The bound that applies to the event.
    pub bound: usize,
}

/// What is known of a customer's size. It is no part of the customer: all are equal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// The size is not more than this.
    at_most: usize,
    /// Whether it is exactly that.
    is_exact: bool,
    /// The latest hour for which it was computed what is left of the state, and the size of that.
    left_at: Option<(Instant, usize)>,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            at_most: usize::MAX,
            is_exact: false,
            left_at: None,
        }
    }
}

impl PartialEq for Size {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Size {}

impl Size {
    /// Notes that the state has changed, and has grown by so many bytes at most.
    pub(super) fn grow(&mut self, bytes: usize) {
        self.at_most = self.at_most.saturating_add(bytes);
        self.is_exact = false;
        self.left_at = None;
    }

    /// Returns the reason not to fold an event, if the state has reached the bound, and would still
    /// reach it once it has forgotten what is too old at the event's last full hour: so a customer has
    /// room again when its events have aged, and this is computed once an hour of its time.
    pub(super) fn refuses(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        event: &CustomerEvent,
    ) -> Option<TooLarge> {
        let bound = bound_of(event, definitions.max_customer_bytes);
        if self.at_most < bound {
            return None;
        }
        if !self.is_exact {
            let bytes = state.size_bytes();
            debug_assert!(bytes <= self.at_most, "an event adds more than is assumed");
            self.at_most = bytes;
            self.is_exact = true;
        }
        let bytes = self.at_most;
        let hour = size::full_hour(event.occurred_at);
        let is_older = state.last_seen_at().is_some_and(|last| hour <= last);
        if bytes < bound || !is_older && self.left_at(hour, bound, state, definitions) < bound {
            return None;
        }
        Some(TooLarge { bytes, bound })
    }

    /// Returns the size that is left at an hour, or a smaller one that reaches the bound as well.
    fn left_at(
        &mut self,
        hour: Instant,
        bound: usize,
        state: &CustomerState,
        definitions: &TenantDefinitions,
    ) -> usize {
        if let Some((known, left)) = self.left_at
            && (known == hour || known > hour && left >= bound)
        {
            return left;
        }
        let left = state.size_bytes_at(hour, &definitions.rules);
        if self.left_at.is_none_or(|(known, _)| known < hour) {
            self.left_at = Some((hour, left));
        }
        left
    }
}

/// Returns the bound of an event. Consents, and what is said of the customer's identity, have as much
/// room again: they are few, and must not be lost to the customer's other events.
fn bound_of(event: &CustomerEvent, bound: usize) -> usize {
    match event.payload {
        Payload::ConsentChanged(_)
        | Payload::IdentityMerged(_)
        | Payload::IdentityUnmerged(_)
        | Payload::CustomerErased(_) => bound.saturating_mul(2),
        Payload::ProfileUpdated(_)
        | Payload::ActivityTracked(_)
        | Payload::OrderPlaced(_)
        | Payload::OrderRefunded(_)
        | Payload::SubscriptionChanged(_)
        | Payload::StageEntered(_)
        | Payload::MessageExchanged(_)
        | Payload::ConversationClosed(_)
        | Payload::TicketChanged(_)
        | Payload::CampaignTouched(_)
        | Payload::ActionOffered(_)
        | Payload::ActionAnswered(_) => bound,
    }
}
