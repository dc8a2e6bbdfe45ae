//! The partitions of a process: those that a consumer group assigns, or fixed ones.

use std::collections::BTreeMap;

/// The source of a processor's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// The partitions that the consumer group assigns, as long as the processor runs.
    Group,
    /// These partitions, without a group. Each is folded up to an offset, which is not folded any more;
    /// the processor ends when all of them are.
    Fixed(BTreeMap<i32, i64>),
}

impl Membership {
    /// Returns the offset at which a partition ends; `None`: it goes on with the log.
    pub(crate) fn end(&self, partition: i32) -> Option<i64> {
        match self {
            Self::Group => None,
            Self::Fixed(ends) => ends.get(&partition).copied(),
        }
    }
}
