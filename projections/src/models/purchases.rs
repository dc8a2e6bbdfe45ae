//! Expected purchases, and the likelihood of a purchase history, under BG/NBD and
//! MBG/NBD.

use super::special::{inverse_odds, ln_add_exp, ln_gamma, softplus};
use super::{ChurnModel, Family, MAX_AGE, Parameters, PurchaseHistory, weeks};

/// The series is given up after as many terms: where it converges slower, integrating is faster.
const MOST_TERMS: u32 = 1_000;
/// Digits may cancel while this much larger terms are subtracted: the result keeps twelve.
const MOST_CANCELLATION: f64 = 1e3;
/// The distance between two points of the integral.
const STEP: f64 = 1.0 / 32.0;
/// Points on either side of the middle at most; the outermost lie 10^16 widths away.
const MOST_POINTS: u32 = 1_280;
/// The relative size of a term at which the sum ends.
const NEGLIGIBLE: f64 = 1e-22;

impl ChurnModel {
    /// The logarithm of how likely a customer's history is under the model, time in weeks.
    pub fn log_likelihood(&self, history: PurchaseHistory) -> f64 {
        let likelihood = Likelihood::new(self.family, self.parameters, history.repeat_days);
        likelihood.of_times(history)
    }

    /// Purchase days to be expected in the next so many days: not negative and finite, whatever the
    /// history.
    ///
    /// P(alive) · N, with N = E[(1 − (1 + p·t/(α+T))^−(r+x)) / p] over p ~ Beta(a, b+x), b+x+1 under
    /// MBG/NBD. Published as a ₂F₁ with poles and overflows (Fader, Hardie and Lee 2005, equation
    /// 10); here by Euler's transformation of it, which has none, and by the integral where the
    /// series converges too slowly.
    pub fn expected_purchases(&self, history: PurchaseHistory, days: u32) -> f64 {
        let Parameters { r, alpha, a, b } = self.parameters;
        let survived = match self.family {
            Family::MbgNbd => b + 1.0,
            Family::BgNbd => b,
        };
        let repeat = f64::from(history.repeat_days);
        let age = weeks(history.age.clamp(history.last.clamp(0, MAX_AGE), MAX_AGE));
        let ratio = weeks(i64::from(days)) / (alpha + age);
        let alive = purchases_while_alive(a, survived + repeat, r + repeat, ratio);
        self.p_alive(history) * alive
    }
}

/// Terms that depend only on the parameters and the number of repeat purchases: computed once for
/// all customers with the same number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Likelihood {
    /// r + x
    shape: f64,
    alpha: f64,
    constant: f64,
    /// ln(a / (b+x)), with b+x−1 under BG/NBD; `None` where death is impossible.
    ln_death: Option<f64>,
}

impl Likelihood {
    pub(super) fn new(family: Family, parameters: Parameters, repeat_days: u32) -> Self {
        let Parameters { r, alpha, a, b } = parameters;
        let x = f64::from(repeat_days);
        let (survived, ln_death) = match family {
            Family::MbgNbd => (b + x + 1.0, Some(libm::log(a / (b + x)))),
            Family::BgNbd if repeat_days == 0 => (b, None),
            Family::BgNbd => (b + x, Some(libm::log(a / (b + x - 1.0)))),
        };
        let rates = ln_gamma(r + x) - ln_gamma(r) + r * libm::log(alpha);
        let survival = ln_gamma(a + b) + ln_gamma(survived) - ln_gamma(b) - ln_gamma(a + survived);
        Self {
            shape: r + x,
            alpha,
            constant: rates + survival,
            ln_death,
        }
    }

