//! Training of the churn model: both families are fitted to the earlier three quarters of the data and held
//! against the last one; the better one is fitted to all of them.

use super::{CandidateFit, Row, Trainer, TrainingReport};
use crate::days;
use crate::models::{
    ChurnModel, Decile, Family, Fit, ForecastError, Holdout, Parameters, Thresholds, Trained,
    TrainedChurn, double, fit_purchases,
};

/// The least number of customers for a model.
const FEWEST_CUSTOMERS: u64 = 100;
/// The least number of customers with repeat purchases: only they inform the rates.
const FEWEST_REPEATERS: u64 = 30;
/// The least number of days of history: twelve weeks, a quarter of which is the holdout.
pub(super) const FEWEST_DAYS: i32 = 84;
/// The holdout is one part in so many.
pub(super) const HOLDOUT_PART: i32 = 4;
const DECILES: usize = 10;

impl Trainer<'_> {
    pub(super) fn churn(&self, report: &mut TrainingReport) {
        let Some(first) = self.enough(report) else {
            return;
        };
        let split = self.last_day - (self.last_day - first) / HOLDOUT_PART;
        let before: Vec<&Row> = self
            .customers
            .iter()
            .filter(|row| row.history(split).is_some())
            .collect();
        let late = report.bought - count(before.len());
        report.exclude(late, "the holdout", "bought for the first time in it");
        if count(before.len()) < FEWEST_CUSTOMERS {
            let reason = format!(
                "{} customers bought before the holdout; {FEWEST_CUSTOMERS} are needed",
                before.len()
            );
            return report.refuse("churn", reason);
        }
        let Some((holdout, candidate)) = self.better(&before, split, report) else {
            return report.refuse("churn", "no family could be fitted".to_owned());
        };
        report.models.churn = days::date_of(first).map(|from| Trained {
            from,
            as_of: self.as_of,
            customers: report.bought,
            model: TrainedChurn {
                family: candidate.family,
                parameters: candidate.parameters,
                log_likelihood: candidate.log_likelihood,
                holdout,
            },
        });
    }

    /// Fits both families, and gives the one asked for, or else the one that explains the holdout
    /// better.
    fn better(
        &self,
        before: &[&Row],
        split: i32,
        report: &mut TrainingReport,
    ) -> Option<(Holdout, CandidateFit)> {
        let mut held: Vec<(Holdout, CandidateFit)> = Vec::new();
        for family in Family::ALL {
            match self.candidate(family, before, split) {
                Some(found) => held.push(found),
                None => report.refuse(family.name(), "the fit found no maximum".to_owned()),
            }
        }
        let candidates = held.iter().map(|(_, candidate)| candidate.clone());
        report.candidates = candidates.collect();
        let asked = self.definitions.churn_family;
        let chosen = held
            .into_iter()
            .filter(|(_, candidate)| asked.is_none_or(|asked| asked == candidate.family))
            // Of equals the first.
            .reduce(|best, other| {
                if other.0.log_likelihood > best.0.log_likelihood {
                    other
                } else {
                    best
                }
            })?;
        report.notes.push(chosen_because(&chosen.1, asked));
        if chosen.1.at_edge {
            report.notes.push(format!(
                "{}: a parameter stands at the edge of what is searched; the data hardly tell it",
                chosen.1.family.name()
            ));
        }
        Some(chosen)
    }

    /// The first day, where there are enough data.
    fn enough(&self, report: &mut TrainingReport) -> Option<i32> {
        let first = self.first_day();
        let span = first.map_or(0, |first| self.last_day - first);
        let reason = if report.bought < FEWEST_CUSTOMERS {
            format!(
                "{} customers bought; {FEWEST_CUSTOMERS} are needed",
                report.bought
            )
        } else if report.bought_again < FEWEST_REPEATERS {
            let again = report.bought_again;
            format!("{again} customers bought again; {FEWEST_REPEATERS} are needed")
        } else if span < FEWEST_DAYS {
            format!("the purchases span {span} days; {FEWEST_DAYS} are needed")
        } else {
            return first;
        };
        report.refuse("churn", reason);
        None
    }

    /// Fits a family twice: to what was known before the holdout, and to everything.
    fn candidate(
        &self,
        family: Family,
        before: &[&Row],
        split: i32,
    ) -> Option<(Holdout, CandidateFit)> {
        let earlier = fit_purchases(family, before.iter().filter_map(|row| row.history(split)))?;
        let everybody = self.customers.iter();
        let all = fit_purchases(
            family,
            everybody.filter_map(|row| row.history(self.last_day)),
        )?;
        let holdout = self.holdout(family, &earlier, before, split)?;
        let candidate = CandidateFit {
            family,
            parameters: all.parameters,
            log_likelihood: all.log_likelihood,
            at_edge: all.at_edge,
            holdout_log_likelihood: holdout.log_likelihood,
        };
        Some((holdout, candidate))
    }

    fn holdout(
        &self,
        family: Family,
        earlier: &Fit<Parameters>,
        before: &[&Row],
        split: i32,
    ) -> Option<Holdout> {
        let model = ChurnModel {
            parameters: earlier.parameters,
            ..ChurnModel::shipped(family, Thresholds::default())
        };
        let length = u32::try_from(self.last_day - split).ok()?;
        let mut log_likelihood = 0.0;
        let mut pairs: Vec<(f64, f64)> = Vec::with_capacity(before.len());
        for row in before {
            let (then, now) = (row.history(split)?, row.history(self.last_day)?);
            // What came, given what was known: the whole less the part.
            log_likelihood += model.log_likelihood(now) - model.log_likelihood(then);
            let seen = f64::from(now.repeat_days - then.repeat_days);
            pairs.push((model.expected_purchases(then, length), seen));
        }
        let error = ForecastError::from_pairs(&pairs)?;
        Some(Holdout {
            from: days::date_of(split + 1)?,
            customers: count(before.len()),
            log_likelihood,
            calibration: deciles(pairs),
            error,
        })
    }
}

fn chosen_because(candidate: &CandidateFit, asked: Option<Family>) -> String {
    let name = candidate.family.name();
    match asked {
        Some(_) => format!("{name}: the family the tenant's definition names"),
        None => format!("{name}: explains the holdout better"),
    }
}

/// Tenths, by what was expected, as equal as can be.
pub(super) fn deciles(mut pairs: Vec<(f64, f64)>) -> Vec<Decile> {
    pairs.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.total_cmp(&right.1)));
    let bound = |tenth: usize| pairs.len() * tenth / DECILES;
    let tenth = |tenth: usize| {
        let part = &pairs[bound(tenth)..bound(tenth + 1)];
        let size = double(part.len());
        Decile {
            customers: count(part.len()),
            expected: part.iter().map(|(expected, _)| expected).sum::<f64>() / size,
            seen: part.iter().map(|(_, seen)| seen).sum::<f64>() / size,
        }
    };
    (0..DECILES).map(tenth).collect()
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
