//! Response times in fixed buckets.

use std::collections::BTreeMap;

use crate::buckets::{LAST_BUCKET, bucket_of, quantile};

/// Counts of milliseconds by bucket. Histograms are added by adding their counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    pub(super) buckets: BTreeMap<u8, u32>,
}

impl Histogram {
    /// Counts one value; negative ones count as zero.
    pub(super) fn record(&mut self, value: i64) {
        self.add_to(Self::bucket(value), 1);
    }

    /// The number of the bucket that a value is counted in; negative ones count as zero.
    pub fn bucket(value: i64) -> u8 {
        bucket_of(value.max(0))
    }

    /// Counts so many more values of a bucket.
    pub fn add_to(&mut self, bucket: u8, values: u32) {
        let held = self.buckets.entry(bucket.min(LAST_BUCKET)).or_default();
        *held = held.saturating_add(values);
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        for (bucket, values) in &other.buckets {
            self.add_to(*bucket, *values);
        }
    }

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.buckets.values().copied().map(u64::from).sum()
    }

    /// The lower bound of the bucket that holds the value of this rank, from 0 to 1: the smallest
    /// value that at least that share of the values does not exceed, to a quarter of itself.
    /// `None` without values.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let buckets = self.buckets.iter();
        quantile(
            buckets.map(|(bucket, values)| (*bucket, u64::from(*values))),
            share,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for value in [1_000, 2, 3, 1, 0] {
            histogram.record(value);
        }
        assert_eq!(histogram.quantile(0.0), Some(0));
        assert_eq!(histogram.quantile(0.5), Some(2));
        assert_eq!(histogram.quantile(0.8), Some(3));
        assert_eq!(
            histogram.quantile(1.0),
            Some(896),
            "896 to 1,023 is one bucket"
        );
    }
}
