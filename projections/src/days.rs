//! A tenant's days: where they begin, and which one an instant belongs to.
//!
//! Days are counted from 1970-01-01, as the state counts them. A day begins at its local midnight
//! or, where clocks jump over midnight, at the jump. It lasts until the next one begins, even where
//! clocks are then set back into it (in St John's they went from 00:01 back to 23:01): days never
//! run backwards, so a customer's age never shrinks.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, ToSpan};
use tidemark_schemas::Instant;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Since 1970 no zone has set its clocks back by more (Vostok in Antarctica did by as much).
const LARGEST_SETBACK: i64 = 7 * 3_600 * MICROS_PER_SECOND;

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duration {
    /// An exact number of microseconds: written in seconds, minutes or hours.
    Exact(i64),
    /// A number of days in the tenant's zone, which daylight saving makes longer or shorter.
    Days(i32),
}

/// The number of a date.
pub(crate) fn number_of(date: Date) -> i32 {
    let days = date.duration_since(EPOCH).as_hours() / 24;
    // Dates end with the years -9999 and 9999, far within 32 bits.
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// The date of a day, if there is one: dates end with the year 9999.
pub(crate) fn date_of(day: i32) -> Option<Date> {
    EPOCH.checked_add(Span::new().try_days(day).ok()?).ok()
}

/// The first instant of a day; `None` beyond the instants that every zone can show.
pub(crate) fn start_of(zone: &TimeZone, day: i32) -> Option<Instant> {
    let midnight = date_of(day)?.at(0, 0, 0, 0);
    let at = |offset: Offset| offset.to_timestamp(midnight).ok();
    let start = match zone.to_ambiguous_timestamp(midnight).offset() {
        AmbiguousOffset::Unambiguous { offset } => at(offset),
        // Clocks show this midnight twice: the day begins with the first.
        AmbiguousOffset::Fold { before, .. } => at(before),
        // Clocks never show it: the day begins with the jump, which is the first transition from
        // the instant on at which it is midnight by the clock of after the jump.
        AmbiguousOffset::Gap { after, .. } => {
            let early = at(after)?.checked_sub(1.second()).ok()?;
            zone.following(early)
                .next()
                .map(|transition| transition.timestamp())
        }
    };
    Instant::from_micros(start?.as_microsecond())
}

/// The day an instant belongs to.
pub(crate) fn day_of(zone: &TimeZone, at: Instant) -> i32 {
    let offset = i64::from(zone.to_offset(at.to_jiff()).seconds());
    let local = at.micros() + offset * MICROS_PER_SECOND;
    let mut day = i32::try_from(local.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX);
    let left = MICROS_PER_DAY - local.rem_euclid(MICROS_PER_DAY);
    if left > LARGEST_SETBACK && at.micros() > 0 {
        return day; // Too early in the day for what follows, which takes a second search.
    }
    // Clocks set back across midnight show yesterday again: the new day has begun nevertheless.
    while start_of(zone, day + 1).is_some_and(|start| start <= at) {
        day += 1;
    }
    day
}

/// Returns the number of days that began after one instant, up to another; 0 if that is earlier.
pub(crate) fn whole_days(zone: &TimeZone, from: Instant, to: Instant) -> u32 {
    let days = i64::from(day_of(zone, to)) - i64::from(day_of(zone, from));
    u32::try_from(days).unwrap_or(0)
}

/// Returns the number of calendar months completed on a day since another; 0 if that is earlier.
pub(crate) fn whole_months(from: i32, to: i32) -> u32 {
    let Some((from, to)) = date_of(from).zip(date_of(to)) else {
        return 0;
    };
    let years = i32::from(to.year()) - i32::from(from.year());
    let months = years * 12 + i32::from(to.month()) - i32::from(from.month());
    // The last month may not be over yet.
    let begun = from.checked_add(Span::new().months(months.max(0)));
    let over = begun.is_ok_and(|begun| begun <= to);
    u32::try_from(months - i32::from(!over)).unwrap_or(0)
}

/// The day on which so many months are over; `None` beyond all dates.
pub(crate) fn months_after(from: i32, months: u32) -> Option<i32> {
    let span = Span::new().try_months(months).ok()?;
    Some(number_of(date_of(from)?.checked_add(span).ok()?))
}

/// The same time of day, `days` later; `None` after the end of time.
pub(crate) fn same_time_after(zone: &TimeZone, at: Instant, days: i32) -> Option<Instant> {
    let span = Span::new().try_days(days).ok()?;
    let later = at.to_jiff().to_zoned(zone.clone()).checked_add(span).ok()?;
    Instant::from_micros(later.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn day(date: &str) -> i32 {
        number_of(date.parse().unwrap())
    }

    #[track_caller]
    fn begins(zone_name: &str, date: &str, expected: &str) {
        let expected: Instant = expected.parse().unwrap();
        let zone = zone(zone_name);
        assert_eq!(start_of(&zone, day(date)).unwrap(), expected);
        assert_eq!(day_of(&zone, expected), day(date));
        assert_eq!(day_of(&zone, expected.plus_micros(-1)), day(date) - 1);
    }

    #[test]
    fn days_begin_at_midnight_or_at_the_jump_over_it() {
        begins("Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z");
        begins("Europe/Berlin", "2024-04-01", "2024-03-31T22:00:00Z");
        // From 00:00 to 01:00.
        begins("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z");
        begins("Asia/Beirut", "2024-03-31", "2024-03-30T22:00:00Z");
        // From 23:30 to 00:30.
        begins("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z");
        // Midnight twice: back from 01:00 to 00:00.
        begins("America/Havana", "2024-11-03", "2024-11-03T04:00:00Z");
    }

    #[test]
    fn months_are_over_on_the_same_day_or_the_last() {
        let months = |from: &str, to: &str| whole_months(day(from), day(to));
        assert_eq!(months("2024-01-31", "2024-02-28"), 0);
        assert_eq!(months("2024-01-31", "2024-02-29"), 1);
        assert_eq!(months("2024-01-31", "2024-03-30"), 1);
        assert_eq!(months("2024-01-31", "2024-03-31"), 2);
        assert_eq!(months("2023-12-15", "2025-01-14"), 12);
        assert_eq!(months("2024-05-01", "2024-04-01"), 0);
        assert_eq!(months_after(day("2024-01-31"), 1), Some(day("2024-02-29")));
        for from in day("2023-11-28")..day("2024-03-02") {
            for count in 0..20 {
                let end = months_after(from, count).unwrap();
                assert_eq!(whole_months(from, end), count);
                assert_eq!(whole_months(from, end - 1), count.saturating_sub(1));
            }
        }
    }

    #[test]
    fn days_never_run_backwards() {
        // In St John's clocks went from 00:01 on the 29th back to 23:01 on the 28th.
        let zone = zone("America/St_Johns");
        let midnight: Instant = "2006-10-29T02:30:00Z".parse().unwrap();
        assert_eq!(start_of(&zone, day("2006-10-29")).unwrap(), midnight);
        for minutes in [0, 1, 2, 30, 60, 61, 62] {
            let later = midnight.plus_micros(minutes * 60 * MICROS_PER_SECOND);
            assert_eq!(
                day_of(&zone, later),
                day("2006-10-29"),
                "{minutes} minutes later"
            );
        }
    }

    #[test]
    fn clocks_are_set_back_by_a_few_hours_at_most() {
        let [from, to] = ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"];
        let (from, to): (jiff::Timestamp, jiff::Timestamp) =
            (from.parse().unwrap(), to.parse().unwrap());
        let mut zones = 0;
        for name in jiff::tz::TimeZoneDatabase::bundled().available() {
            let zone = zone(name.as_str());
            let mut offset = zone.to_offset(from);
            for transition in zone.following(from) {
                if transition.timestamp() > to {
                    break;
                }
                let back = i64::from(offset.seconds() - transition.offset().seconds());
                assert!(
                    back * MICROS_PER_SECOND <= LARGEST_SETBACK,
                    "{name:?}: {back}"
                );
                offset = transition.offset();
            }
            zones += 1;
        }
        assert!(zones > 400, "{zones} zones");
    }

    #[test]
    fn a_day_that_was_skipped_is_over_when_it_begins() {
        let zone = zone("Pacific/Apia");
        let skipped = start_of(&zone, day("2011-12-30")).unwrap();
        assert_eq!(start_of(&zone, day("2011-12-31")).unwrap(), skipped);
        assert_eq!(day_of(&zone, skipped), day("2011-12-31"));
        assert_eq!(day_of(&zone, skipped.plus_micros(-1)), day("2011-12-29"));
    }

    #[test]
    fn the_ends_of_time_have_no_days_beyond() {
        for name in ["UTC", "Pacific/Apia", "America/Los_Angeles"] {
            let zone = zone(name);
            for at in [Instant::MIN, Instant::MAX] {
                let day = day_of(&zone, at);
                assert!(start_of(&zone, day).is_none_or(|start| start <= at));
                assert!(start_of(&zone, day + 1).is_none_or(|start| start > at));
            }
            assert_eq!(start_of(&zone, i32::MAX), None);
            assert_eq!(start_of(&zone, i32::MIN), None);
            assert_eq!(same_time_after(&zone, Instant::MAX, 36_525), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn an_instant_lies_within_its_day(
            name in prop::sample::select(vec![
                "America/St_Johns", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia",
                "Asia/Manila", "America/Juneau", "Africa/Casablanca", "America/Sao_Paulo",
            ]),
            transition in 0..150_usize,
            offset in -2 * MICROS_PER_DAY..2 * MICROS_PER_DAY,
        ) {
            let zone = zone(name);
            let first: jiff::Timestamp = "1840-01-01T00:00:00Z".parse().unwrap();
            let near = zone.following(first).nth(transition).map(|found| found.timestamp());
            let at = Instant::from_jiff(near.unwrap_or(first)).plus_micros(offset);
            let day = day_of(&zone, at);
            prop_assert!(start_of(&zone, day).unwrap() <= at);
            prop_assert!(at < start_of(&zone, day + 1).unwrap());
            let clock = number_of(zone.to_datetime(at.to_jiff()).date());
            prop_assert!(day == clock || day == clock + 1);
        }
    }
}
