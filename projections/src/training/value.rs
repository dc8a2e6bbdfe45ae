//! Training value: what customers are expected to spend, by the models just trained.

use super::{Row, Trainer, TrainingReport};
use crate::days;
use crate::models::{
    ChurnModel, FORECAST_DAYS, ForecastSum, PERCENTILE_DAYS, RevenueForecast, ValueModel,
    discounted_value,
};
use crate::outputs::{DISCOUNT, mean_purchase_by};

impl Trainer<'_> {
    pub(super) fn value(&self, report: &mut TrainingReport) {
        let Some(churn) = report.models.churn.as_ref() else {
            return report.refuse("value", "churn was not trained".to_owned());
        };
        let newest = report.models.spending.as_ref();
        let Some(spending) = newest.or(self.definitions.models.spending.as_ref()) else {
            return report.refuse("value", "spending was not trained".to_owned());
        };
        let (parameters, spent_until) = (spending.model.parameters, spending.as_of);
        let error = churn.model.holdout.error;
        let model = ChurnModel::trained(churn, self.definitions.churn.thresholds);
        let mut sums = FORECAST_DAYS.map(|days| (days, ForecastSum::default()));
        let value_of = |row: &Row| {
            let history = row.history(self.last_day)?;
            let mean = mean_purchase_by(parameters, &row.ledger, self.definitions);
            for (days, sum) in &mut sums {
                sum.add(model.expected_purchases(history, *days), mean, error);
            }
            let value = discounted_value(&model, history, mean, PERCENTILE_DAYS, DISCOUNT);
            Some(whole(value))
        };
        let cuts = ValueModel::cuts(self.customers.iter().filter_map(value_of).collect());
        let first = self.first_day().and_then(days::date_of);
        report.models.value = first.zip(cuts).map(|(from, percentiles_minor)| {
            let value = ValueModel {
                scores: format!("{} gamma_gamma/trained-{spent_until}", model.name),
                percentiles_minor,
                forecast: sums
                    .map(|(days, sum)| {
                        let forecast = sum.forecast(error);
                        RevenueForecast {
                            days,
                            expected_minor: whole(forecast.expected),
                            low_minor: whole(forecast.low),
                            high_minor: whole(forecast.high),
                        }
                    })
                    .into(),
            };
            self.trained(from, report.bought, value)
        });
    }
}

/// Rounds to whole minor units.
fn whole(minor: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "casts from floats saturate"
    )]
    let whole = minor.round() as i64;
    whole
}
