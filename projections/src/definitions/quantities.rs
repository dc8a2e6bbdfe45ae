//! Durations and amounts of money as definitions write them.

use tidemark_schemas::Currency;

use crate::days::Duration;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
/// A hundred years: what is longer is a mistake.
const MAX_DAYS: i32 = 36_525;
/// Up to this, windows in hours are exact; longer ones are in days.
const MAX_WINDOW_HOURS: i64 = 72;
/// Digits of a rate or an amount on either side of the decimal point.
const MAX_DIGITS: usize = 9;
/// Ten to the [`MAX_DIGITS`]: what rates are scaled by.
const RATE_SCALE_DIGITS: u32 = 9;

/// `45s`, `30m`, `12h`, `90d` or `2w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("{text:?} is not a duration: expected a whole number and s, m, h, d or w, like 90d")
    };
    let (number, exact_micros, days) = match text.char_indices().next_back().ok_or_else(wrong)? {
        (end, 's') => (end, MICROS_PER_SECOND, 0),
        (end, 'm') => (end, 60 * MICROS_PER_SECOND, 0),
        (end, 'h') => (end, MICROS_PER_HOUR, 0),
        (end, 'd') => (end, 0, 1),
        (end, 'w') => (end, 0, 7),
        _ => return Err(wrong()),
    };
    let digits = text
        .get(..number)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let count: i64 = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(wrong)?;
    if count == 0 {
        return Err(format!("{text:?} lasts no time at all"));
    }
    let duration = if days > 0 {
        count
            .checked_mul(days)
            .and_then(|days| i32::try_from(days).ok())
            .filter(|days| *days <= MAX_DAYS)
            .map(Duration::Days)
    } else {
        count
            .checked_mul(exact_micros)
            .filter(|micros| *micros <= i64::from(MAX_DAYS) * 24 * MICROS_PER_HOUR)
            .map(Duration::Exact)
    };
    duration.ok_or_else(|| format!("{text:?} is longer than a hundred years"))
}

/// A duration for a window that ends now: hours up to 72, else days.
pub(crate) fn window(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::Exact(micros) if micros > MAX_WINDOW_HOURS * MICROS_PER_HOUR => {
            let day = 24 * MICROS_PER_HOUR;
            let days = (micros + day - 1) / day;
            Err(format!(
                "{text:?} is longer than {MAX_WINDOW_HOURS}h: write longer windows in days, here \
                 {days}d"
            ))
        }
        window @ (Duration::Exact(_) | Duration::Days(_)) => Ok(window),
    }
}

/// A duration in whole days.
pub(crate) fn days(text: &str) -> Result<i32, String> {
    match duration(text)? {
        Duration::Days(days) => Ok(days),
        Duration::Exact(_) => Err(format!(
            "{text:?} is not in days: expected d or w, like 90d"
        )),
    }
}

/// A tenant's dedup horizon, in microseconds; its days have 24 hours.
pub(crate) fn horizon(text: &str) -> Result<i64, String> {
    let micros = match duration(text)? {
        Duration::Exact(micros) => micros,
        Duration::Days(days) => i64::from(days) * 24 * MICROS_PER_HOUR,
    };
    if (MICROS_PER_SECOND * 60..=400 * 24 * MICROS_PER_HOUR).contains(&micros) {
        Ok(micros)
    } else {
        Err(format!("{text:?} is out of range: expected 1m to 400d"))
    }
}

/// A decimal number, times ten to the `scale`. At most nine digits before the point.
fn scaled_decimal(text: &str, scale: usize) -> Option<i128> {
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    // Zeros at the end say nothing, so that 20.00 is an amount of yen.
    let fraction = fraction.trim_end_matches('0');
    let well_formed = !whole.is_empty()
        && whole.len() <= MAX_DIGITS
        && fraction.len() <= scale
        && all_digits(whole)
        && all_digits(fraction)
        && !digits.ends_with('.');
    if !well_formed {
        return None;
    }
    let magnitude: i128 = format!("{whole}{fraction:0<scale$}").parse().ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// Percent, from 0 to 100, as millionths.
pub(crate) fn percent_millionths(text: &str) -> Option<u32> {
    let millionths = scaled_decimal(text, 4).and_then(|scaled| u32::try_from(scaled).ok());
    millionths.filter(|millionths| *millionths <= 1_000_000)
}

/// A conversion between two currencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Scaled by ten to the ninth; positive.
    scaled: i128,
    /// The divisor of the product of amount and scaled rate.
    divisor: i128,
}

impl Rate {
    /// One unit of `from` is `text` units of `to`.
    pub(crate) fn new(text: &str, from: Currency, to: Currency) -> Result<Self, String> {
        let scaled = scaled_decimal(text, MAX_DIGITS)
            .filter(|scaled| *scaled > 0)
            .ok_or_else(|| {
                format!(
                    "{text:?} is not a rate: expected a decimal number above 0 with up to \
                 {MAX_DIGITS} digits on either side of the point"
                )
            })?;
        // Minor units have 0 to 4 digits, so the exponent lies between 5 and 13.
        let exponent = RATE_SCALE_DIGITS + u32::from(from.minor_digits());
        let exponent = exponent.saturating_sub(u32::from(to.minor_digits()));
        Ok(Self {
            scaled,
            divisor: 10_i128.pow(exponent),
        })
    }

    /// Minor units to minor units, halves rounded away from zero.
    pub fn convert(self, amount_minor: i64) -> i128 {
        // At most 2^63 · 10^18: 128 bits hold 18 times that.
        let product = i128::from(amount_minor) * self.scaled;
        let rounded = (product.abs() + self.divisor / 2) / self.divisor;
        rounded * product.signum()
    }
}

/// An amount in units (not cents) of a currency, as minor units.
pub(crate) fn amount_minor(text: &str, currency: Currency) -> Result<i64, String> {
    let digits = usize::from(currency.minor_digits());
    scaled_decimal(text, digits)
        .and_then(|minor| i64::try_from(minor).ok())
        .ok_or_else(|| {
            format!(
                "{text:?} is not an amount of {currency}: expected a decimal number with up to \
             {MAX_DIGITS} digits before the point and {digits} after it"
            )
        })
}

/// A number from -1 to 1 with three digits after the point, in thousandths.
pub(crate) fn thousandths(text: &str) -> Result<i64, String> {
    scaled_decimal(text, 3)
        .and_then(|scaled| i64::try_from(scaled).ok())
        .filter(|scaled| (-1_000..=1_000).contains(scaled))
        .ok_or_else(|| {
            format!("{text:?} is not a number from -1 to 1 with up to three digits after the point")
        })
}

/// A duration in milliseconds; its days have 24 hours.
pub(crate) fn milliseconds(text: &str) -> Result<i64, String> {
    Ok(match duration(text)? {
        Duration::Exact(micros) => micros / 1_000,
        Duration::Days(days) => i64::from(days) * 24 * MICROS_PER_HOUR / 1_000,
    })
}
