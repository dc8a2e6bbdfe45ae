//! Durations in fixed logarithmic buckets, so that counts of
//! them can be added and subtracted exactly.
//!
//! Each power of two is cut into four: a bucket is at most a quarter wider than its lower bound.
//! Values below four have a bucket each.

/// Buckets in each power of two.
const PER_OCTAVE: u64 = 4;
/// Values below this have a bucket each.
const LINEAR: u64 = 4;

/// The last bucket that a value can be in.
pub const LAST_BUCKET: u8 = 247;

/// The bucket of a value; negative ones count as zero.
pub fn bucket_of(value: i64) -> u8 {
    let value = value.max(0).unsigned_abs();
    if value < LINEAR {
        return value.to_le_bytes()[0];
    }
    // 4 to 7 are buckets 4 to 7, 8 to 15 are 8 to 11, and so on.
    let octave = u64::from(value.ilog2());
    let within = (value >> (octave - 2)) & (PER_OCTAVE - 1);
    let bucket = (octave - 1) * PER_OCTAVE + within;
    u8::try_from(bucket).unwrap_or(LAST_BUCKET)
}

/// The least value that a bucket holds.
pub fn lower_bound(bucket: u8) -> u64 {
    let bucket = u64::from(bucket.min(LAST_BUCKET));
    if bucket < LINEAR {
        return bucket;
    }
    let octave = bucket / PER_OCTAVE + 1;
    (PER_OCTAVE + bucket % PER_OCTAVE) << (octave - 2)
}

/// The lower bound of the bucket that holds the value of this rank, from 0 to 1: the smallest value
/// that at least that share of the values does not exceed, or up to a quarter less. Takes how many
/// values each bucket holds, in ascending order. `None` without values.
pub fn quantile(buckets: impl Iterator<Item = (u8, u64)> + Clone, share: f64) -> Option<u64> {
    let count: u64 = buckets.clone().map(|(_, values)| values).sum();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "far fewer than 2^53 values, a share of which is not negative"
    )]
    let rank = ((count as f64 * share.clamp(0.0, 1.0)).ceil() as u64).max(1);
    let mut seen = 0;
    let mut buckets = buckets;
    buckets.find_map(|(bucket, values)| {
        seen += values;
        (seen >= rank).then(|| lower_bound(bucket))
    })
}

#[cfg(test)]
mod tests {
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

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value in 0..i64::MAX) {
            let bucket = bucket_of(value);
            prop_assert!(lower_bound(bucket) <= value.unsigned_abs());
            if bucket < LAST_BUCKET {
                prop_assert!(value.unsigned_abs() < lower_bound(bucket + 1));
            }
        }

        /// Checks the accuracy that the API promises for medians and other percentiles.
        #[test]
        fn a_quantile_is_at_most_a_quarter_too_small(
            mut values in prop::collection::vec(0..1_000_000_000_i64, 1..200),
            share in 0.0..=1.0_f64,
        ) {
            let mut counts = [0_u64; LAST_BUCKET as usize + 1];
            for value in &values {
                counts[usize::from(bucket_of(*value))] += 1;
            }
            values.sort_unstable();
            let exact = |value: &&i64| {
                let not_above = values.partition_point(|other| other <= *value);
                #[expect(clippy::cast_precision_loss, reason = "few values")]
                let reached = not_above as f64 >= values.len() as f64 * share;
                reached
            };
            let exact = values.iter().find(exact).copied().unwrap_or(0).unsigned_abs();
            let buckets = (0..=LAST_BUCKET).zip(counts);
            let found = quantile(buckets, share).unwrap_or(u64::MAX);
            prop_assert!(found <= exact && exact <= found + found / 4, "{} for {}", found, exact);
        }
    }
}
