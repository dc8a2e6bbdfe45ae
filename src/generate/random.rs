//! Random numbers that are the same on every machine.
//!
//! The generator's numbers are whole, and everything made of them is additions, multiplications,
//! divisions and square roots, which IEEE 754 defines to the last bit, or a logarithm or a power of
//! `libm`, which is software. So nothing depends on a machine's own mathematics.

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

    /// The standard normal distribution (Marsaglia's polar method).
    fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (self.unit() * 2.0 - 1.0, self.unit() * 2.0 - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * libm::log(square) / square).sqrt();
            }
        }
    }

    /// Gamma(shape, rate), whose mean is shape / rate (Marsaglia and Tsang 2000).
    pub(super) fn gamma(&mut self, shape: f64, rate: f64) -> f64 {
        if shape < 1.0 {
            let part = libm::pow(1.0 - self.unit(), 1.0 / shape);
            return part * self.gamma(shape + 1.0, rate);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            let v = root * root * root;
            let accepted = v > 0.0
                && libm::log(1.0 - self.unit()) < x * x / 2.0 + d * (1.0 - v + libm::log(v));
            if accepted {
                return d * v / rate;
            }
        }
    }

    /// Beta(a, b), whose mean is a / (a + b).
    pub(super) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (left, right) = (self.gamma(a, 1.0), self.gamma(b, 1.0));
        left / (left + right)
    }

    /// Sizes: half are below the median, a few far above it.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normal())
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
