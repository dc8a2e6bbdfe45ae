//! Settings of the `tenant:` block for reports: commission and attribution.

use super::super::fields::{self, Fields};
use super::super::problems::Problems;
use super::super::quantities;
use super::super::source::AttributionSettings;
use super::super::tree::Node;

/// Days before an order within which touches are credited, unless the block says.
/// The longest window of attribution, in days. Touches are kept for 400 days: the rest is for orders
/// that arrive late.
pub(crate) const MAX_ATTRIBUTION_DAYS: i32 = 90;
const DEFAULT_WINDOW_DAYS: i32 = 30;

/// A validated part of the block.
#[derive(Debug)]
pub(crate) struct Reports {
    /// The commission on net revenue, in millionths.
    pub(crate) commission_millionths: u32,
    pub(crate) commission_text: Option<String>,
    pub(crate) attribution_days: i32,
    pub(crate) attribution_source: Option<AttributionSettings>,
}

/// Reads both keys, whatever is wrong with one.
pub(super) fn reports(fields: &Fields<'_>, problems: &mut Problems) -> Option<Reports> {
    let commission = match fields.get("commission") {
        Some(node) => commission(node, problems).map(|(millionths, text)| (millionths, Some(text))),
        None => Some((0, None)),
    };
    let attribution = match fields.get("attribution") {
        Some(node) => window(node, problems).map(|(days, source)| (days, Some(source))),
        None => Some((DEFAULT_WINDOW_DAYS, None)),
    };
    let ((commission_millionths, commission_text), (attribution_days, attribution_source)) =
        (commission?, attribution?);
    Some(Reports {
        commission_millionths,
        commission_text,
        attribution_days,
        attribution_source,
    })
}

/// `12.5%`: the sign is required, because 0.125 and 12.5 would both look right.
fn commission(node: &Node, problems: &mut Problems) -> Option<(u32, String)> {
    let expected = "a share of the revenue in percent, like 12.5%";
    fields::parsed(node, expected, problems, |text| {
        let number = text.strip_suffix('%').map(str::trim_end);
        number
            .and_then(quantities::percent_millionths)
            .map(|millionths| (millionths, text.to_owned()))
            .ok_or_else(|| {
                format!(
                    "{text:?} is not a commission: expected 0% to 100% with up to four decimals, \
                     like 12.5%"
                )
            })
    })
}

fn window(node: &Node, problems: &mut Problems) -> Option<(i32, AttributionSettings)> {
    let fields = Fields::read(node, "attribution", &["window"], problems)?;
    let Some(node) = fields.get("window") else {
        let window = None;
        return Some((DEFAULT_WINDOW_DAYS, AttributionSettings { window }));
    };
    fields::parsed(node, "a duration in days, like 30d", problems, |text| {
        let days = quantities::days(text)?;
        if !(1..=MAX_ATTRIBUTION_DAYS).contains(&days) {
            return Err(format!(
                "{text:?} is out of range: expected 1d to {MAX_ATTRIBUTION_DAYS}d"
            ));
        }
        let window = Some(text.to_owned());
        Ok((days, AttributionSettings { window }))
    })
}
