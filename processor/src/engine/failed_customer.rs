//! A customer that could not be processed.

use tidemark_schemas::CustomerKey;

/// A customer whose timer, evaluation or row could not be processed.
#[derive(Debug)]
pub(crate) struct FailedCustomer {
    pub(crate) key: CustomerKey,
    pub(crate) detail: String,
}
