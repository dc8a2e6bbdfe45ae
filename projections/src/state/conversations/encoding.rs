//! The canonical encoding of [`Conversations`].

use std::collections::BTreeMap;

use tidemark_schemas::event::{Channel, Outcome};

use super::histogram::Histogram;
use super::{Conversations, Line, Tally};
use crate::buckets::LAST_BUCKET;
use crate::state::StateError;
use crate::state::encoding::{Reader, Writer, ascending, damaged};

/// Day, four numbers and three empty lists.
const LEAST_TALLY_BYTES: usize = 8;

impl Conversations {
    pub(in crate::state) fn encode(&self, writer: &mut Writer) {
        writer.count(self.lines.len());
        for (line, days) in &self.lines {
            writer.count(line.agent.as_ref().map_or(0, |_| 1));
            if let Some(agent) = &line.agent {
                writer.text(agent);
            }
            // One more than the place, so that 0 is no channel.
            writer.unsigned(
                line.channel
                    .map_or(0, |channel| place(Channel::ALL, &channel) + 1),
            );
            writer.count(days.len());
            let mut before = 0;
            for (day, tally) in days {
                writer.signed(i64::from(*day) - i64::from(before));
                before = *day;
                tally.encode(writer);
            }
        }
    }

    pub(in crate::state) fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut lines = BTreeMap::new();
        for _ in 0..reader.count(3 + LEAST_TALLY_BYTES)? {
            let agent = match reader.unsigned()? {
                0 => None,
                1 => Some(reader.name()?),
                _ => return Err(damaged("neither an agent nor none")),
            };
            let channel = match reader.unsigned()? {
                0 => None,
                place => Some(at(Channel::ALL, place - 1)?),
            };
            let line = Line { agent, channel };
            ascending(lines.last_key_value().map(|(last, _)| last), &line)?;
            lines.insert(line, decode_days(reader)?);
        }
        Ok(Self { lines })
    }
}

fn decode_days(reader: &mut Reader<'_>) -> Result<BTreeMap<i32, Tally>, StateError> {
    let mut days: BTreeMap<i32, Tally> = BTreeMap::new();
    for _ in 0..reader.count_from_one(LEAST_TALLY_BYTES)? {
        let before = days.last_key_value().map(|(day, _)| *day);
        let day = reader.day(before.unwrap_or(0))?;
        ascending(before.as_ref(), &day)?;
        days.insert(day, Tally::decode(reader)?);
    }
    Ok(days)
}

impl Tally {
    fn encode(&self, writer: &mut Writer) {
        writer.unsigned(u64::from(self.inbound));
        writer.unsigned(u64::from(self.outbound));
        writer.unsigned(u64::from(self.rated));
        writer.signed(self.sentiment_thousandths);
        writer.count(self.response_ms.buckets.len());
        for (bucket, values) in &self.response_ms.buckets {
            writer.byte(*bucket);
            writer.unsigned(u64::from(*values));
        }
        writer.count(self.intents.len());
        for (intent, messages) in &self.intents {
            writer.text(intent);
            writer.unsigned(u64::from(*messages));
        }
        writer.count(self.outcomes.len());
        for (outcome, closed) in &self.outcomes {
            writer.unsigned(place(Outcome::ALL, outcome));
            writer.unsigned(u64::from(*closed));
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let [inbound, outbound, rated] = [number(reader)?, number(reader)?, number(reader)?];
        let sentiment_thousandths = reader.signed()?;
        let buckets = decode_counts(reader, |reader| {
            let bucket = reader.byte()?;
            if bucket > LAST_BUCKET {
                return Err(damaged("a bucket that holds nothing"));
            }
            Ok(bucket)
        })?;
        let intents = decode_counts(reader, Reader::name)?;
        let outcomes = decode_counts(reader, |reader| reader.word(Outcome::ALL))?;
        Ok(Self {
            inbound,
            outbound,
            rated,
            sentiment_thousandths,
            response_ms: Histogram { buckets },
            intents,
            outcomes,
        })
    }
}

fn decode_counts<'a, K: Ord>(
    reader: &mut Reader<'a>,
    key: impl Fn(&mut Reader<'a>) -> Result<K, StateError>,
) -> Result<BTreeMap<K, u32>, StateError> {
    let mut counts = BTreeMap::new();
    for _ in 0..reader.count(2)? {
        let key = key(reader)?;
        ascending(counts.last_key_value().map(|(last, _)| last), &key)?;
        counts.insert(key, number(reader)?);
    }
    Ok(counts)
}

fn number(reader: &mut Reader<'_>) -> Result<u32, StateError> {
    u32::try_from(reader.unsigned()?).map_err(|_| damaged("a count out of range"))
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter()
        .position(|other| other == one)
        .unwrap_or_default() as u64
}

fn at<T: Copy>(all: &[T], place: u64) -> Result<T, StateError> {
    let place = usize::try_from(place).ok();
    place
        .and_then(|place| all.get(place))
        .copied()
        .ok_or_else(|| damaged("a word that does not exist"))
}
