//! Declared types of attributes: how a value that a producer sent as something else is read.
//!
//! State keeps each value as it was sent. It is read by its type when a condition is evaluated, so a
//! declaration applies to what was sent before it.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tidemark_schemas::{AttributeValue, Double};

use super::moment::{Moment, PointInTime, date, written_date};
use crate::days;

const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;
/// Doubles up to this hold every whole number.
const MAX_WHOLE_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// The type of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeType {
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A point in time.
    Instant,
}

impl AttributeType {
    /// Every type with its name in definitions.
    pub(crate) const ALL: [(&str, Self); 4] = [
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("instant", Self::Instant),
    ];

    /// Returns the type with its article, for messages.
    pub(crate) const fn described(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Date => "a date",
            Self::Instant => "an instant",
        }
    }

    /// Returns whether values of the type are points in time.
    pub(crate) const fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::Instant)
    }
}

/// The sign between the whole part of a number and its fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecimalSign {
    /// `13.75`.
    #[serde(rename = ".")]
    Point,
    /// `13,75`.
    #[serde(rename = ",")]
    Comma,
}

impl DecimalSign {
    /// Every sign as written.
    pub(crate) const ALL: [(&str, Self); 2] = [(".", Self::Point), (",", Self::Comma)];

    const fn as_char(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }
}

/// The unit of numbers that count from 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochUnit {
    /// Days.
    Days,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
}

impl EpochUnit {
    /// Every unit with its name in definitions.
    pub(crate) const ALL: [(&str, Self); 4] = [
        ("days", Self::Days),
        ("seconds", Self::Seconds),
        ("milliseconds", Self::Milliseconds),
        ("microseconds", Self::Microseconds),
    ];

    const fn micros(self) -> i64 {
        match self {
            Self::Days => MICROS_PER_DAY,
            Self::Seconds => 1_000_000,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1,
        }
    }
}

/// The declaration of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeDeclaration {
    /// Holds personal data: hidden from viewers, audited for others.
    #[serde(default)]
    pub personal: bool,
    /// The type of its values; omitted, each value is what it was sent as. From format 4 on.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<AttributeType>,
    /// The decimal sign of numbers that were sent as text; a point by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalSign>,
    /// The unit of dates and instants that were sent as numbers; omitted, only texts are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<EpochUnit>,
}

impl AttributeDeclaration {
    /// Reads a value as the declared type. A value that cannot be read stays what it is; `None`: the
    /// attribute has no value. Where a type is declared, blank text is no value.
    pub(crate) fn read<'v>(
        self,
        value: &'v AttributeValue,
        zone: &TimeZone,
    ) -> Option<Cow<'v, AttributeValue>> {
        match (self.kind, value) {
            (_, AttributeValue::Null) => None,
            (None, _) => Some(Cow::Borrowed(value)),
            (Some(_), AttributeValue::String(text)) if text.trim().is_empty() => None,
            (Some(kind), _) => {
                let read = self.read_as(kind, value, zone);
                Some(read.unwrap_or(Cow::Borrowed(value)))
            }
        }
    }

    /// Reads a value as a type; `None` if it cannot be read.
    pub(crate) fn read_as<'v>(
        self,
        kind: AttributeType,
        value: &'v AttributeValue,
        zone: &TimeZone,
    ) -> Option<Cow<'v, AttributeValue>> {
        match kind {
            AttributeType::Number => self.number(value),
            AttributeType::Boolean => boolean(value),
            AttributeType::Date => self.date(value),
            AttributeType::Instant => self.instant(value, zone),
        }
    }

    fn number(self, value: &AttributeValue) -> Option<Cow<'_, AttributeValue>> {
        match value {
            AttributeValue::Long(_) | AttributeValue::Double(_) => Some(Cow::Borrowed(value)),
            AttributeValue::String(text) => {
                let sign = self.decimal.unwrap_or(DecimalSign::Point);
                number_of(text.trim(), sign).map(Cow::Owned)
            }
            AttributeValue::Null | AttributeValue::Boolean(_) => None,
        }
    }

    fn date(self, value: &AttributeValue) -> Option<Cow<'_, AttributeValue>> {
        let day = match (self.epoch_micros(value), value) {
            (Some(micros), _) => i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?,
            (None, AttributeValue::String(text)) => {
                let day = written_date(text.trim())?;
                if date(text).is_some() {
                    return Some(Cow::Borrowed(value));
                }
                day
            }
            (None, _) => return None,
        };
        let text = days::date_of(day)?.to_string();
        Some(Cow::Owned(AttributeValue::String(text.into())))
    }

    fn instant<'v>(
        self,
        value: &'v AttributeValue,
        zone: &TimeZone,
    ) -> Option<Cow<'v, AttributeValue>> {
        let point = match (self.epoch_micros(value), value) {
            (Some(micros), _) => PointInTime::from_micros(micros),
            (None, AttributeValue::String(text)) => Moment::parse(text.trim(), zone)?.start(zone),
            (None, _) => return None,
        };
        let text = point.to_text()?;
        Some(Cow::Owned(AttributeValue::String(text.into())))
    }

    /// Returns the microseconds since 1970 that a number, or a text of digits, counts in the declared unit.
    fn epoch_micros(self, value: &AttributeValue) -> Option<i64> {
        let unit = self.unit?;
        let count = match value {
            AttributeValue::Long(count) => *count,
            AttributeValue::Double(count) => whole(count.get())?,
            AttributeValue::String(text) => {
                let text = text.trim();
                let digits = text.strip_prefix('-').unwrap_or(text);
                if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                text.parse().ok()?
            }
            AttributeValue::Null | AttributeValue::Boolean(_) => return None,
        };
        count.checked_mul(unit.micros())
    }
}

/// Returns a double without a fraction as a whole number.
fn whole(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked below")]
    let whole = value as i64;
    (value.fract() == 0.0 && value.abs() <= MAX_WHOLE_DOUBLE).then_some(whole)
}

/// Reads digits with a sign in front of them and a decimal sign between them. Separators of thousands
/// are not read: `1.234` is not told from a fraction.
fn number_of(text: &str, sign: DecimalSign) -> Option<AttributeValue> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned
        .split_once(sign.as_char())
        .unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number =
        !(whole.is_empty() && fraction.is_empty()) && all_digits(whole) && all_digits(fraction);
    if !is_number {
        return None;
    }
    let negative = if text.starts_with('-') { "-" } else { "" };
    if fraction.is_empty()
        && let Ok(value) = format!("{negative}{whole}").parse()
    {
        return Some(AttributeValue::Long(value));
    }
    let value: f64 = format!("{negative}{whole}.{fraction}").parse().ok()?;
    let value = Some(value).filter(|value| value.is_finite())?;
    Double::new(value).map(AttributeValue::Double)
}

/// Reads `true`, `yes` and `1`, and `false`, `no` and `0`, in any case.
fn boolean(value: &AttributeValue) -> Option<Cow<'_, AttributeValue>> {
    let stated = match value {
        AttributeValue::Boolean(_) => return Some(Cow::Borrowed(value)),
        AttributeValue::Long(number) => match number {
            0 => false,
            1 => true,
            _ => return None,
        },
        AttributeValue::String(text) => match &*text.trim().to_lowercase() {
            "true" | "yes" | "1" => true,
            "false" | "no" | "0" => false,
            _ => return None,
        },
        AttributeValue::Null | AttributeValue::Double(_) => return None,
    };
    Some(Cow::Owned(AttributeValue::Boolean(stated)))
}

#[cfg(test)]
mod tests;
