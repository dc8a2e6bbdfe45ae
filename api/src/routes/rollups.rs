//! Rollups (daily aggregates) as read from the tables, and ranges of days.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::definitions::expression::Period;
use tidemark_projections::rollups::{RollupKind, calendar};
use tidemark_schemas::{Currency, Instant};
use utoipa::{PartialSchema, ToSchema};

use crate::database::Snapshot;
use crate::http::Problem;

/// The number of days, up to today, if a request names no dates.
const DEFAULT_DAYS: i32 = 30;
/// Slightly more than three years, so that three years can be compared.
const MAX_DAYS: i32 = 1_100;

/// A range of days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DaysParams {
    /// The first day (ISO 8601). By default 29 days before `to`.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day (ISO 8601). By default, and at most, today, by the watermark. A range of more than
    /// 1,100 days, or one that begins after today, is refused.
    #[param(format = Date)]
    to: Option<String>,
}

impl DaysParams {
    pub(super) fn days(&self) -> Result<Days, Problem> {
        Days::parse(self.from.as_deref(), self.to.as_deref())
    }
}

/// A range of days, both ends included; an end is `None` if the request does not name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    from: Option<i32>,
    to: Option<i32>,
}

/// A range of days with both ends known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i32,
    pub(super) to: i32,
}

impl Days {
    /// Parses the parameters `from` and `to`.
    pub(super) fn parse(from: Option<&str>, to: Option<&str>) -> Result<Self, Problem> {
        let days = Self {
            from: from.map(|text| day("from", text)).transpose()?,
            to: to.map(|text| day("to", text)).transpose()?,
        };
        if let (Some(from), Some(to)) = (days.from, days.to) {
            check(from, to)?;
        }
        Ok(days)
    }

    /// Returns the first day, if the request names one.
    pub(super) fn from(self) -> Option<Day> {
        self.from.map(Day)
    }

    /// Returns the last day, if the request names one.
    pub(super) fn to(self) -> Option<Day> {
        self.to.map(Day)
    }

    /// Ends the range today: days to come have no rows yet, and zeros for them would look like data. Before the
    /// first watermark, today is not known, and the range stays as it is.
    pub(super) fn until_today(
        self,
        snapshot: &Snapshot<'_>,
        definitions: &TenantDefinitions,
    ) -> Result<Self, Problem> {
        self.until(today(snapshot, definitions))
    }

    fn until(self, today: Option<i32>) -> Result<Self, Problem> {
        let Some(today) = today else {
            return Ok(self);
        };
        if let Some(from) = self.from.filter(|from| *from > today) {
            let [from, today] = [from, today].map(calendar::date_text);
            let detail = format!(
                "from ({from}) is after today ({today}, by the watermark), and days to \
                 come have no rows yet; name an earlier day"
            );
            return Err(Problem::unprocessable("from", detail));
        }
        let to = self.to.map(|to| to.min(today));
        Ok(Self { to, ..self })
    }

    /// Fills in an unbounded end.
    pub(super) fn unbounded(self) -> Span {
        Span {
            from: self.from.unwrap_or(i32::MIN),
            to: self.to.unwrap_or(i32::MAX),
        }
    }

    /// Fills in the default ends, and ends the range today, by the watermark.
    pub(super) fn span(
        self,
        snapshot: &Snapshot<'_>,
        definitions: &TenantDefinitions,
    ) -> Result<Span, Problem> {
        self.span_until(today(snapshot, definitions))
    }

    fn span_until(self, today: Option<i32>) -> Result<Span, Problem> {
        let days = self.until(today)?;
        let to = days.to.or(today).or(days.from).unwrap_or_default();
        let from = days.from.unwrap_or(to.saturating_sub(DEFAULT_DAYS - 1));
        check(from, to)?;
        Ok(Span { from, to })
    }
}

/// Returns the day of the watermark; `None` if there is none yet.
fn today(snapshot: &Snapshot<'_>, definitions: &TenantDefinitions) -> Option<i32> {
    let watermark = snapshot.freshness().watermark;
    watermark.map(|at: Instant| definitions.day_of(at))
}

