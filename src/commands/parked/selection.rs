//! The parked events that a command applies to.

use std::fmt;
use std::str::FromStr;

use tidemark_processor::parking::Reason;
use tidemark_processor::store::ParkedFilter;
use tidemark_schemas::TenantId;

use crate::failure::nearest;

/// Filters: an event must match all that are given.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Selection {
    /// Positions of events, as `list` prints them: partition@offset
    #[arg(value_name = "POSITION")]
    positions: Vec<Position>,
    /// Events of this tenant
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Events parked for this reason
    #[arg(long, value_name = "REASON", value_parser = parse_reason)]
    parked_reason: Option<Reason>,
    /// Events that are invalid in this field
    #[arg(long)]
    field: Option<String>,
    /// Events of this partition
    #[arg(long)]
    partition: Option<i32>,
    /// Events at this offset or after it
    #[arg(long, value_name = "OFFSET")]
    from_offset: Option<i64>,
    /// Events at this offset or before it
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,
    /// Events parked at least so long ago: 90s, 30m, 12h, 7d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    older_than: Option<f64>,
    /// Events parked at most so long ago
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    newer_than: Option<f64>,
}

impl Selection {
    pub(super) fn filter(&self) -> ParkedFilter {
        ParkedFilter {
            tenant: self.tenant.clone(),
            reason: self.parked_reason,
            field: self.field.clone(),
            partition: self.partition,
            from_offset: self.from_offset,
            to_offset: self.to_offset,
            older_than: self.older_than,
            newer_than: self.newer_than,
            positions: self
                .positions
                .iter()
                .map(|position| (position.partition, position.offset))
                .collect(),
        }
    }

    /// Whether every parked event is selected.
    pub(super) fn is_all(&self) -> bool {
        self.filter() == ParkedFilter::default()
    }
}

/// The position of an event in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('@')
            .and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
        let (partition, offset) =
            parts.ok_or("not a position: write partition@offset, for example 3@1207")?;
        Ok(Self { partition, offset })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset)
    }
}

fn parse_reason(text: &str) -> Result<Reason, String> {
    Reason::named(text).ok_or_else(|| {
        let names = Reason::ALL.map(Reason::as_str);
        match nearest(text, names) {
            Some(near) => format!("no such reason; did you mean {near}?"),
            None => format!("no such reason; expected one of {}", names.join(", ")),
        }
    })
}

/// Returns the seconds of an age such as `30m`.
pub(super) fn parse_age(text: &str) -> Result<f64, String> {
    const UNITS: [(char, f64); 4] = [('s', 1.0), ('m', 60.0), ('h', 3_600.0), ('d', 86_400.0)];
    let parsed = UNITS.iter().find_map(|(unit, seconds)| {
        let number: u32 = text.strip_suffix(*unit)?.parse().ok()?;
        Some(f64::from(number) * seconds)
    });
    parsed.ok_or_else(|| "not an age: write for example 90s, 30m, 12h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_parse_as_they_are_printed() {
        let position: Position = "3@1207".parse().expect("a position");
        assert_eq!((position.partition, position.offset), (3, 1_207));
        assert_eq!(position.to_string(), "3@1207");
        for wrong in ["3", "3@", "@7", "a@b", "3@1@2", "3/7"] {
            let complaint = wrong.parse::<Position>().expect_err(wrong);
            assert!(complaint.contains("partition@offset"), "{complaint}");
        }
    }

    #[test]
    fn ages_need_a_unit() {
        assert_eq!(parse_age("90s"), Ok(90.0));
        assert_eq!(parse_age("30m"), Ok(1_800.0));
        assert_eq!(parse_age("12h"), Ok(43_200.0));
        assert_eq!(parse_age("7d"), Ok(604_800.0));
        for wrong in ["", "7", "d", "-1d", "1.5h", "7 d", "1w"] {
            assert!(parse_age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn unknown_reasons_are_refused_with_the_nearest_name() {
        assert_eq!(parse_reason("late"), Ok(Reason::Late));
        let complaint = parse_reason("unknown_shema").expect_err("misspelt");
        assert!(complaint.contains("unknown_schema"), "{complaint}");
        let complaint = parse_reason("42").expect_err("nonsense");
        assert!(
            complaint.contains("misrouted, unknown_tenant"),
            "{complaint}"
        );
    }
}
