//! Numbers read from text, as a mapping says they are written.

use tidemark_schemas::Currency;

use super::mapping::ValueMapping;

/// Spaces that stand for one another between groups of digits.
const SPACES: [char; 5] = [' ', '\u{a0}', '\u{2007}', '\u{2009}', '\u{202f}'];

/// Returns a whole number.
pub(super) fn whole(text: &str, mapping: &ValueMapping) -> Result<i64, String> {
    plain(text, mapping)?
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number"))
}

/// Returns a finite number.
pub(super) fn number(text: &str, mapping: &ValueMapping) -> Result<f64, String> {
    let number: Option<f64> = plain(text, mapping)?.parse().ok();
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("`{text}` is not a number"))
}

/// Returns a decimal in minor units exactly, without floats.
pub(super) fn money(
    text: &str,
    mapping: &ValueMapping,
    currency: Option<&str>,
) -> Result<i64, String> {
    let digits = match (mapping.digits, currency.and_then(Currency::new)) {
        (Some(digits), _) => digits,
        (None, Some(currency)) => currency.minor_digits(),
        (None, None) => {
            return Err("money needs a valid `currency` in the payload, or `digits`".to_owned());
        }
    };
    let not_an_amount = || format!("`{text}` is not an amount");
    let plain = plain(text, mapping)?;
    let (negative, magnitude) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let (units, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(units) || !all_digits(fraction) || (units.is_empty() && fraction.is_empty()) {
        return Err(not_an_amount());
    }
    // Zeros beyond the minor unit are dropped; other digits are refused.
    let significant = fraction.trim_end_matches('0');
    if significant.len() > usize::from(digits) {
        return Err(format!("`{text}` has more than {digits} decimals"));
    }
    let minor = format!(
        "0{units}{significant:0<width$}",
        width = usize::from(digits)
    );
    let minor: i64 = minor
        .parse()
        .map_err(|_| format!("`{text}` is too large"))?;
    Ok(if negative { -minor } else { minor })
}

/// Returns a number in plain notation: sign, digits, a point. Refuses groups of digits that a thousands separator
/// cannot have made: a decimal separator was taken for one then.
fn plain(text: &str, mapping: &ValueMapping) -> Result<String, String> {
    let decimal = mapping.decimal_separator;
    let (units, fraction) = match text.split_once(decimal) {
        Some((units, fraction)) => (units, Some(fraction)),
        None => (text, None),
    };
    let mut plain = match mapping.thousands_separator {
        None => units.to_owned(),
        Some(separator) => {
            ungrouped(units, separator).ok_or_else(|| misgrouped(text, decimal, separator))?
        }
    };
    // What is left of another notation makes this no number, instead of another number.
    if decimal != '.' && text.contains('.') && mapping.thousands_separator != Some('.') {
        return Err(format!(
            "`{text}` has a point, and the decimal separator is `{decimal}`"
        ));
    }
    if let Some(fraction) = fraction {
        if let Some(separator) = mapping.thousands_separator
            && fraction.contains(|letter| is_separator(letter, separator))
        {
            return Err(misgrouped(text, decimal, separator));
        }
        plain.push('.');
        plain.push_str(fraction);
    }
    Ok(plain)
}

/// Returns digits without the separators between their groups; `None` where the groups do not have the sizes that
/// languages use: three digits in the last, two or three in those before, one to three in the first.
fn ungrouped(units: &str, separator: char) -> Option<String> {
    let digits = units.trim_start_matches(['+', '-']);
    let sign = units.strip_suffix(digits)?;
    let groups: Vec<&str> = digits
        .split(|letter| is_separator(letter, separator))
        .collect();
    if let [first, between @ .., last] = groups.as_slice() {
        let is_last = last.len() == 3;
        let are_between = between.iter().all(|group| matches!(group.len(), 2 | 3));
        if !is_last || !are_between || !matches!(first.len(), 1..=3) {
            return None;
        }
    }
    Some(sign.to_owned() + &groups.concat())
}

fn is_separator(letter: char, separator: char) -> bool {
    letter == separator || SPACES.contains(&letter) && SPACES.contains(&separator)
}

fn misgrouped(text: &str, decimal: char, separator: char) -> String {
    format!(
        "`{text}` is not grouped by thousands: the mapping has `{separator}` between groups and `{decimal}` before \
         decimals"
    )
}
