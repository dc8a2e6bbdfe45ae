//! Bounds of counts and amounts, and lists of names.

use crate::definitions::expression::Bounds;

/// Whether bounds hold for a count.
pub(crate) fn count_holds(bounds: &Bounds<i64>, count: u64) -> bool {
    bounds.hold(|bound| i128::from(count).cmp(&i128::from(*bound)))
}

/// Whether bounds hold for an amount; no bound holds for an unknown one.
pub(crate) fn amount_holds(bounds: &Bounds<i64>, amount: Option<i128>) -> bool {
    bounds.0.is_empty()
        || amount.is_some_and(|amount| bounds.hold(|bound| amount.cmp(&i128::from(*bound))))
}

/// Whether a list contains a value; an empty one stands for all values.
pub(crate) fn is_listed<T: PartialEq>(list: &[T], value: &T) -> bool {
    list.is_empty() || list.contains(value)
}
