//! Recency, frequency and monetary value: the fifths of a tenant's customers.
//!
//! The cut points are trained; a customer's cell then depends on no other customer.

use serde::{Deserialize, Serialize};

use super::MAX_AGE;

/// The three measures that determine the cell of a customer with purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfm {
    /// Days since the last purchase day, in the tenant's zone.
    pub recency_days: i64,
    /// Distinct days with a purchase.
    pub frequency: u32,
    /// All that was bought less refunds, in minor units of the tenant's currency.
    pub monetary_minor: i64,
}

/// A fifth in each dimension, from 1 to 5: 5 is best (bought lately, often, for much).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RfmCell {
    /// The recency score, from 1 to 5 (most recent).
    pub recency: u8,
    /// The frequency score, from 1 to 5 (most frequent).
    pub frequency: u8,
    /// The monetary score, from 1 to 5 (highest spending).
    pub monetary: u8,
}

impl RfmCell {
    /// Returns the name in changes and counters: the three digits, `545`.
    pub fn name(self) -> String {
        let Self {
            recency,
            frequency,
            monetary,
        } = self;
        format!("{recency}{frequency}{monetary}")
    }
}

/// The cut points: for each dimension the greatest values of the first four fifths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfmModel {
    /// The cut points of recency, in days.
    pub recency_days: [i64; 4],
    /// The cut points of frequency, in purchase days.
    pub frequency: [u32; 4],
    /// The cut points of monetary value, in minor units.
    pub monetary_minor: [i64; 4],
}

impl RfmModel {
    /// Computes the cut points of all customers with purchases, in any order; `None` without any.
    pub fn fit(customers: &[Rfm]) -> Option<Self> {
        Some(Self {
            recency_days: cuts(customers.iter().map(|of| of.recency_days))?,
            frequency: cuts(customers.iter().map(|of| of.frequency))?,
            monetary_minor: cuts(customers.iter().map(|of| of.monetary_minor))?,
        })
    }

    /// Returns the cell of a customer. A value equal to a cut is on its lower side.
    pub fn cell(&self, of: Rfm) -> RfmCell {
        RfmCell {
            // The fewer days the better.
            recency: 6 - fifth(&self.recency_days, &of.recency_days),
            frequency: fifth(&self.frequency, &of.frequency),
            monetary: fifth(&self.monetary_minor, &of.monetary_minor),
        }
    }

    /// The recency, in days, at which the cell changes next if nothing is bought.
    pub fn next_recency(&self, recency_days: i64) -> Option<i64> {
        // Cuts ascend, and a cut itself is still on the lower side.
        let cut = self.recency_days.iter().find(|cut| recency_days <= **cut)?;
        cut.checked_add(1)
    }

    /// Whether the cuts are in order, and those of recency are ages of customers.
    pub(super) fn is_sound(&self) -> bool {
        let is_age = |days: &i64| (-MAX_AGE..=MAX_AGE).contains(days);
        self.recency_days.iter().all(is_age)
            && self.recency_days.is_sorted()
            && self.frequency.is_sorted()
            && self.monetary_minor.is_sorted()
    }
}

/// Returns the fifth, from 1 to 5: one more than the number of cuts below.
fn fifth<T: PartialOrd>(cuts: &[T; 4], value: &T) -> u8 {
    1 + cuts.iter().map(|cut| u8::from(cut < value)).sum::<u8>()
}

/// The greatest value of each of the first four fifths, by rank.
fn cuts<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<[T; 4]> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    let cut = |fifth: usize| values.get((values.len() * fifth).div_ceil(5).checked_sub(1)?);
    Some([*cut(1)?, *cut(2)?, *cut(3)?, *cut(4)?])
}
