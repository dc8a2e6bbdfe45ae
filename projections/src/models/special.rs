//! Functions of mathematics that the models share, with the same bits on every machine.

/// Shapes, scales and rates of every model lie in here: fits search less far, and with them no formula
/// overflows, whatever the customer.
const PARAMETERS: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// Returns whether a number can be the shape, scale or rate of a model.
pub(super) fn is_parameter(value: f64) -> bool {
    PARAMETERS.contains(&value)
}

/// ln Γ(x) of a positive number.
pub(super) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ln B(a, b) of positive numbers.
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln(e^a + e^b) without overflow.
pub(super) fn ln_add_exp(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    large + libm::log1p(libm::exp(small - large))
}

/// 1 / (1 + e^z), without overflow on either side.
pub(super) fn inverse_odds(z: f64) -> f64 {
    if z > 0.0 {
        let inverse = libm::exp(-z);
        inverse / (1.0 + inverse)
    } else {
        1.0 / (1.0 + libm::exp(z))
    }
}

/// ln(1 + e^z) without overflow.
pub(super) fn softplus(z: f64) -> f64 {
    if z > 0.0 {
        z + libm::log1p(libm::exp(-z))
    } else {
        libm::log1p(libm::exp(z))
    }
}

/// A count as a double.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of customers, days and cents lose nothing that a model could see"
)]
pub(crate) fn double(count: impl TryInto<i64>) -> f64 {
    count.try_into().unwrap_or(i64::MAX) as f64
}
