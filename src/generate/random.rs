//! Random numbers that are the same on every machine.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::{Builder, Uuid};

/// Seeds are UUIDs of version 5 in this name space.
const NAMESPACE: Uuid = Uuid::from_u128(0x7469_6465_6d61_726b_2067_656e_6572_6174);

/// One source of random numbers.
#[derive(Debug)]
pub(super) struct Random(StdRng);

impl Random {
    /// The numbers of one customer, whoever else there is.
    pub(super) fn of(seed: u64, tenant: &str, customer: &str) -> Self {
        let half = |which: u8| {
            let name = format!("{seed}/{tenant}/{customer}/{which}");
            Uuid::new_v5(&NAMESPACE, name.as_bytes()).into_bytes()
        };
        let mut bytes = [0; 32];
        let (front, back) = bytes.split_at_mut(16);
        front.copy_from_slice(&half(0));
        back.copy_from_slice(&half(1));
        Self(StdRng::from_seed(bytes))
    }

    /// From 0 up to but not including 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// True that often.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Both ends included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        self.0.random_range(least..=most)
    }

    /// An index of a list that long.
    pub(super) fn below(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    /// One of them, each as often as the others.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Waiting times between things that happen by chance.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// Sizes: half are below the median, a few far above it.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        // The sum of twelve is near enough to a normal distribution, and exact everywhere.
        let normal: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        median * libm::exp(sigma * normal)
    }

    /// An amount in minor units, never nothing.
    #[expect(clippy::cast_possible_truncation, reason = "far below 2^53")]
    pub(super) fn amount(&mut self, median_minor: f64, sigma: f64) -> i64 {
        (self.log_normal(median_minor, sigma) as i64).max(1)
    }

    /// An id nobody else has.
    pub(super) fn id(&mut self) -> Uuid {
        Builder::from_random_bytes(self.0.random()).into_uuid()
    }
}