    /// ln of: alive at T, or dead since `t_x`.
    pub(super) fn of_times(&self, history: PurchaseHistory) -> f64 {
        let last = history.last.clamp(0, MAX_AGE);
        let age = weeks(history.age.clamp(last, MAX_AGE));
        let alive = -self.shape * libm::log(self.alpha + age);
        let times = match self.ln_death {
            None => alive,
            Some(ln_death) => {
                let dead = ln_death - self.shape * libm::log(self.alpha + weeks(last));
                ln_add_exp(alive, dead)
            }
        };
        self.constant + times
    }
}

/// N of [`ChurnModel::expected_purchases`]: `ratio` is t/(α+T), `shape` is r+x.
fn purchases_while_alive(a: f64, survived: f64, shape: f64, ratio: f64) -> f64 {
    // The limit without dropout.
    let immortal = shape * ratio;
    let expected =
        series(a, survived, shape, ratio).unwrap_or_else(|| integral(a, survived, shape, ratio));
    expected.clamp(0.0, immortal)
}

/// −c·expm1((a−1)L)/(a−1) − e^((a−1)L)·Σ uₙ with c = a+b+x−1, L = ln(1−z); `None` where it
/// converges too slowly or loses digits.
fn series(a: f64, survived: f64, shape: f64, ratio: f64) -> Option<f64> {
    let c = a + survived - 1.0;
    let upper = c - shape;
    let z = ratio / (1.0 + ratio);
    let ln_rest = -libm::log1p(ratio);
    let pole = a - 1.0;
    let first = if pole == 0.0 {
        ln_rest
    } else {
        libm::expm1(pole * ln_rest) / pole
    };
    let mut term = upper * z;
    let (mut sum, mut magnitude) = (0.0, 0.0);
    let mut converged = false;
    for n in 1..=MOST_TERMS {
        let n = f64::from(n);
        sum += term;
        magnitude += term.abs();
        let growth = (upper + n) * (a + n - 1.0) * z / ((c + n) * (n + 1.0));
        // Later terms shrink by z in the end, whatever the next one does.
        let slowest = growth.abs().max(z);
        converged = slowest < 1.0 && (term * slowest / (1.0 - slowest)).abs() <= magnitude * 1e-17;
        if converged {
            break;
        }
        term *= growth;
    }
    let rest = libm::exp(pole * ln_rest);
    let expected = -c * first - rest * sum;
    let cancelled = (c * first).abs() + rest * magnitude;
    // Written so that NaN fails as well.
    let sound = converged && cancelled <= MOST_CANCELLATION * expected;
    sound.then_some(expected)
}

/// The mean over p ~ Beta(a, survived) of (1 − (1 + p·ratio)^−shape) / p.
///
/// By the trapezoid rule over u, with ln(p/(1−p)) = mode + width·sinh(u): the integrand is smooth
/// and falls off at either end faster than any exponential, so the rule converges as fast, wherever
/// the density has its poles. Nothing is subtracted; what the density integrates to is found on the
/// same points and divided by.
fn integral(a: f64, survived: f64, shape: f64, ratio: f64) -> f64 {
    let mode = libm::log(a / survived);
    let width = (1.0 / a + 1.0 / survived).sqrt().min(1.0);
    let ln_peak = -a * softplus(-mode) - survived * softplus(mode);
    let point = |u: f64| {
        let logit = mode + width * libm::sinh(u);
        let ln_density = -a * softplus(-logit) - survived * softplus(logit);
        let weight = libm::exp(ln_density - ln_peak) * libm::cosh(u);
        let p = inverse_odds(-logit);
        let value = if p < 1e-280 {
            shape * ratio
        } else {
            -libm::expm1(-shape * libm::log1p(p * ratio)) / p
        };
        (weight, weight * value)
    };
    let (mut weights, mut values) = point(0.0);
    for direction in [-STEP, STEP] {
        for step in 1..=MOST_POINTS {
            let (weight, value) = point(direction * f64::from(step));
            weights += weight;
            values += value;
            if weight <= weights * NEGLIGIBLE && value <= values * NEGLIGIBLE {
                break;
            }
        }
    }
    values / weights
}
