//! Points in time as people write them: dates, and dates with a time of day.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use tidemark_schemas::{AttributeValue, Instant};

use crate::days;

const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// A point in time in microseconds since 1970-01-01T00:00:00Z, within and beyond the range of [`Instant`].
///
/// `9999-12-31`, by which many systems say "never ends", begins after [`Instant::MAX`] in most zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointInTime(i64);

impl From<Instant> for PointInTime {
    fn from(instant: Instant) -> Self {
        Self(instant.micros())
    }
}

impl PointInTime {
    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns this point plus that many microseconds.
    pub(crate) const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Returns the same point as an instant; `None` beyond the range of instants.
    pub(crate) fn instant(self) -> Option<Instant> {
        Instant::from_micros(self.0)
    }

    /// Returns the same point as RFC 3339 in UTC; `None` beyond the year 9999.
    pub(crate) fn to_text(self) -> Option<String> {
        let day = i32::try_from(self.0.div_euclid(MICROS_PER_DAY)).ok()?;
        let midnight = days::date_of(day)?.at(0, 0, 0, 0);
        let time = jiff::SignedDuration::from_micros(self.0.rem_euclid(MICROS_PER_DAY));
        Some(format!("{}Z", midnight.checked_add(time).ok()?))
    }

    /// Returns the point at which clocks with an offset show a time.
    fn of_clock(clock: DateTime, offset: Offset) -> Self {
        let midnight = i64::from(days::number_of(clock.date())) * MICROS_PER_DAY;
        let time = clock.time().duration_since(Time::midnight()).as_micros();
        // A time of day is shorter than a day.
        let time = i64::try_from(time).unwrap_or_default();
        Self(midnight + time - i64::from(offset.seconds()) * MICROS_PER_SECOND)
    }

    /// Returns the point at which a day begins. Beyond the range of instants, clocks keep the offset that
    /// they have at its end.
    fn start_of(zone: &TimeZone, day: i32) -> Self {
        if let Some(start) = days::start_of(zone, day) {
            return start.into();
        }
        let offset = i64::from(offset_at_end(zone, day).seconds());
        let midnight = i64::from(day).saturating_mul(MICROS_PER_DAY);
        Self(midnight).plus_micros(-offset * MICROS_PER_SECOND)
    }
}

/// Returns the offset of a zone at the end of all instants that is nearer to a day.
fn offset_at_end(zone: &TimeZone, day: i32) -> Offset {
    let end = if day > 0 { Instant::MAX } else { Instant::MIN };
    zone.to_offset(end.to_jiff())
}

/// A date, or a date and time; without an offset by the clocks of the tenant's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A whole day.
    Day(i32),
    /// A point in time.
    At(PointInTime),
}

impl Moment {
    /// RFC 3339, or a part of it. Times are cut to microseconds.
    pub(crate) fn parse(text: &str, zone: &TimeZone) -> Option<Self> {
        // Cheap first: most texts compared with dates are dates.
        if let Some(day) = date(text) {
            return Some(Self::Day(day));
        }
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Some(Self::At(floor(timestamp)));
        }
        let pieces = Pieces::parse(text).ok()?;
        let clock = pieces.date().to_datetime(pieces.time().unwrap_or_default());
        if let Some(offset) = pieces.to_numeric_offset() {
            return Some(Self::At(PointInTime::of_clock(clock, offset)));
        }
        let shown = zone.to_ambiguous_timestamp(clock).compatible();
        Some(Self::At(shown.map_or_else(
            |_| {
                let day = days::number_of(clock.date());
                PointInTime::of_clock(clock, offset_at_end(zone, day))
            },
            floor,
        )))
    }

    /// Returns the point in time that a value names.
    pub(crate) fn from_value(value: &AttributeValue, zone: &TimeZone) -> Option<Self> {
        match value {
            AttributeValue::String(text) => Self::parse(text, zone),
            AttributeValue::Null
            | AttributeValue::Boolean(_)
            | AttributeValue::Long(_)
            | AttributeValue::Double(_) => None,
        }
    }

    /// Returns the first point of the period.
    pub(crate) fn start(self, zone: &TimeZone) -> PointInTime {
        match self {
            Self::Day(day) => PointInTime::start_of(zone, day),
            Self::At(point) => point,
        }
    }

    /// Returns the first point after the period.
    pub(crate) fn end(self, zone: &TimeZone) -> PointInTime {
        match self {
            Self::Day(day) => PointInTime::start_of(zone, day.saturating_add(1)),
            Self::At(point) => point.plus_micros(1),
        }
    }
}

fn floor(timestamp: jiff::Timestamp) -> PointInTime {
    let micros = timestamp.as_nanosecond().div_euclid(1_000);
    // Timestamps end with the year 9999, far within 64 bits.
    PointInTime(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// `2025-03-30`, as the number of the day.
pub(crate) fn date(text: &str) -> Option<i32> {
    (text.len() == 10)
        .then(|| text.parse::<Date>().ok())
        .flatten()
        .map(days::number_of)
}

/// Returns the date that a text names, whatever time and offset follow it.
pub(crate) fn written_date(text: &str) -> Option<i32> {
    date(text).or_else(|| Some(days::number_of(Pieces::parse(text).ok()?.date())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    /// Texts in the order of the times they name.
    const LATE: [&str; 7] = [
        "9999-12-29",
        "9999-12-30",
        "9999-12-30T23:59:59",
        "9999-12-31",
        "9999-12-31T00:00:01",
        "9999-12-31T23:59:59",
        "9999-12-31T23:59:59.999999",
    ];
    const EARLY: [&str; 4] = ["0000-01-01", "0001-01-01", "1753-01-01", "1899-12-30"];

    #[test]
    fn dates_at_the_ends_of_the_calendar_are_in_order_in_every_zone() {
        for name in jiff::tz::TimeZoneDatabase::bundled().available() {
            let zone = jiff::tz::TimeZoneDatabase::bundled()
                .get(name.as_str())
                .unwrap();
            let start = |text: &&str| Moment::parse(text, &zone).unwrap().start(&zone);
            for texts in [&LATE[..], &EARLY[..]] {
                let starts: Vec<PointInTime> = texts.iter().map(start).collect();
                assert!(starts.is_sorted_by(|a, b| a < b), "{name:?}: {starts:?}");
            }
            let last = Moment::parse("9999-12-31", &zone).unwrap();
            assert_eq!(
                last.end(&zone).0 - last.start(&zone).0,
                MICROS_PER_DAY,
                "{name:?}"
            );
        }
    }

    #[test]
    fn offset_counts_beyond_the_last_instant() {
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get("Asia/Tokyo")
            .unwrap();
        let start = |text: &str| Moment::parse(text, &zone).unwrap().start(&zone);
        let utc = start("9999-12-31T23:59:59Z");
        assert_eq!(utc.0, 253_402_300_799_000_000);
        assert_eq!(start("9999-12-31T18:59:59-05:00"), utc);
        assert_eq!(
            start("9999-12-31T23:59:59").0,
            utc.0 - 9 * 3_600 * MICROS_PER_SECOND
        );
        assert_eq!(utc.to_text().unwrap(), "9999-12-31T23:59:59Z");
        assert_eq!(start(&utc.to_text().unwrap()), utc);
    }
}
