//! A tenant's days: where they begin, and which one an instant belongs to.
//!
//! Days are counted from 1970-01-01, as the state counts them. A day begins at its local midnight
//! or, where clocks jump over midnight, at the jump. It lasts until the next one begins, even where
//! clocks are then set back into it (in St John's they went from 00:01 back to 23:01): days never
//! run backwards, so a customer's age never shrinks.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use tidemark_schemas::Instant;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The number of a date.
pub(crate) fn number_of(date: Date) -> i32 {
    let days = date.duration_since(EPOCH).as_hours() / 24;
    // Dates end with the years -9999 and 9999, far within 32 bits.
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// The date of a day, if there is one: dates end with the year 9999.
pub(crate) fn date_of(day: i32) -> Option<Date> {
    EPOCH.checked_add(day.days()).ok()
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
    // Clocks set back across midnight show yesterday again: the new day has begun nevertheless.
    while start_of(zone, day + 1).is_some_and(|start| start <= at) {
        day += 1;
    }
    day
}

/// The same time of day, `days` later; `None` after the end of time.
pub(crate) fn same_time_after(zone: &TimeZone, at: Instant, days: i32) -> Option<Instant> {
    let later = at
        .to_jiff()
        .to_zoned(zone.clone())
        .checked_add(days.days())
        .ok()?;
    Instant::from_micros(later.timestamp().as_microsecond())
}
