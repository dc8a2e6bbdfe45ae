//! How long answers took, in buckets that are the same for everybody and for ever.

use std::collections::BTreeMap;

/// Buckets in each power of two: a bucket is at most a quarter wider than its lower bound.
const PER_OCTAVE: u64 = 4;
/// Values below this have a bucket each.
const LINEAR: u64 = 4;

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

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.values().copied().map(u64::from).sum()
    }

    /// The lower bound of the bucket that holds the value of this rank, from 0 to 1: the smallest
    /// value that at least that share of the values does not exceed, to a quarter of itself.
    /// `None` without values.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "far fewer than 2^53 values, a share of which is not negative"
        )]
        let rank = ((count as f64 * share.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        self.buckets.iter().find_map(|(bucket, values)| {
            seen += u64::from(*values);
            (seen >= rank).then(|| lower_bound(*bucket))
        })
    }
}

/// The last bucket that a value can be in.
pub(super) const LAST_BUCKET: u8 = 247;

fn bucket_of(value: i64) -> u8 {
    let value = value.unsigned_abs();
    if value < LINEAR {
        return value.to_le_bytes()[0];
    }
    // 4 to 7 are buckets 4 to 7, 8 to 15 are 8 to 11, and so on.
    let octave = u64::from(value.ilog2());
    let within = (value >> (octave - 2)) & (PER_OCTAVE - 1);
    let bucket = (octave - 1) * PER_OCTAVE + within;
    u8::try_from(bucket).unwrap_or(LAST_BUCKET)
}

fn lower_bound(bucket: u8) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < LINEAR {
        return bucket;
    }
    let octave = bucket / PER_OCTAVE + 1;
    (PER_OCTAVE + bucket % PER_OCTAVE) << (octave - 2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_join_without_a_gap() {
        let mut values: Vec<u64> = (0..=LAST_BUCKET).map(lower_bound).collect();
        assert_eq!(values[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14]);
        assert!(values.is_sorted());
        values.dedup();
        assert_eq!(values.len(), usize::from(LAST_BUCKET) + 1);
        assert_eq!(bucket_of(i64::MAX), LAST_BUCKET);
    }

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

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value in 0..i64::MAX) {
            let bucket = bucket_of(value);
            prop_assert!(lower_bound(bucket) <= value.unsigned_abs());
            if bucket < LAST_BUCKET {
                prop_assert!(value.unsigned_abs() < lower_bound(bucket + 1));
            }
        }
    }
}
