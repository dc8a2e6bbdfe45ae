//! The partitioners of Kafka's clients, and the partition that each assigns to a key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A partitioner of a topic, as its clients name it.
///
/// It is part of the topic's configuration: a customer with records in two partitions would have
/// two owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioner {
    /// Java clients' default for keyed records; librdkafka's `murmur2_random`.
    #[default]
    Murmur2,
    /// librdkafka's default, `consistent_random`.
    Crc32,
    /// librdkafka's `fnv1a_random` (Sarama's default).
    Fnv1a,
}

/// A name that no partitioner has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown partitioner {0:?}: it is one of murmur2, crc32, fnv1a")]
pub struct UnknownPartitioner(pub String);

impl Partitioner {
    /// Every partitioner, the default first.
    pub const ALL: &[Self] = &[Self::Murmur2, Self::Crc32, Self::Fnv1a];

    /// The name in configurations and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2",
            Self::Crc32 => "crc32",
            Self::Fnv1a => "fnv1a",
        }
    }

    /// The value of librdkafka's `partitioner` property that places keyed records so.
    pub const fn librdkafka_name(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2_random",
            Self::Crc32 => "consistent_random",
            Self::Fnv1a => "fnv1a_random",
        }
    }

    /// The home of a key among that many partitions; 0 when there are none.
    pub fn partition(self, key: &[u8], partitions: i32) -> i32 {
        let hash = match self {
            // Java drops the sign bit, so that the remainder is never negative.
            Self::Murmur2 => murmur2(key) & 0x7fff_ffff,
            Self::Crc32 => crc32fast::hash(key),
            // Sarama takes the absolute value instead, and librdkafka follows it.
            Self::Fnv1a => fnv1a(key).cast_signed().unsigned_abs(),
        };
        let Ok(partitions @ 1..) = u32::try_from(partitions) else {
            return 0;
        };
        (hash % partitions).cast_signed()
    }
}

impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Partitioner {
    type Err = UnknownPartitioner;

    fn from_str(text: &str) -> Result<Self, UnknownPartitioner> {
        let known = Self::ALL
            .iter()
            .find(|partitioner| partitioner.as_str() == text);
        known
            .copied()
            .ok_or_else(|| UnknownPartitioner(text.to_owned()))
    }
}

/// Austin Appleby's `MurmurHash2` with Kafka's seed.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    // Kafka's keys are far below 4 GiB; the hash is defined on the length's low 32 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the hash is defined so")]
    let mut hash = SEED ^ key.len() as u32;
    let (words, tail) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (position, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * position);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// FNV-1a with 32 bits.
fn fnv1a(key: &[u8]) -> u32 {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    key.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    //! Vectors are librdkafka's own (`rdmurmur2.c`, `rdfnv1a.c`, `tests/0048-partitioner.c`),
    //! which were taken from the Java client and from Sarama.

    use super::*;

    const KEYS: [&[u8]; 11] = [
        b"kafka",
        b"giberish123456789",
        b"1234",
        b"234",
        b"34",
        b"4",
        b"PreAmbleWillBeRemoved,ThePrePartThatIs",
        b"reAmbleWillBeRemoved,ThePrePartThatIs",
        b"eAmbleWillBeRemoved,ThePrePartThatIs",
        b"AmbleWillBeRemoved,ThePrePartThatIs",
        b"",
    ];

    #[test]
    fn murmur2_equals_the_java_client() {
        let expected = [
            0xd067_cf64_u32,
            0x8f55_2b0c,
            0x9fc9_7b14,
            0xe7c0_09ca,
            0x8739_30da,
            0x5a4b_5ca1,
            0x7842_4f1c,
            0x4a62_b377,
            0xe0e4_e09e,
            0x62b8_b43f,
            0x106e_08d9,
        ];
        assert_eq!(KEYS.map(murmur2), expected);
    }

    #[test]
    fn fnv1a_equals_sarama() {
        let expected = [
            0x0d33_c4e1_u32,
            0x77a5_8295,
            0x023b_dd03,
            0x2dea_3cd2,
            0x740f_a83e,
            0x310c_a263,
            0x65cb_d69c,
            0x6e49_c79a,
            0x69ee_d356,
            0x6abc_c023,
            0x7ee3_623b,
        ];
        assert_eq!(
            KEYS.map(|key| fnv1a(key).cast_signed().unsigned_abs()),
            expected
        );
    }

    #[test]
    fn partitions_of_keys_equal_librdkafka() {
        const PARTITIONS: i32 = 17;
        #[track_caller]
        fn check(partitioner: Partitioner, key: &str, hash: u32) {
            let expected = i32::try_from(hash % 17).unwrap_or_default();
            assert_eq!(
                partitioner.partition(key.as_bytes(), PARTITIONS),
                expected,
                "{key}"
            );
        }
        const LONG: &str = "this is another string with more length to it perhaps";
        check(Partitioner::Crc32, "23456", 0xb1b4_51d7);
        check(Partitioner::Crc32, LONG, 0xb015_0df7);
        check(Partitioner::Crc32, "hejsan", 0xd077_037e);
        check(Partitioner::Murmur2, "23456", 0x058d_780f);
        check(Partitioner::Murmur2, LONG, 0x4f77_03da);
        check(Partitioner::Murmur2, "hejsan", 0x5ec1_9395);
        check(Partitioner::Fnv1a, "23456", 0x27e6_f469);
        check(Partitioner::Fnv1a, LONG, 0x155e_3e5f);
        check(Partitioner::Fnv1a, "hejsan", 0x17b1_e27a);
    }

    #[test]
    fn every_key_has_a_partition_of_the_topic() {
        for partitioner in Partitioner::ALL {
            for partitions in [-1, 0, 1, 2, 3, 12, i32::MAX] {
                for key in KEYS {
                    let partition = partitioner.partition(key, partitions);
                    assert!((0..partitions.max(1)).contains(&partition));
                }
            }
        }
    }

    #[test]
    fn partitioner_names_parse() {
        for partitioner in Partitioner::ALL {
            assert_eq!(partitioner.to_string().parse(), Ok(*partitioner));
        }
        let error = "random".parse::<Partitioner>();
        assert_eq!(error, Err(UnknownPartitioner("random".to_owned())));
    }
}
