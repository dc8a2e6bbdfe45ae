//! Kinds of values, which can be compared only with their own.

use jiff::tz::TimeZone;
use tidemark_schemas::AttributeValue;

use crate::definitions::Moment;

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Boolean,
    /// Text that names a point in time.
    Time,
}

impl Kind {
    pub(super) fn from_value(value: &AttributeValue) -> Self {
        match value {
            AttributeValue::Null | AttributeValue::String(_) => Self::Text,
            AttributeValue::Boolean(_) => Self::Boolean,
            AttributeValue::Long(_) | AttributeValue::Double(_) => Self::Number,
        }
    }

    /// Returns whether a value can be compared with values of this kind.
    pub(super) fn fits(self, value: &AttributeValue, zone: &TimeZone) -> bool {
        if self == Self::Time {
            Moment::from_value(value, zone).is_some()
        } else {
            self == Self::from_value(value)
        }
    }

    /// Returns the kind of a value beside the expected one.
    pub(super) fn difference(self, value: &AttributeValue) -> Option<&'static str> {
        Some(match (Self::from_value(value), self) {
            (Self::Text, Self::Number) => "text, not a number",
            (Self::Text, Self::Boolean) => "text, not true or false",
            (Self::Text, Self::Time) => "text, not a date or time",
            (Self::Number, Self::Text) => "a number, not text",
            (Self::Number, Self::Boolean) => "a number, not true or false",
            (Self::Number, Self::Time) => "a number, not a date or time",
            (Self::Boolean, Self::Text) => "true or false, not text",
            (Self::Boolean, Self::Number) => "true or false, not a number",
            (Self::Boolean, Self::Time) => "true or false, not a date or time",
            _ => return None,
        })
    }
}
