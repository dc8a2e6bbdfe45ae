//! Instants, in microseconds, as events carry them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z: the resolution of `occurred_at`.
///
/// Serialised as RFC 3339 in formats that people read, as the number in binary ones. The type has no way to read the wall clock, on purpose: folds never do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// 9999-12-30T22:00:00Z: the last instant that every time zone can show.
    pub const MAX: Self = Self(253_402_207_200_000_000);
    /// -009999-01-02T01:59:59Z rounded up to a second: the first such instant.
    pub const MIN: Self = Self(-377_705_023_201_000_000);

    /// Returns the instant of these microseconds since the epoch, if every time zone can show it.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if Self::MIN.0 <= micros && micros <= Self::MAX.0 {
            Some(Self(micros))
        } else {
            None
        }
    }

    /// Returns the instant of these milliseconds since the epoch (Kafka's resolution), clamped.
    pub fn from_millis_clamped(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000)).clamp(Self::MIN, Self::MAX)
    }

    /// Returns the microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns this instant plus that many microseconds, clamped to [`Self::MIN`] and [`Self::MAX`].
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros)).clamp(Self::MIN, Self::MAX)
    }

    /// Returns the same instant as a jiff timestamp.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }

    /// Returns the instant of a jiff timestamp, truncated to microseconds and clamped.
    pub fn from_jiff(timestamp: jiff::Timestamp) -> Self {
        Self(timestamp.as_microsecond()).clamp(Self::MIN, Self::MAX)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

impl std::str::FromStr for Instant {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(Self::from_jiff)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        let micros = i64::deserialize(deserializer)?;
        Self::from_micros(micros)
            .ok_or_else(|| D::Error::custom(format!("{micros} µs is not an instant")))
    }
}
