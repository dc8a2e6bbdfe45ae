//! The report of a training, as text and as JSON.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use crate::models::{Decile, Family, Parameters, TrainedModels};

/// The largest error of all purchases in the holdout, as a share of those expected.
const MOST_OFF: f64 = 0.5;
/// The deviations of chance that a count in the holdout may be off by.
const CHANCE: f64 = 3.0;

/// The trained models, their accuracy, the customers left out, and the models refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingReport {
    /// The tenant.
    pub tenant: String,
    /// The last day taken into account, in the tenant's zone.
    pub as_of: Date,
    /// All of the tenant's.
    pub customers: u64,
    /// The number of customers with purchases.
    pub bought: u64,
    /// The number of those with purchases on more than one day.
    pub bought_again: u64,
    /// The trained models; refused ones are absent, and their predecessors stay in force.
    pub models: TrainedModels,
    /// The churn models compared.
    pub candidates: Vec<CandidateFit>,
    /// The models that were not trained, with reasons.
    pub refused: Vec<Refused>,
    /// Customers left out.
    pub excluded: Vec<Excluded>,
    /// Further remarks.
    pub notes: Vec<String>,
}

/// One family of churn models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateFit {
    /// The candidate.
    pub family: Family,
    /// Fitted to all of the data; the unit of time is the week.
    pub parameters: Parameters,
    /// The log-likelihood of all data.
    pub log_likelihood: f64,
    /// Whether a parameter stands at the edge of what is searched.
    pub at_edge: bool,
    /// The log-likelihood of the holdout, with parameters fitted to the days before.
    pub holdout_log_likelihood: f64,
}

/// A model that was not trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The model.
    pub model: String,
    /// The reason.
    pub reason: String,
}

/// Customers left out of the training data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// The number of customers.
    pub customers: u64,
    /// The model.
    pub from: String,
    /// The reason.
    pub reason: String,
}

/// Returns the expected and the seen number over all tenths.
fn totals(calibration: &[Decile]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "a count of customers")]
    let weighted = |value: fn(&Decile) -> f64| -> f64 {
        calibration
            .iter()
            .map(|tenth| value(tenth) * tenth.customers as f64)
            .sum()
    };
    (
        weighted(|tenth| tenth.expected),
        weighted(|tenth| tenth.seen),
    )
}

impl TrainingReport {
    /// Whether anything was trained.
    pub fn trained_anything(&self) -> bool {
        self.models != TrainedModels::default()
    }

    /// Returns the holdouts that a trained model fails, each with the reason: the model does not describe
    /// what came after the data that it was fitted to.
    pub fn failed_holdouts(&self) -> Vec<String> {
        let mut failed = Vec::new();
        if let Some(churn) = &self.models.churn {
            let relative = churn.model.holdout.error.relative;
            if relative.is_nan() || relative > MOST_OFF {
                failed.push(format!(
                    "churn: purchases in the holdout are off by {:.0} %",
                    relative * 100.0
                ));
            }
        }
        if let Some(renewal) = &self.models.renewal {
            let (expected, seen) = totals(&renewal.model.holdout.calibration);
            let off = (seen - expected).abs();
            let chance = CHANCE * expected.max(1.0).sqrt();
            if off.is_nan() || off > (MOST_OFF * expected).max(chance) {
                failed.push(format!(
                    "renewal: {expected:.0} cancellations were expected in the holdout, {seen:.0} were seen"
                ));
            }
        }
        failed
    }

    pub(super) fn refuse(&mut self, model: &str, reason: String) {
        self.refused.push(Refused {
            model: model.to_owned(),
            reason,
        });
    }