fn day(parameter: &'static str, text: &str) -> Result<i32, Problem> {
    calendar::day_of_text(text).ok_or_else(|| {
        let detail = format!("{parameter} is {text:?}; it must be a date, like 2025-03-30");
        Problem::malformed(detail).with_parameter(parameter)
    })
}

fn check(from: i32, to: i32) -> Result<(), Problem> {
    if from > to {
        let (from, to) = (calendar::date_text(from), calendar::date_text(to));
        let detail = format!("from ({from}) is after to ({to})");
        return Err(Problem::unprocessable("from", detail));
    }
    if to - from >= MAX_DAYS {
        let days = to - from + 1;
        let [from, to] = [from, to].map(calendar::date_text);
        let detail = format!(
            "from ({from}) and to ({to}; by default today) span {days} days, and {MAX_DAYS} at most are \
             answered at once; name a later from or an earlier to"
        );
        return Err(Problem::unprocessable("from", detail));
    }
    Ok(())
}

impl Span {
    /// Returns all days before the span.
    pub(super) fn before(self) -> Self {
        Self {
            from: i32::MIN,
            to: self.from.saturating_sub(1),
        }
    }

    /// Splits the span into periods; the first and the last may be partial.
    pub(super) fn periods(self, by: Period) -> impl Iterator<Item = Self> {
        let mut start = by.start(self.from);
        std::iter::from_fn(move || {
            let next = by.next(start);
            let period = Self {
                from: start.max(self.from),
                to: (next - 1).min(self.to),
            };
            start = next;
            (period.from <= period.to).then_some(period)
        })
    }
}

/// A calendar day in the tenant's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) i32);

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&calendar::date_text(self.0))
    }
}

impl PartialSchema for Day {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
            .description(Some("A calendar day in the tenant's time zone (ISO 8601)."))
            .examples(["2024-06-30"])
            .into()
    }
}

impl ToSchema for Day {}

/// A rollup, of one day if days are kept apart.
#[derive(Debug, Clone)]
pub(super) struct Rollup {
    pub(super) kind: RollupKind,
    pub(super) subject: String,
    pub(super) day: i32,
    pub(super) item: String,
    pub(super) detail: String,
    pub(super) currency: Option<Currency>,
    pub(super) value: i128,
}

#[derive(Debug, FromRow)]
struct Row {
    kind: String,
    subject: String,
    day: i32,
    item: String,
    detail: String,
    currency: String,
    value: String,
}

/// A selection of rollups.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) kinds: &'a [RollupKind],
    /// The subjects: one empty name for kinds without a subject.
    pub(super) subjects: &'a [&'a str],
    /// Whether days are kept apart.
    pub(super) by_day: bool,
    /// Whether items are kept apart.
    pub(super) by_item: bool,
}

/// Reads the tenant's rollups, in no particular order and without zeros.
pub(super) async fn read(
    snapshot: &mut Snapshot<'_>,
    selection: Selection<'_>,
    span: Span,
) -> Result<Vec<Rollup>, Problem> {
    let kinds: Vec<&str> = selection.kinds.iter().map(|kind| kind.name()).collect();
    let rows = sqlx::query_as::<_, Row>(include_str!("../sql/rollups.sql"))
        .bind(snapshot.tenant())
        .bind(kinds)
        .bind(selection.subjects)
        .bind(span.from)
        .bind(span.to)
        .bind(selection.by_day)
        .bind(selection.by_item)
        .fetch_all(snapshot.connection())
        .await?;
    rows.into_iter().map(Rollup::from_row).collect()
}

impl Rollup {
    fn from_row(row: Row) -> Result<Self, Problem> {
        Ok(Self {
            value: row.value.parse().map_err(Problem::internal)?,
            currency: Currency::new(&row.currency),
            kind: kind_from_name(&row.kind)?,
            subject: row.subject,
            day: row.day,
            item: row.item,
            detail: row.detail,
        })
    }

    /// Converts the value to the tenant's currency; `None` without a rate.
    pub(super) fn converted(&self, definitions: &TenantDefinitions) -> Option<i128> {
        convert(definitions, self.value, self.currency?)
    }
}

