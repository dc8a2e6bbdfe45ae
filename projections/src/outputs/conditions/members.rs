//! The leaves `member_for`, `bucket` and `manual`.

use super::ages::has_lasted;
use crate::definitions::expression::{BucketCondition, ManualCondition, MemberForCondition};
use crate::outputs::memberships::Memberships;
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;

pub(crate) fn member_for_holds(
    condition: &MemberForCondition,
    now: &StateAt<'_>,
    memberships: &Memberships,
    next_change: &mut NextChange,
) -> bool {
    let place = condition.segment.index;
    memberships.contains(place)
        && has_lasted(
            memberships.since(place),
            condition.duration,
            now,
            next_change,
        )
}

pub(crate) fn bucket_holds(condition: &BucketCondition, now: &StateAt<'_>) -> bool {
    let customer = now.state().customer();
    customer.is_some_and(|customer| condition.holds(customer))
}

pub(crate) fn manual_holds(condition: &ManualCondition, now: &StateAt<'_>) -> bool {
    let customer = now.state().customer();
    customer.is_some_and(|customer| condition.holds(customer))
}