    pub(super) fn exclude(&mut self, customers: u64, from: &str, reason: &str) {
        if customers > 0 {
            self.excluded.push(Excluded {
                customers,
                from: from.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }

    fn write_churn(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for candidate in &self.candidates {
            let Parameters { r, alpha, a, b } = candidate.parameters;
            writeln!(
                f,
                "  {}: r {r:.5}, alpha {alpha:.5}, a {a:.5}, b {b:.5} (weeks); log-likelihood \
                 {:.4}, of the holdout {:.4}",
                candidate.family.name(),
                candidate.log_likelihood,
                candidate.holdout_log_likelihood
            )?;
        }
        let Some(churn) = &self.models.churn else {
            return Ok(());
        };
        let holdout = &churn.model.holdout;
        writeln!(
            f,
            "churn: {} on {} customers, {} to {}",
            churn.name(),
            churn.customers,
            churn.from,
            churn.as_of
        )?;
        writeln!(
            f,
            "  holdout from {}: {} customers, purchases off by {:.1} %",
            holdout.from,
            holdout.customers,
            holdout.error.relative * 100.0
        )?;
        writeln!(f, "  tenth  customers  expected      seen")?;
        for (number, tenth) in (1..).zip(&holdout.calibration) {
            writeln!(
                f,
                "  {number:>5}  {:>9}  {:>8.4}  {:>8.4}",
                tenth.customers, tenth.expected, tenth.seen
            )?;
        }
        Ok(())
    }

    fn write_renewal_and_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(renewal) = &self.models.renewal {
            let of = &renewal.model;
            writeln!(
                f,
                "renewal: alpha {:.4}, beta {:.4} (months) on {} subscriptions; log-likelihood {:.3}; \
                 {} plans with a model of their own",
                of.all.alpha,
                of.all.beta,
                renewal.customers,
                of.log_likelihood,
                of.plans.len()
            )?;
        }
        if let Some(value) = &self.models.value {
            let cuts = &value.model.percentiles_minor;
            let at = |percentile: usize| cuts.get(percentile - 1).copied().unwrap_or(0);
            writeln!(
                f,
                "value: half of the customers have up to {} within a year, the top tenth more than {} minor units",
                at(50),
                at(90)
            )?;
            for of in &value.model.forecast {
                writeln!(
                    f,
                    "  revenue within {:>3} days: {} ({} to {}, nine times in ten)",
                    of.days, of.expected_minor, of.low_minor, of.high_minor
                )?;
            }
        }
        Ok(())
    }

    fn write_others(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(spending) = &self.models.spending {
            let of = &spending.model;
            let (p, q, v) = (of.parameters.p, of.parameters.q, of.parameters.v);
            writeln!(
                f,
                "spending: p {p:.4}, q {q:.4}, v {v:.4} on {} customers; log-likelihood {:.3}, \
                 correlation of number and mean {:.3}",
                spending.customers, of.log_likelihood, of.correlation
            )?;
        }
        if let Some(rfm) = &self.models.rfm {
            let of = &rfm.model;
            writeln!(
                f,
                "rfm: fifths end at {:?} days, {:?} purchase days, {:?} minor units",
                of.recency_days, of.frequency, of.monetary_minor
            )?;
        }
        if let Some(clusters) = &self.models.clusters {
            let of = &clusters.model;
            writeln!(
                f,
                "clusters: {:?} customers; silhouette {:.3}",
                of.sizes, of.silhouette
            )?;
        }
        for (journey, of) in &self.models.conversion {
            writeln!(f, "conversion of {journey}: {} customers", of.customers)?;
        }
        Ok(())
    }
}

impl fmt::Display for TrainingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tenant,
            as_of,
            customers,
            bought,
            bought_again,
            ..
        } = self;
        writeln!(
            f,
            "{tenant}, as of {as_of}: {customers} customers, {bought} bought, {bought_again} of them again"
        )?;
        self.write_churn(f)?;
        self.write_renewal_and_value(f)?;
        self.write_others(f)?;
        for Excluded {
            customers,
            from,
            reason,
        } in &self.excluded
        {
            writeln!(f, "left out of {from}: {customers} ({reason})")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for Refused { model, reason } in &self.refused {
            writeln!(f, "not trained: {model} ({reason})")?;
        }
        Ok(())
    }
}
