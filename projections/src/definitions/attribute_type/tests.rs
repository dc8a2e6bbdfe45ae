//! Values read by declared types.
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
