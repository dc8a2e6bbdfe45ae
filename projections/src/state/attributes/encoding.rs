//! The canonical form of attributes: the stamps of the events that wrote them once (one event
//! often sets many attributes), then each attribute's points, which name their stamp by its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::{AttributeValue, Double, Instant};

use super::{Attributes, Point, prunable_after, value_text_bytes};
use crate::state::encoding::{ID_BYTES, Reader, Span, Writer, ascending, damaged};
use crate::state::{Stamp, StateError};

impl Attributes {
    pub(in crate::state) fn encode(&self, span: Span, writer: &mut Writer) {
        let mut stamps: Vec<Stamp> = self
            .by_name
            .values()
            .flatten()
            .map(|point| point.stamp)
            .collect();
        stamps.sort_unstable();
        stamps.dedup();
        writer.count(stamps.len());
        let mut from = span.first;
        for stamp in &stamps {
            writer.distance(from, stamp.at);
            writer.id(stamp.id);
            from = stamp.at;
        }
        writer.count(self.by_name.len());
        for (name, points) in &self.by_name {
            writer.text(name);
            writer.count(points.len());
            for point in points {
                writer.count(
                    stamps
                        .binary_search(&point.stamp)
                        .unwrap_or_else(|place| place),
                );
                encode_value(&point.value, writer);
            }
        }
    }

    pub(in crate::state) fn decode(
        span: Span,
        reader: &mut Reader<'_>,
    ) -> Result<Self, StateError> {
        let mut stamps = StampTable::decode(span, reader)?;
        let count = reader.count(4)?;
        let mut by_name: Vec<(Arc<str>, Vec<Point>)> = Vec::with_capacity(count);
        let mut prune_after = Instant::MAX;
        let mut text_bytes = 0;
        for _ in 0..count {
            let name = reader.name()?;
            ascending(by_name.last().map(|(last, _)| last), &name)?;
            let points = decode_points(&mut stamps, reader)?;
            prune_after = prune_after.min(prunable_after(&points));
            text_bytes += name.len();
            text_bytes += points
                .iter()
                .map(|point| value_text_bytes(&point.value))
                .sum::<usize>();
            by_name.push((name, points));
        }
        stamps.finish()?;
        let by_name: BTreeMap<_, _> = by_name.into_iter().collect();
        Ok(Self {
            by_name,
            prune_after,
            text_bytes,
        })
    }
}

struct StampTable {
    stamps: Vec<Stamp>,
    used: Vec<bool>,
}

impl StampTable {
    fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let count = reader.count(1 + ID_BYTES)?;
        let mut stamps: Vec<Stamp> = Vec::with_capacity(count);
        let mut from = span.first;
        for _ in 0..count {
            let stamp = Stamp {
                at: reader.instant(from, span)?,
                id: reader.id()?,
            };
            ascending(stamps.last(), &stamp)?;
            from = stamp.at;
            stamps.push(stamp);
        }
        Ok(Self {
            used: vec![false; stamps.len()],
            stamps,
        })
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<Stamp, StateError> {
        let place = usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX);
        let stamp = self
            .stamps
            .get(place)
            .ok_or_else(|| damaged("no such event"))?;
        self.used[place] = true;
        Ok(*stamp)
    }

    /// A table with a stamp that no point names would be a second encoding of the same attributes.
    fn finish(&self) -> Result<(), StateError> {
        if self.used.iter().all(|used| *used) {
            Ok(())
        } else {
            Err(damaged("an event is listed but wrote nothing"))
        }
    }
}

fn decode_points(
    stamps: &mut StampTable,
    reader: &mut Reader<'_>,
) -> Result<Vec<Point>, StateError> {
    let count = reader.count_from_one(2)?;
    let mut points: Vec<Point> = Vec::with_capacity(count);
    for _ in 0..count {
        let point = Point {
            stamp: stamps.read(reader)?,
            value: decode_value(reader)?,
        };
        ascending(points.last(), &point)?;
        points.push(point);
    }
    Ok(points)
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const LONG: u8 = 3;
const DOUBLE: u8 = 4;
const STRING: u8 = 5;

fn encode_value(value: &AttributeValue, writer: &mut Writer) {
    match value {
        AttributeValue::Null => writer.byte(NULL),
        AttributeValue::Boolean(false) => writer.byte(FALSE),
        AttributeValue::Boolean(true) => writer.byte(TRUE),
        AttributeValue::Long(long) => {
            writer.byte(LONG);
            writer.signed(*long);
        }
        AttributeValue::Double(double) => {
            writer.byte(DOUBLE);
            writer.raw(&double.to_bits().to_le_bytes());
        }
        AttributeValue::String(text) => {
            writer.byte(STRING);
            writer.text(text);
        }
    }
}

fn decode_value(reader: &mut Reader<'_>) -> Result<AttributeValue, StateError> {
    Ok(match reader.byte()? {
        NULL => AttributeValue::Null,
        FALSE => AttributeValue::Boolean(false),
        TRUE => AttributeValue::Boolean(true),
        LONG => AttributeValue::Long(reader.signed()?),
        DOUBLE => {
            let bits = u64::from_le_bytes(reader.array()?);
            let double = Double::new(f64::from_bits(bits))
                .filter(|double| double.to_bits() == bits)
                .ok_or_else(|| damaged("a double is not canonical"))?;
            AttributeValue::Double(double)
        }
        STRING => AttributeValue::String(Arc::from(reader.text()?)),
        _ => return Err(damaged("a value of an unknown kind")),
    })
}
