//! Predictions: the models' mathematics, their fits and their training.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "numbers of the tests are small"
)]

#[path = "predictions/any_parameters.rs"]
mod any_parameters;
#[path = "predictions/cdnow.rs"]
mod cdnow;
#[path = "predictions/choices.rs"]
mod choices;
#[path = "predictions/clusters.rs"]
mod clusters;
#[path = "predictions/conversion.rs"]
mod conversion;
#[path = "predictions/discrete_scores.rs"]
mod discrete_scores;
#[path = "predictions/explained.rs"]
mod explained;
#[path = "predictions/fits.rs"]
mod fits;
#[path = "predictions/getting_on.rs"]
mod getting_on;
#[path = "predictions/keeping.rs"]
mod keeping;
#[path = "predictions/leaves.rs"]
mod leaves;
#[path = "predictions/purchases.rs"]
mod purchases;
#[path = "predictions/recovery.rs"]
mod recovery;
#[path = "predictions/renewals.rs"]
mod renewals;
#[path = "predictions/rfm.rs"]
mod rfm;
#[path = "predictions/shop.rs"]
mod shop;
#[path = "predictions/training.rs"]
mod training;
