//! Instants read from text.

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use tidemark_schemas::Instant;

use super::mapping::{InvalidMapping, TimeMapping};
use super::template::Template;

/// The way to read `occurred_at`.
#[derive(Debug, Clone)]
pub(super) struct When {
    text: Template,
    format: Format,
    zone: Option<TimeZone>,
}

#[derive(Debug, Clone)]
enum Format {
    Rfc3339,
    UnixSeconds,
    UnixMilliseconds,
    Pattern(String),
}

impl When {
    /// Checks the mapping of a time against the columns.
    pub(super) fn bind(mapping: &TimeMapping, columns: &[String]) -> Result<Self, InvalidMapping> {
        const FIELD: &str = "event.occurred_at";
        let text = match (&mapping.column, &mapping.template) {
            (Some(column), None) => Template::from_column(FIELD, column, columns)?,
            (None, Some(template)) => Template::bind(FIELD, template, columns)?,
            _ => {
                return Err(InvalidMapping(format!(
                    "{FIELD}: name a `column` or a `template`"
                )));
            }
        };
        let format = match mapping.format.as_str() {
            "rfc3339" => Format::Rfc3339,
            "unix_seconds" => Format::UnixSeconds,
            "unix_milliseconds" => Format::UnixMilliseconds,
            pattern if pattern.contains('%') => Format::Pattern(pattern.to_owned()),
            other => {
                return Err(InvalidMapping(format!(
                    "{FIELD}.format: `{other}` is neither rfc3339, unix_seconds, \
                     unix_milliseconds nor a pattern such as %Y-%m-%d"
                )));
            }
        };
        let zone = mapping
            .zone
            .as_deref()
            .map(|name| {
                TimeZoneDatabase::bundled()
                    .get(name)
                    .map_err(|_| InvalidMapping(format!("{FIELD}.zone: no time zone is `{name}`")))
            })
            .transpose()?;
        let needs_zone = matches!(&format, Format::Pattern(pattern)
            if !["%z", "%:z", "%Q", "%:Q", "%s"].iter().any(|offset| pattern.contains(offset)));
        if needs_zone && zone.is_none() {
            return Err(InvalidMapping(format!(
                "{FIELD}: the format has no offset, so `zone` must name the time zone"
            )));
        }
        Ok(Self { text, format, zone })
    }

    /// Returns the instant of a row's event.
    pub(super) fn read(&self, fields: &[String]) -> Result<Instant, String> {
        let text = self.text.render(fields, "");
        let text = text.trim();
        let timestamp = match &self.format {
            Format::Rfc3339 => text.parse::<Timestamp>().map_err(|error| error.to_string()),
            Format::UnixSeconds => number(text).and_then(|seconds| {
                Timestamp::from_second(seconds).map_err(|error| error.to_string())
            }),
            Format::UnixMilliseconds => number(text).and_then(|millis| {
                Timestamp::from_millisecond(millis).map_err(|error| error.to_string())
            }),
            Format::Pattern(pattern) => self.by_pattern(pattern, text),
        };
        let timestamp = timestamp.map_err(|error| format!("`{text}`: {error}"))?;
        Instant::from_micros(timestamp.as_microsecond())
            .ok_or_else(|| format!("`{text}` is out of range"))
    }

    fn by_pattern(&self, pattern: &str, text: &str) -> Result<Timestamp, String> {
        let parsed = BrokenDownTime::parse(pattern, text).map_err(|error| error.to_string())?;
        if let Ok(timestamp) = parsed.to_timestamp() {
            return Ok(timestamp);
        }
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let local = parsed
            .to_datetime()
            .or_else(|_| parsed.to_date().map(|date| date.at(0, 0, 0, 0)))
            .map_err(|error| error.to_string())?;
        // Local times that a change of clocks skips or repeats are resolved as in RFC 5545.
        let zoned = zone.to_zoned(local).map_err(|error| error.to_string())?;
        Ok(zoned.timestamp())
    }
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "not a whole number".to_owned())
}
