//! The expected value of a purchase, and the rate at which later ones are discounted.

use super::state_at::StateAt;
use crate::definitions::TenantDefinitions;
use crate::models::{SpendingModel, discounted_value, double};
use crate::state::orders::Ledger;

/// The discount rate of a year: ten percent.
pub(crate) const DISCOUNT: f64 = 0.1;

/// Returns the expected value of a purchase day, in minor units; `None` until spending is trained.
pub(crate) fn mean_purchase_minor(ledger: &Ledger, definitions: &TenantDefinitions) -> Option<f64> {
    let trained = definitions.models.spending.as_ref()?;
    Some(mean_purchase_by(
        trained.model.parameters,
        ledger,
        definitions,
    ))
}

/// Returns [`mean_purchase_minor`] by a model that need not be in force.
pub(crate) fn mean_purchase_by(
    spending: SpendingModel,
    ledger: &Ledger,
    definitions: &TenantDefinitions,
) -> f64 {
    let unit = double(10_i64.pow(u32::from(definitions.currency.minor_digits())));
    let (count, sum) = ledger.repeat_spending();
    let own = double(sum) / unit / double(count.max(1));
    spending.expected_mean(double(count), own) * unit
}

/// Returns the expected number of days with a purchase within so many days, and their discounted
/// value, which is `None` until spending is trained; `None` for a customer without purchases.
pub(crate) fn expected_value(days: u32, now: &StateAt<'_>) -> Option<(f64, Option<f64>)> {
    let history = now.churn_score()?.history;
    let churn = &now.definitions().churn;
    let mean = mean_purchase_minor(now.ledger(), now.definitions());
    let value = mean.map(|mean| discounted_value(churn, history, mean, days, DISCOUNT));
    Some((churn.expected_purchases(history, days), value))
}
