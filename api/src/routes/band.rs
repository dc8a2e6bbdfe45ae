//! Churn risk bands, as parameters and columns hold them.

use tidemark_projections::models::Band;

use crate::http::Problem;

/// The bands, from low to high.
pub(super) const BANDS: [Band; 3] = [Band::Low, Band::Medium, Band::High];

/// Parses the parameter `band`.
pub(super) fn parse(text: &str) -> Result<Band, Problem> {
    let band = BANDS.into_iter().find(|band| band.name() == text);
    band.ok_or_else(|| {
        let detail = format!("{text:?} is not a band: expected low, medium or high");
        Problem::unprocessable("band", detail)
    })
}

/// Reads the column `band`.
pub(super) fn from_column(column: i16) -> Result<Band, Problem> {
    let band = BANDS
        .into_iter()
        .find(|band| i16::from(band.code()) == column);
    band.ok_or_else(|| Problem::internal(format!("stored {column} is not a band")))
}
