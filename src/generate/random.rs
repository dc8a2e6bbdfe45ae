//! Random numbers that are the same on every machine.
//!
//! The generator draws integers. Everything else is computed from them by additions, multiplications,
//! divisions and square roots, which IEEE 754 defines to the last bit, and by the logarithms and powers
//! of `libm`, which are software. So no result depends on the machine's mathematics.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::{Builder, Uuid};

/// The name space of seeds, which are UUIDs of version 5.
const NAMESPACE: Uuid = Uuid::from_u128(0x7469_6465_6d61_726b_2067_656e_6572_6174);

/// A source of random numbers.
#[derive(Debug)]
pub(super) struct Random(StdRng);

impl Random {
    /// Returns the source of one customer, which does not depend on other customers.
    pub(super) fn for_customer(seed: u64, tenant: &str, customer: &str) -> Self {
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

    /// Draws a number from 0 up to but not including 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// Draws true with a probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Draws an integer of a range that includes both ends.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        self.0.random_range(least..=most)
    }

    /// Draws an index of a list with a given length.
    pub(super) fn below(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    /// Draws one of the choices, all with the same probability.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Draws from the exponential distribution.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// Draws from the standard normal distribution (Marsaglia's polar method).
    fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (self.unit() * 2.0 - 1.0, self.unit() * 2.0 - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * libm::log(square) / square).sqrt();
            }
        }
    }

    /// Draws from Gamma(shape, rate), with the mean shape / rate (Marsaglia and Tsang 2000).
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

    /// Draws from Beta(a, b), with the mean a / (a + b).
    pub(super) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (left, right) = (self.gamma(a, 1.0), self.gamma(b, 1.0));
        left / (left + right)
    }

    /// Draws from the log-normal distribution.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normal())
    }

    /// Draws an amount of at least 1 from the log-normal distribution.
    #[expect(clippy::cast_possible_truncation, reason = "far below 2^53")]
    pub(super) fn amount(&mut self, median: f64, sigma: f64) -> i64 {
        (self.log_normal(median, sigma) as i64).max(1)
    }

    /// Draws a unique id.
    pub(super) fn id(&mut self) -> Uuid {
        Builder::from_random_bytes(self.0.random()).into_uuid()
    }
}
