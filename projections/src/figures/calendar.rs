//! Days as people write them, and the periods they fall into.

use jiff::ToSpan;

use crate::days;

/// How long the periods of a report are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// From Monday on.
    Week,
    /// Of the calendar.
    Month,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the period that a day falls into.
    pub fn start(self, day: i32) -> i32 {
        match self {
            Self::Day => day,
            // 1970-01-01 was a Thursday.
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => {
                days::date_of(day).map_or(day, |date| days::number_of(date.first_of_month()))
            }
        }
    }

    /// The first day of the period after the one that begins with this day.
    pub fn next(self, start: i32) -> i32 {
        match self {
            Self::Day => start + 1,
            Self::Week => start + 7,
            Self::Month => days::date_of(start)
                .and_then(|date| date.checked_add(1.month()).ok())
                .map_or(start + 31, days::number_of),
        }
    }
}

/// `2025-03-30` of a day since 1970-01-01.
pub fn date_text(day: i32) -> String {
    days::date_of(day).map_or_else(|| day.to_string(), |date| date.to_string())
}

/// The day of a date written `2025-03-30`.
pub fn day_of_text(text: &str) -> Option<i32> {
    crate::definitions::date(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn begins(period: Period, day: &str, start: &str, next: &str) {
        let day = day_of_text(day).expect("a date");
        let found = period.start(day);
        assert_eq!(date_text(found), start);
        assert_eq!(date_text(period.next(found)), next);
    }

    #[test]
    fn periods_follow_each_other() {
        begins(Period::Day, "2024-02-29", "2024-02-29", "2024-03-01");
        begins(Period::Week, "2024-02-29", "2024-02-26", "2024-03-04");
        begins(Period::Week, "1969-12-31", "1969-12-29", "1970-01-05");
        begins(Period::Week, "2024-03-04", "2024-03-04", "2024-03-11");
        begins(Period::Month, "2024-02-29", "2024-02-01", "2024-03-01");
        begins(Period::Month, "1969-12-31", "1969-12-01", "1970-01-01");
    }
}
