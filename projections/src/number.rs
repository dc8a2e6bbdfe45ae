//! Exact comparison of attribute values that are numbers.

use std::cmp::Ordering;

use tidemark_schemas::AttributeValue;

/// Compares numbers exactly, whole or not; `None` unless both are numbers.
pub(crate) fn compare_numbers(left: &AttributeValue, right: &AttributeValue) -> Option<Ordering> {
    match (left, right) {
        (AttributeValue::Long(left), AttributeValue::Long(right)) => Some(left.cmp(right)),
        (AttributeValue::Double(left), AttributeValue::Double(right)) => {
            left.get().partial_cmp(&right.get())
        }
        (AttributeValue::Long(left), AttributeValue::Double(right)) => {
            Some(compare_long(*left, right.get()))
        }
        (AttributeValue::Double(left), AttributeValue::Long(right)) => {
            Some(compare_long(*right, left.get()).reverse())
        }
        _ => None,
    }
}

/// Compares without rounding either side: 2^53 + 1 is greater than 2^53 as a double.
fn compare_long(left: i64, right: f64) -> Ordering {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if right >= TWO_TO_63 {
        return Ordering::Less;
    }
    if right < -TWO_TO_63 {
        return Ordering::Greater;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within range, and cut on purpose"
    )]
    let whole = right as i64;
    // The rest of the comparison is about the digits after the point.
    left.cmp(&whole).then_with(|| {
        0.0_f64
            .partial_cmp(&right.fract())
            .unwrap_or(Ordering::Equal)
    })
}
