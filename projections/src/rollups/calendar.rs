//! Days as people write them.

use crate::days;

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
    use crate::definitions::expression::Period;

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
