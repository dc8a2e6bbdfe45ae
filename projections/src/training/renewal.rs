//! Training of renewal models: the risk of cancellation, by plan where the data suffice, else for
//! all plans together.
//!
//! A renewal is every month since the day a subscription was first paid for. What happened in a
//! month that is not over is not known yet: it makes no difference to what is fitted.

use std::collections::{BTreeMap, BTreeSet};

use super::churn::{FEWEST_DAYS, HOLDOUT_PART, count, deciles};
use super::{Trainer, TrainingReport};
use crate::days;
use crate::models::{RenewalHoldout, RenewalModel, Renewals, TrainedRenewal, fit_renewals};
use crate::state::CustomerState;

/// The least number of subscriptions for the model of all plans, and for that of a single plan.
const FEWEST_SUBSCRIPTIONS: usize = 100;
/// All that is known of cancelling comes from them.
const FEWEST_CANCELLED: u64 = 20;

/// One subscription that was paid for.
#[derive(Debug)]
pub(super) struct Term {
    plan: String,
    started: i32,
    ended: Option<i32>,
}

impl Term {
    /// Returns the number of renewals due by a day, and the one at which it was cancelled.
    fn by(&self, day: i32) -> (u32, Option<u32>) {
        let due = days::whole_months(self.started, day);
        let ended = self.ended.filter(|ended| *ended <= day);
        let cancelled = ended.map(|ended| days::whole_months(self.started, ended) + 1);
        (due, cancelled.filter(|period| *period <= due))
    }

    /// Whether it was started by a day, and not cancelled at a renewal due by then.
    fn runs(&self, day: i32) -> bool {
        self.started <= day && self.by(day).1.is_none()
    }
}

impl Trainer<'_> {
    pub(super) fn add_subscriptions(&mut self, state: &CustomerState) {
        let zone = &self.definitions.rules.zone;
        for (_, subscription) in state.records().subscriptions.iter() {
            let Some(started) = subscription.started_at() else {
                continue;
            };
            let started = days::day_of(zone, started);
            if started <= self.last_day {
                let ended = subscription.ended_at().map(|at| days::day_of(zone, at));
                self.terms.push(Term {
                    plan: String::from(&*subscription.newest.plan),
                    started,
                    ended,
                });
            }
        }
    }

    pub(super) fn renewal(&self, report: &mut TrainingReport) {
        let Some(first) = self.terms.iter().map(|term| term.started).min() else {
            return; // No subscriptions.
        };
        let span = self.last_day - first;
        if span < FEWEST_DAYS {
            let reason = format!("the subscriptions span {span} days; {FEWEST_DAYS} are needed");
            return report.refuse("renewal", reason);
        }
        let split = self.last_day - span / HOLDOUT_PART;
        let all: Vec<&Term> = self.terms.iter().collect();
        let (whole, before) = match (fitted(&all, self.last_day), fitted(&all, split)) {
            (Ok(whole), Ok(before)) => (whole, before),
            (Err(reason), _) => return report.refuse("renewal", reason),
            (_, Err(reason)) => {
                return report.refuse("renewal", format!("before the holdout, {reason}"));
            }
        };
        let (Some(from), Some(holdout)) = (days::date_of(first), self.holdout_of(before.0, split))
        else {
            return;
        };
        let names: BTreeSet<&str> = all.iter().map(|term| term.plan.as_str()).collect();
        let of_plan = |plan: &str| {
            let terms: Vec<&Term> = self.terms.iter().filter(|term| term.plan == plan).collect();
            let fit = fitted(&terms, self.last_day).ok()?;
            Some((plan.to_owned(), fit.0))
        };
        let model = TrainedRenewal {
            all: whole.0,
            log_likelihood: whole.1,
            plans: names.into_iter().filter_map(of_plan).collect(),
            holdout,
        };
        report.models.renewal = Some(self.trained(from, count(all.len()), model));
    }

    /// Compares predictions with the outcomes of the subscriptions active at the start of the holdout.
    fn holdout_of(&self, model: RenewalModel, split: i32) -> Option<RenewalHoldout> {
        let running = self.terms.iter().filter(|term| term.runs(split));
        let pairs: Vec<(f64, f64)> = running
            .map(|term| {
                let known = days::whole_months(term.started, split);
                let (due, cancelled) = term.by(self.last_day);
                let stays = model.survival(due) / model.survival(known);
                (1.0 - stays, f64::from(u8::from(cancelled.is_some())))
            })
            .collect();
        Some(RenewalHoldout {
            from: days::date_of(split.checked_add(1)?)?,
            subscriptions: count(pairs.len()),
            calibration: deciles(pairs),
        })
    }
}

/// The model of some subscriptions and how likely they are under it, or why there is none.
fn fitted(terms: &[&Term], day: i32) -> Result<(RenewalModel, f64), String> {
    let mut periods: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut subscriptions = 0;
    for term in terms.iter().filter(|term| term.started <= day) {
        subscriptions += 1;
        match term.by(day) {
            (_, Some(period)) => periods.entry(period).or_default().0 += 1,
            (0, None) => {}
            (due, None) => periods.entry(due).or_default().1 += 1,
        }
    }
    if subscriptions < FEWEST_SUBSCRIPTIONS {
        return Err(format!(
            "{subscriptions} subscriptions were paid for; {FEWEST_SUBSCRIPTIONS} are needed"
        ));
    }
    let cancelled: u64 = periods.values().map(|(cancelled, _)| cancelled).sum();
    if cancelled < FEWEST_CANCELLED {
        return Err(format!(
            "{cancelled} were cancelled by a renewal; {FEWEST_CANCELLED} are needed"
        ));
    }
    let seen: Vec<Renewals> = periods
        .into_iter()
        .map(|(period, (cancelled, still_subscribed))| Renewals {
            period,
            cancelled,
            still_subscribed,
        })
        .collect();
    let fit = fit_renewals(&seen).ok_or("the fit found no maximum")?;
    Ok((fit.parameters, fit.log_likelihood))
}