/// Returns the kind of a stored name.
pub(super) fn kind_from_name(name: &str) -> Result<RollupKind, Problem> {
    let unknown = || Problem::internal(format!("{name} is not a kind of rollup"));
    RollupKind::from_name(name).ok_or_else(unknown)
}

/// Clamps a value to the range of 64-bit integers that answers use.
pub(super) fn within_64_bits(value: i128) -> i64 {
    let [least, most] = [i64::MIN, i64::MAX].map(i128::from);
    i64::try_from(value.clamp(least, most)).unwrap_or_default()
}

/// Converts a sum to the tenant's currency; `None` without a rate.
pub(super) fn convert(
    definitions: &TenantDefinitions,
    minor: i128,
    currency: Currency,
) -> Option<i128> {
    definitions.convert(within_64_bits(minor), currency)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parse(from: Option<&str>, to: Option<&str>) -> Result<Span, String> {
        let days = Days::parse(from, to).map_err(|problem| problem.to_string())?;
        let today = day("to", "2024-06-30").unwrap();
        let span = days.span_until(Some(today));
        span.map_err(|problem| problem.to_string())
    }

    #[track_caller]
    fn is(from: Option<&str>, to: Option<&str>, expected: [&str; 2]) {
        let span = parse(from, to).unwrap();
        assert_eq!([span.from, span.to].map(calendar::date_text), expected);
    }

    #[test]
    fn omitted_dates_get_their_defaults() {
        is(None, None, ["2024-06-01", "2024-06-30"]);
        is(None, Some("2024-02-29"), ["2024-01-31", "2024-02-29"]);
        is(Some("2024-06-29"), None, ["2024-06-29", "2024-06-30"]);
    }

    #[test]
    fn range_ends_today_at_the_latest() {
        let to = Some("2024-07-31");
        is(Some("2024-06-30"), to, ["2024-06-30", "2024-06-30"]);
        is(None, to, ["2024-06-01", "2024-06-30"]);
        for to in [None, Some("2024-07-02"), Some("2025-12-31")] {
            let refused = parse(Some("2024-07-01"), to).unwrap_err();
            assert!(refused.contains("2024-07-01"), "{refused}");
            assert!(refused.contains("2024-06-30"), "{refused}");
        }
        let unbounded = Days::parse(None, to)
            .unwrap()
            .until(day("to", "2024-06-30").ok());
        assert_eq!(
            unbounded.unwrap().to(),
            day("to", "2024-06-30").ok().map(Day)
        );
    }

    #[test]
    fn range_without_an_end_is_refused_if_it_does_not_reach_today() {
        is(Some("2021-06-27"), None, ["2021-06-27", "2024-06-30"]);
        for from in ["2021-06-26", "2000-01-01"] {
            let refused = parse(Some(from), None).unwrap_err();
            assert!(
                refused.contains("1100") && refused.contains(from),
                "{refused}"
            );
        }
    }

    #[test]
    fn range_before_the_first_watermark_is_answered_as_it_was_asked() {
        let span = |from, to| Days::parse(from, to).unwrap().span_until(None).unwrap();
        let asked = span(Some("2024-06-01"), Some("2024-06-03"));
        assert_eq!(asked.to - asked.from, 2);
        let asked = span(Some("2024-06-01"), None);
        assert_eq!(asked.from, asked.to);
    }

    #[test]
    fn invalid_ranges_are_refused() {
        let refused = |from, to| parse(Some(from), Some(to)).unwrap_err();
        assert!(refused("2024-02-30", "2024-03-01").contains("2024-02-30"));
        assert!(refused("yesterday", "2024-03-01").contains("date"));
        assert!(refused("2024-03-02", "2024-03-01").contains("after"));
        assert!(refused("2020-01-01", "2024-03-01").contains("1100"));
    }

    #[test]
    fn periods_cover_every_day_once() {
        let span = parse(Some("2024-01-31"), Some("2024-04-02")).unwrap();
        for by in Period::ALL {
            let mut next = span.from;
            for period in span.periods(by) {
                assert_eq!(period.from, next);
                assert!(period.to >= period.from);
                next = period.to + 1;
            }
            assert_eq!(next, span.to + 1, "{by:?}");
        }
    }
}
