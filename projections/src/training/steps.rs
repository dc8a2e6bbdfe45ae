//! Training spending, RFM, clusters and conversion.

use super::{Trainer, TrainingReport};
use crate::days;
use crate::models::{
    ClusterModel, ConversionModel, Rfm, RfmModel, Trained, TrainedSpending, double, fit_spending,
};

const FEWEST_SPENDERS: usize = 30;
/// A customer for each fifth of each fifth.
const FEWEST_FOR_FIFTHS: usize = 25;
const FEWEST_FOR_CLUSTERS: usize = 50;
const FEWEST_MOVES: usize = 30;
/// A model of more stages would not leave room for other definitions in a record.
const MOST_STAGES: usize = 20;
/// The correlation beyond which the value of frequent customers is doubtful.
const NOTABLE_CORRELATION: f64 = 0.3;

impl Trainer<'_> {
    pub(super) fn spending(&self, report: &mut TrainingReport) {
        let unit = double(self.minor_units());
        let repeat = self.customers.iter().filter(|row| row.bought_again());
        let all: Vec<(f64, f64)> = repeat
            .map(|row| row.ledger.repeat_spending())
            .map(|(count, sum)| (double(count), double(sum) / unit / double(count.max(1))))
            .collect();
        let seen: Vec<(f64, f64)> = all
            .iter()
            .copied()
            .filter(|(x, m)| *x > 0.0 && *m > 0.0)
            .collect();
        let zero = all.len() - seen.len();
        let reason = "bought again for nothing, or in a currency without a rate";
        report.exclude(u64::try_from(zero).unwrap_or(u64::MAX), "spending", reason);
        if seen.len() < FEWEST_SPENDERS {
            let reason = format!(
                "{} customers paid for repeat purchases; {FEWEST_SPENDERS} are needed",
                seen.len()
            );
            return report.refuse("spending", reason);
        }
        let (Some(fit), Some(from)) = (
            fit_spending(&seen),
            self.first_day().and_then(days::date_of),
        ) else {
            return report.refuse("spending", "the fit found no maximum".to_owned());
        };
        if fit.at_edge {
            let note = "spending: a parameter stands at the edge of what is searched; the data hardly tell it";
            report.notes.push(note.to_owned());
        }
        let correlation = correlation(&seen);
        if correlation.abs() > NOTABLE_CORRELATION {
            report.notes.push(format!(
                "spending: how often and for how much customers buy correlate by {correlation:.2}, \
                 which the model takes to be none"
            ));
        }
        report.models.spending = Some(Trained {
            from,
            as_of: self.as_of,
            customers: u64::try_from(seen.len()).unwrap_or(u64::MAX),
            model: TrainedSpending {
                parameters: fit.parameters,
                log_likelihood: fit.log_likelihood,
                correlation,
            },
        });
    }

    pub(super) fn rfm_and_clusters(&self, report: &mut TrainingReport) {
        let customers: Vec<(String, Rfm)> = self
            .customers
            .iter()
            .filter_map(|row| Some((row.id.clone(), row.ledger.rfm(self.last_day)?)))
            .collect();
        let too_few = |needed: usize| {
            (customers.len() < needed)
                .then(|| format!("{} customers bought; {needed} are needed", customers.len()))
        };
        let from = self
            .first_day()
            .and_then(days::date_of)
            .unwrap_or(self.as_of);
        if let Some(reason) = too_few(FEWEST_FOR_FIFTHS) {
            report.refuse("rfm", reason);
        } else {
            let values: Vec<Rfm> = customers.iter().map(|(_, rfm)| *rfm).collect();
            report.models.rfm =
                RfmModel::fit(&values).map(|model| self.trained(from, report.bought, model));
        }
        if let Some(reason) = too_few(FEWEST_FOR_CLUSTERS) {
            report.refuse("clusters", reason);
        } else if let Some(model) = ClusterModel::fit(&customers, self.minor_units()) {
            report.models.clusters = Some(self.trained(from, report.bought, model));
        } else {
            report.refuse("clusters", "the customers are all alike".to_owned());
        }
    }

    pub(super) fn conversion(&self, report: &mut TrainingReport) {
        for (name, journey) in &self.definitions.journeys {
            let seen = self.stays.get(&**name);
            let stays = seen.map_or(&[][..], |seen| seen.all.as_slice());
            let moves = stays.iter().filter(|stay| stay.to.is_some()).count();
            let what = format!("conversion of {name}");
            if !journey.entered_by.is_empty() {
                let reason = "stages of it are entered by conditions; it learns from events alone";
                report.refuse(&what, reason.to_owned());
            } else if moves < FEWEST_MOVES {
                let reason = format!("{moves} moves between stages; {FEWEST_MOVES} are needed");
                report.refuse(&what, reason);
            } else if journey.stages.len() > MOST_STAGES {
                let stages = journey.stages.len();
                report.refuse(
                    &what,
                    format!("{stages} stages are more than {MOST_STAGES}"),
                );
            } else {
                let stages = journey.stages.iter().map(|stage| String::from(&**stage));
                let model = ConversionModel::fit(stages.collect(), stays);
                // One stay of each customer has no end.
                let customers = u64::try_from(stays.len() - moves).unwrap_or(u64::MAX);
                let zone = &self.definitions.rules.zone;
                let first = seen.and_then(|seen| seen.first);
                let first = first.and_then(|at| days::date_of(days::day_of(zone, at)));
                let from = first.unwrap_or(self.as_of);
                let trained = self.trained(from, customers, model);
                report
                    .models
                    .conversion
                    .insert(String::from(&**name), trained);
            }
        }
    }

    pub(super) fn trained<M>(
        &self,
        from: jiff::civil::Date,
        customers: u64,
        model: M,
    ) -> Trained<M> {
        Trained {
            from,
            as_of: self.as_of,
            customers,
            model,
        }
    }

    /// Returns the number of minor units of a unit of the tenant's currency.
    fn minor_units(&self) -> i64 {
        10_i64.pow(u32::from(self.definitions.currency.minor_digits()))
    }
}

/// Pearson's; 0 where one of the two is always the same.
fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let size = double(pairs.len());
    let mean_of = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / size;
    let (left, right) = (mean_of(|pair| pair.0), mean_of(|pair| pair.1));
    let (mut both, mut lefts, mut rights) = (0.0, 0.0, 0.0);
    for pair in pairs {
        let (x, y) = (pair.0 - left, pair.1 - right);
        both += x * y;
        lefts += x * x;
        rights += y * y;
    }
    let scale = (lefts * rights).sqrt();
    if scale > 0.0 { both / scale } else { 0.0 }
}
