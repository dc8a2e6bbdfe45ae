//! The conditions `member_for`, `bucket` and `manual`.

use super::evaluation::Evaluation;
use crate::definitions::expression::{BucketCondition, ManualCondition, MemberForCondition};

impl Evaluation<'_> {
    pub(crate) fn member_for(&mut self, condition: &MemberForCondition) -> bool {
        if !self.is_member(&condition.segment) {
            return false;
        }
        let since = self.known.since(condition.segment.index);
        self.has_lasted(since, condition.duration)
    }

    pub(crate) fn bucket(&self, condition: &BucketCondition) -> bool {
        let customer = self.state.customer();
        customer.is_some_and(|customer| condition.holds(customer))
    }

    pub(crate) fn manual(&self, condition: &ManualCondition) -> bool {
        let customer = self.state.customer();
        customer.is_some_and(|customer| condition.holds(customer))
    }
}
