//! Customers that could not be processed.

use tidemark_schemas::CustomerKey;

/// A customer whose timer, evaluation or row could not be processed.
#[derive(Debug)]
pub(crate) struct FailedCustomer {
    pub(crate) key: CustomerKey,
    pub(crate) detail: String,
}

/// An event that made the fold of its customer panic.
#[derive(Debug)]
pub(crate) struct PoisonedEvent {
    pub(crate) offset: i64,
    pub(crate) customer: CustomerKey,
}
