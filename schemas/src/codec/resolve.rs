//! Avro's schema resolution, by name: turns a tree read with a writer's schema into an event.
//!
//! apache-avro can resolve values itself, but it picks the first branch of a union that has
//! fitting fields. A refund has the fields that an order must have, so it would become an order. Here
//! the branch is the one with the writer's record name, as the specification says.

use apache_avro::types::Value;
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

use super::writer::Writer;
use crate::event::fields::{Fields, Node, Shape, Unfit, missing};
use crate::event::reading::{NotAnEvent, read_event};
use crate::event::{CustomerEvent, InvalidEvent, PayloadKind};
use crate::time::Instant;

const EPOCH: DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// Returns the event in a tree that was read with this writer's schema.
pub(super) fn resolve(writer: &Writer, value: Value) -> Result<CustomerEvent, NotAnEvent> {
    let Value::Record(fields) = value else {
        return Err(NotAnEvent::Invalid(Box::new(InvalidEvent {
            field: "event",
            reason: "is not a record".to_owned(),
            tenant: None,
            customer: None,
            sent_by: None,
        })));
    };
    read_event(Fields::new(fields), |payload| {
        payload_fields(writer, payload)
    })
}

fn payload_fields(writer: &Writer, payload: Value) -> Result<(PayloadKind, Fields<Value>), Unfit> {
    let (index, record) = match payload {
        Value::Union(index, record) => (index, *record),
        record => (0, record),
    };
    let Value::Record(fields) = record else {
        return Err(Unfit::invalid("is null"));
    };
    let branch = writer
        .branch(index)
        .ok_or_else(|| Unfit::invalid("is of no branch"))?;
    let newer = || {
        Unfit::Newer(format!(
            "the record {} is newer than this version",
            branch.name
        ))
    };
    Ok((branch.kind.ok_or_else(newer)?, Fields::new(fields)))
}

impl Node for Value {
    const HAS_WRITER: bool = true;

    fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Union(_, inner) => inner.is_null(),
            _ => false,
        }
    }

    fn open(self) -> Shape<Self> {
        match self {
            Self::Null => Shape::Null,
            Self::Boolean(value) => Shape::Boolean(value),
            Self::Int(value) | Self::Date(value) | Self::TimeMillis(value) => {
                Shape::Long(value.into())
            }
            Self::Long(value)
            | Self::TimeMicros(value)
            | Self::TimestampMillis(value)
            | Self::TimestampMicros(value)
            | Self::TimestampNanos(value)
            | Self::LocalTimestampMillis(value)
            | Self::LocalTimestampMicros(value)
            | Self::LocalTimestampNanos(value) => Shape::Long(value),
            Self::Float(value) => Shape::Double(value.into()),
            Self::Double(value) => Shape::Double(value),
            Self::String(text) | Self::Enum(_, text) => Shape::Text(text),
            Self::Uuid(uuid) => Shape::Text(uuid.to_string()),
            Self::Bytes(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Shape::Text(text),
                Err(_) => Shape::Other("bytes that are not UTF-8"),
            },
            Self::Union(_, inner) => inner.open(),
            Self::Array(items) => Shape::List(items),
            Self::Map(entries) => Shape::Record(entries.into_iter().collect()),
            Self::Record(fields) => Shape::Record(fields),
            Self::Fixed(..) => Shape::Other("fixed bytes"),
            Self::Decimal(_) | Self::BigDecimal(_) => Shape::Other("a decimal"),
            Self::Duration(_) => Shape::Other("a duration"),
        }
    }

    fn date_or_time(&self) -> Option<String> {
        let text = match *self {
            Self::Union(_, ref inner) => return inner.date_or_time(),
            Self::Date(days) => date(days)?.to_string(),
            Self::TimestampMillis(millis) => Timestamp::from_millisecond(millis).ok()?.to_string(),
            Self::TimestampMicros(micros) => Timestamp::from_microsecond(micros).ok()?.to_string(),
            Self::TimestampNanos(nanos) => {
                Timestamp::from_nanosecond(nanos.into()).ok()?.to_string()
            }
            // Local: by the clocks of wherever it is read, which is the tenant's zone.
            Self::LocalTimestampMillis(millis) => local(SignedDuration::from_millis(millis))?,
            Self::LocalTimestampMicros(micros) => local(SignedDuration::from_micros(micros))?,
            Self::LocalTimestampNanos(nanos) => local(SignedDuration::from_nanos(nanos))?,
            _ => return None,
        };
        Some(text)
    }

    fn instant(self) -> Result<Instant, Unfit> {
        let out_of_range = |value: i64| Unfit::Invalid(format!("{value} is out of range"));
        let micros = match self {
            Self::Union(_, inner) => return inner.instant(),
            Self::TimestampMicros(micros) | Self::Long(micros) => micros,
            Self::Int(micros) => micros.into(),
            Self::TimestampMillis(millis) => millis
                .checked_mul(1_000)
                .ok_or_else(|| out_of_range(millis))?,
            Self::TimestampNanos(nanos) => nanos.div_euclid(1_000),
            Self::Null => return Err(missing("occurred_at").why),
            _ => return Err(Unfit::invalid("is not a timestamp")),
        };
        Instant::from_micros(micros).ok_or_else(|| out_of_range(micros))
    }
}

/// Returns the date of a number of days since 1970-01-01; `None` beyond the calendar.
fn date(days: i32) -> Option<Date> {
    let since = SignedDuration::from_hours(i64::from(days) * 24);
    Some(EPOCH.checked_add(since).ok()?.date())
}

/// Returns the time that clocks show so long after they showed the beginning of 1970.
fn local(since: SignedDuration) -> Option<String> {
    Some(EPOCH.checked_add(since).ok()?.to_string())
}
