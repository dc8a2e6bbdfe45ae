//! Training: fits the models of `tidemark train` to the customers of one tenant.
//!
//! The same states give the same models to the last bit, in whatever order they are added: rows are
//! put in the order of the customers' ids before anything is summed.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tidemark_schemas::{CustomerId, Instant};

use crate::days;
use crate::definitions::{Journey, TenantDefinitions};
use crate::models::{PurchaseHistory, Stay, TrainedModels};
use crate::state::CustomerState;
use crate::state::journeys::StageEntry;
use crate::state::orders::Ledger;

mod churn;
mod renewal;
mod report;
mod steps;
mod value;

pub use report::{CandidateFit, Excluded, Refused, TrainingReport};

/// Collects what models are trained on.
#[derive(Debug)]
pub struct Trainer<'d> {
    definitions: &'d TenantDefinitions,
    as_of: Date,
    /// The number of `as_of`.
    last_day: i32,
    /// The end of the day `as_of`.
    end: Option<Instant>,
    customers: Vec<Row>,
    stays: BTreeMap<String, Stays>,
    terms: Vec<renewal::Term>,
    seen: u64,
}

/// The observations of one journey.
#[derive(Debug, Default)]
struct Stays {
    all: Vec<Stay>,
    first: Option<Instant>,
}

/// A customer with purchases.
#[derive(Debug)]
struct Row {
    id: String,
    ledger: Ledger,
}

impl Row {
    /// Returns the history up to the end of a day; `None` before the first purchase.
    fn history(&self, today: i32) -> Option<PurchaseHistory> {
        let days = &self.ledger.days;
        let known = days.partition_point(|of| of.day <= today);
        let (first, last) = (days.first()?.day, days.get(known.checked_sub(1)?)?.day);
        Some(PurchaseHistory {
            repeat_days: u32::try_from(known - 1).unwrap_or(u32::MAX),
            last: i64::from(last) - i64::from(first),
            age: i64::from(today) - i64::from(first),
        })
    }

    fn bought_again(&self) -> bool {
        self.ledger.days.len() > 1
    }
}

impl<'d> Trainer<'d> {
    /// Returns training data as of the end of a day in the tenant's zone.
    pub fn new(definitions: &'d TenantDefinitions, as_of: Date) -> Self {
        let last_day = days::number_of(as_of);
        let end = last_day
            .checked_add(1)
            .and_then(|day| days::start_of(&definitions.rules.zone, day));
        Self {
            definitions,
            as_of,
            last_day,
            end,
            customers: Vec::new(),
            stays: BTreeMap::new(),
            terms: Vec::new(),
            seen: 0,
        }
    }

    /// Adds a customer. What happened after the day asked for is left out.
    pub fn add(&mut self, id: &CustomerId, state: &CustomerState) {
        self.seen += 1;
        let mut ledger = Ledger::new(&state.orders, self.definitions);
        ledger.days.retain(|of| of.day <= self.last_day);
        if !ledger.days.is_empty() {
            let id = id.as_str().to_owned();
            self.customers.push(Row { id, ledger });
        }
        self.add_subscriptions(state);
        for journey in self.definitions.journeys.values() {
            let entries = state.journeys.entries(&journey.name);
            if !entries.is_empty() {
                let seen = self.stays.entry(String::from(&*journey.name)).or_default();
                seen.add(journey, entries, &self.definitions.rules.zone, self.end);
            }
        }
    }

    /// Trains what there are enough data for.
    pub fn train(mut self) -> TrainingReport {
        self.customers
            .sort_unstable_by(|left, right| left.id.cmp(&right.id));
        for stays in self.stays.values_mut() {
            stays
                .all
                .sort_unstable_by_key(|stay| (stay.stage, stay.days, stay.to));
        }
        let mut report = TrainingReport {
            tenant: self.definitions.id.to_string(),
            as_of: self.as_of,
            customers: self.seen,
            bought: u64::try_from(self.customers.len()).unwrap_or(u64::MAX),
            bought_again: self.repeaters(),
            models: TrainedModels::default(),
            candidates: Vec::new(),
            refused: Vec::new(),
            excluded: Vec::new(),
            notes: Vec::new(),
        };
        let never = self.seen - report.bought;
        report.exclude(never, "churn, spending, rfm and clusters", "never bought");
        self.churn(&mut report);
        self.spending(&mut report);
        self.value(&mut report);
        self.renewal(&mut report);
        self.rfm_and_clusters(&mut report);
        self.conversion(&mut report);
        report
    }

    fn repeaters(&self) -> u64 {
        let repeaters = self.customers.iter().filter(|row| row.bought_again());
        u64::try_from(repeaters.count()).unwrap_or(u64::MAX)
    }

    /// The first day with a purchase.
    fn first_day(&self) -> Option<i32> {
        let firsts = self
            .customers
            .iter()
            .filter_map(|row| row.ledger.days.first());
        firsts.map(|of| of.day).min()
    }
}

impl Stays {
    /// Adds the stays of one customer in the journey's stages, as far as `end`. Entering the same
    /// stage again is no move; stages the journey does not list are as if they had not been entered.
    fn add(
        &mut self,
        journey: &Journey,
        entries: &[StageEntry],
        zone: &TimeZone,
        end: Option<Instant>,
    ) {
        let mut current: Option<(usize, Instant)> = None;
        for entry in entries
            .iter()
            .filter(|entry| end.is_none_or(|end| entry.stamp.at < end))
        {
            let Some(stage) = journey.position(&entry.stage) else {
                continue;
            };
            let at = entry.stamp.at;
            match current {
                Some((same, _)) if same == stage => continue,
                Some((before, since)) => self.all.push(Stay {
                    stage: before,
                    days: days::whole_days(zone, since, at),
                    to: Some(stage),
                }),
                None => self.first = Some(self.first.map_or(at, |first| first.min(at))),
            }
            current = Some((stage, at));
        }
        if let Some(((stage, since), end)) = current.zip(end) {
            self.all.push(Stay {
                stage,
                // The day that ends then is not over before.
                days: days::whole_days(zone, since, end.plus_micros(-1)),
                to: None,
            });
        }
    }
}
