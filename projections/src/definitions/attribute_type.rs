//! Declared types of attributes: how a value that a producer sent as something else is read.
//!
//! State keeps each value as it was sent. It is read by its type when a condition is evaluated, so a
//! declaration applies to what was sent before it.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tidemark_schemas::{AttributeValue, Double};

use super::moment::{Moment, PointInTime, date, written_date};
use super::source::AttributeDeclaration;
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn declared(kind: AttributeType) -> AttributeDeclaration {
        AttributeDeclaration {
            kind: Some(kind),
            ..AttributeDeclaration::default()
        }
    }

    fn text(text: &str) -> AttributeValue {
        AttributeValue::String(text.into())
    }

    #[track_caller]
    fn reads(declared: AttributeDeclaration, value: &AttributeValue, expected: &AttributeValue) {
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get("Europe/Berlin")
            .unwrap();
        assert_eq!(declared.read(value, &zone).unwrap().as_ref(), expected);
    }

    #[test]
    fn numbers_are_read_by_their_decimal_sign_alone() {
        let point = declared(AttributeType::Number);
        let comma = AttributeDeclaration {
            decimal: Some(DecimalSign::Comma),
            ..point
        };
        let double = |value: f64| AttributeValue::Double(Double::new(value).unwrap());
        reads(point, &text(" 13.75 "), &double(13.75));
        reads(comma, &text("-13,75"), &double(-13.75));
        reads(point, &text("1200"), &AttributeValue::Long(1_200));
        reads(point, &text("99999999999999999999"), &double(1e20));
        // Not guessed: thousands, the other sign, hexadecimal, exponents and words.
        for unread in [
            "13,75", "1,234.5", "0x10", "1e3", "NaN", "inf", "-", ".", "1 000",
        ] {
            reads(point, &text(unread), &text(unread));
        }
        reads(comma, &text("13.75"), &text("13.75"));
    }

    #[test]
    fn booleans_are_read_from_words_and_digits() {
        let declared = declared(AttributeType::Boolean);
        for (value, expected) in [("True", true), ("yes", true), ("1", true), ("FALSE", false)] {
            reads(declared, &text(value), &AttributeValue::Boolean(expected));
        }
        reads(
            declared,
            &AttributeValue::Long(0),
            &AttributeValue::Boolean(false),
        );
        reads(declared, &AttributeValue::Long(2), &AttributeValue::Long(2));
        reads(declared, &text("maybe"), &text("maybe"));
    }

    #[test]
    fn dates_are_the_day_that_is_written_and_numbers_count_in_the_unit() {
        let written = declared(AttributeType::Date);
        let unit = |unit| AttributeDeclaration {
            unit: Some(unit),
            ..written
        };
        let day = text("2024-03-30");
        reads(written, &day, &day);
        // Midnight in UTC is another day further west: the date is taken as it is written.
        reads(written, &text("2024-03-30T00:00:00Z"), &day);
        reads(unit(EpochUnit::Days), &AttributeValue::Long(19_812), &day);
        reads(unit(EpochUnit::Milliseconds), &text("1711756800000"), &day);
        reads(
            unit(EpochUnit::Seconds),
            &AttributeValue::Long(1_711_843_199),
            &day,
        );
        reads(unit(EpochUnit::Days), &day, &day);
        reads(
            unit(EpochUnit::Days),
            &AttributeValue::Long(-1),
            &text("1969-12-31"),
        );
        // Without a unit a number has no meaning as a date.
        reads(
            written,
            &AttributeValue::Long(19_812),
            &AttributeValue::Long(19_812),
        );
        let far = AttributeValue::Long(i64::MAX);
        reads(unit(EpochUnit::Days), &far, &far);
        reads(unit(EpochUnit::Microseconds), &far, &far);
    }

    #[test]
    fn instants_are_read_in_the_zone_of_the_tenant_and_in_the_unit() {
        let written = declared(AttributeType::Instant);
        let unit = |unit| AttributeDeclaration {
            unit: Some(unit),
            ..written
        };
        let at = text("2024-03-30T00:00:00Z");
        reads(written, &text("2024-03-30T01:00:00+01:00"), &at);
        reads(written, &text("2024-03-30T01:00:00"), &at);
        reads(
            unit(EpochUnit::Milliseconds),
            &AttributeValue::Long(1_711_756_800_000),
            &at,
        );
        reads(unit(EpochUnit::Seconds), &text("1711756800"), &at);
        let never = text("9999-12-31T23:59:59Z");
        reads(written, &never, &never);
        reads(
            unit(EpochUnit::Seconds),
            &AttributeValue::Long(253_402_300_799),
            &never,
        );
        reads(written, &AttributeValue::Long(1), &AttributeValue::Long(1));
    }

    #[test]
    fn blank_text_of_a_declared_attribute_is_no_value() {
        let zone = TimeZone::UTC;
        let number = declared(AttributeType::Number);
        assert_eq!(number.read(&text(" "), &zone), None);
        let undeclared = AttributeDeclaration::default();
        assert_eq!(
            undeclared.read(&text(""), &zone).unwrap().as_ref(),
            &text("")
        );
        assert_eq!(undeclared.read(&AttributeValue::Null, &zone), None);
    }
}
