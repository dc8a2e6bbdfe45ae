//! The canonical binary form: equal values, equal bytes, and exactly one encoding of each value.
//!
//! Integers are LEB128 varints (signed ones zigzag first), texts and lists carry their length in
//! front. The [`Reader`] trusts nothing: it refuses overlong varints, bytes left over and counts
//! that the rest of the input could not hold, so that damaged input costs neither a panic nor a
//! large allocation.

use std::sync::Arc;

use tidemark_schemas::names::name;
use tidemark_schemas::{Currency, EventId, Instant};
use uuid::Uuid;

use crate::state::{Stamp, StateError};

/// The length of an [`EventId`].
pub(crate) const ID_BYTES: usize = 16;

/// The first and last instant among a customer's events: every other instant of the state lies
/// between them and is written as its distance from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: Instant,
    pub(crate) last: Instant,
}

/// Appends values to bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.unsigned(count as u64);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.raw(text.as_bytes());
    }

    pub(crate) fn id(&mut self, id: EventId) {
        self.raw(id.0.as_bytes());
    }

    pub(crate) fn currency(&mut self, currency: Currency) {
        self.raw(currency.code().as_bytes());
    }

    /// An event, its instant as the distance from an earlier one.
    pub(crate) fn stamp(&mut self, from: Instant, stamp: Stamp) {
        self.distance(from, stamp.at);
        self.id(stamp.id);
    }

    /// The distance of a later instant from an earlier one.
    pub(crate) fn distance(&mut self, from: Instant, to: Instant) {
        self.unsigned(to.micros().abs_diff(from.micros()));
    }
}

/// Takes values off the front of bytes.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

pub(crate) fn damaged(what: &str) -> StateError {
    StateError(what.to_owned())
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), StateError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(damaged("bytes are left over"))
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, StateError> {
        let (&first, rest) = self
            .rest
            .split_first()
            .ok_or_else(|| damaged("ends too early"))?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| damaged("ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, StateError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if byte == 0 && shift > 0 {
                return Err(damaged("a number is longer than it needs to be"));
            }
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged("a number does not fit 64 bits"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, StateError> {
        let zigzag = self.unsigned()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// Reads the number of values that follow, each of at least `least_bytes` bytes.
    pub(crate) fn count(&mut self, least_bytes: usize) -> Result<usize, StateError> {
        usize::try_from(self.unsigned()?)
            .ok()
            .filter(|count| {
                count
                    .checked_mul(least_bytes)
                    .is_some_and(|needed| needed <= self.rest.len())
            })
            .ok_or_else(|| damaged("a count is larger than what follows"))
    }

    /// Reads as [`Self::count`] does, for a list that is omitted if empty.
    pub(crate) fn count_from_one(&mut self, least_bytes: usize) -> Result<usize, StateError> {
        match self.count(least_bytes)? {
            0 => Err(damaged("an empty list is written out")),
            count => Ok(count),
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, StateError> {
        let length = self.count(1)?;
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| damaged("ends too early"))?;
        self.rest = rest;
        std::str::from_utf8(taken).map_err(|_| damaged("a text is not UTF-8"))
    }

    /// A text that other customers have, too.
    pub(crate) fn name(&mut self) -> Result<Arc<str>, StateError> {
        self.text().map(name)
    }

    pub(crate) fn id(&mut self) -> Result<EventId, StateError> {
        // Whatever its version, 16 bytes are an id.
        Ok(EventId(Uuid::from_bytes(self.array::<ID_BYTES>()?)))
    }

    /// The instant at the written distance from `from`, not after the end of the span.
    pub(crate) fn instant(&mut self, from: Instant, span: Span) -> Result<Instant, StateError> {
        i64::try_from(self.unsigned()?)
            .ok()
            .and_then(|distance| from.micros().checked_add(distance))
            .and_then(Instant::from_micros)
            .filter(|instant| *instant <= span.last)
            .ok_or_else(|| damaged("an instant lies after the newest event"))
    }

    /// An event; see [`Self::instant`].
    pub(crate) fn stamp(&mut self, from: Instant, span: Span) -> Result<Stamp, StateError> {
        Ok(Stamp {
            at: self.instant(from, span)?,
            id: self.id()?,
        })
    }

    /// A day, written as its distance from another one.
    pub(crate) fn day(&mut self, from: i32) -> Result<i32, StateError> {
        let day = self.signed()?.checked_add(i64::from(from));
        let day = day.and_then(|day| i32::try_from(day).ok());
        day.ok_or_else(|| damaged("a day out of range"))
    }

    pub(crate) fn currency(&mut self) -> Result<Currency, StateError> {
        let code = self.array::<3>()?;
        let code = std::str::from_utf8(&code).ok();
        code.and_then(Currency::new)
            .ok_or_else(|| damaged("an unknown currency"))
    }

    /// One of a closed set of words, written as its place.
    pub(crate) fn word<T: Copy>(&mut self, all: &[T]) -> Result<T, StateError> {
        let place = usize::try_from(self.unsigned()?).ok();
        let word = place.and_then(|place| all.get(place));
        word.copied()
            .ok_or_else(|| damaged("a word that does not exist"))
    }
}

/// Refuses a list that is not in strictly ascending order.
pub(crate) fn ascending<T: PartialOrd>(before: Option<&T>, next: &T) -> Result<(), StateError> {
    if before.is_none_or(|before| before < next) {
        Ok(())
    } else {
        Err(damaged("a list is out of order"))
    }
}
