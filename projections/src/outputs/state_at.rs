//! A customer's state at an instant, with the values that conditions derive from it.

use std::cell::OnceCell;

use jiff::tz::TimeZone;
use tidemark_schemas::Instant;

use super::churn_score::ChurnScore;
use super::standpoint::{Standpoint, standpoint};
use crate::days;
use crate::definitions::TenantDefinitions;
use crate::state::activity::Counter;
use crate::state::orders::Ledger;
use crate::state::{CustomerState, LeafId};

/// A customer's state at an instant, under a tenant's definitions.
///
/// Derived values are computed on first use, at most once.
pub(crate) struct StateAt<'a> {
    state: &'a CustomerState,
    definitions: &'a TenantDefinitions,
    at: Instant,
    today: OnceCell<i32>,
    ledger: OnceCell<Ledger>,
    churn_score: OnceCell<Option<ChurnScore>>,
    stages_by_events: OnceCell<Vec<Standpoint<'a>>>,
}

impl<'a> StateAt<'a> {
    pub(crate) fn new(
        state: &'a CustomerState,
        definitions: &'a TenantDefinitions,
        at: Instant,
    ) -> Self {
        Self {
            state,
            definitions,
            at,
            today: OnceCell::new(),
            ledger: OnceCell::new(),
            churn_score: OnceCell::new(),
            stages_by_events: OnceCell::new(),
        }
    }

    pub(crate) fn state(&self) -> &'a CustomerState {
        self.state
    }

    pub(crate) fn definitions(&self) -> &'a TenantDefinitions {
        self.definitions
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Returns the tenant's zone.
    pub(crate) fn zone(&self) -> &'a TimeZone {
        &self.definitions.rules.zone
    }

    /// Returns the tenant's day.
    pub(crate) fn today(&self) -> i32 {
        *self
            .today
            .get_or_init(|| days::day_of(self.zone(), self.at))
    }

    /// Returns the first of the last days: today and those before it, as many as given.
    pub(crate) fn first_of_last_days(&self, length: i32) -> i32 {
        self.today().saturating_sub(length - 1)
    }

    /// Returns the instant at which a day is no longer one of the last days, as many as given.
    pub(crate) fn end_in_last_days(&self, day: i32, length: i32) -> Option<Instant> {
        self.start_of(day.checked_add(length))
    }

    /// Returns the instant at which a day starts in the tenant's zone.
    pub(crate) fn start_of(&self, day: Option<i32>) -> Option<Instant> {
        days::start_of(self.zone(), day?)
    }

    /// Returns the instant at which the customer, counted from the first purchase, reaches an age in
    /// days.
    pub(crate) fn start_of_age(&self, age: Option<i64>) -> Option<Instant> {
        let first = self.ledger().days.first().map(|day| i64::from(day.day))?;
        self.start_of(i32::try_from(first + age?).ok())
    }

    /// Returns the orders by day.
    pub(crate) fn ledger(&self) -> &Ledger {
        let orders = &self.state.orders;
        if let Some(kept) = orders.kept_ledger(self.definitions.version) {
            debug_assert_eq!(*kept, Ledger::new(orders, self.definitions));
            return kept;
        }
        self.ledger
            .get_or_init(|| Ledger::new(orders, self.definitions))
    }

    /// Returns the churn score; `None` for a customer without purchases.
    pub(crate) fn churn_score(&self) -> Option<&ChurnScore> {
        let score = || {
            if self.state.orders.is_empty() {
                return None;
            }
            let history = self.ledger().purchase_history(self.today())?;
            Some(ChurnScore::new(history, &self.definitions.churn))
        };
        self.churn_score.get_or_init(score).as_ref()
    }

    /// Returns the stages in journeys without conditions, in the order of their names.
    pub(crate) fn stages_by_events(&self) -> &[Standpoint<'a>] {
        self.stages_by_events.get_or_init(|| {
            let journeys = self.definitions.journeys.values();
            let by_events = journeys.filter(|journey| journey.entered_by.is_empty());
            let standpoints = by_events.filter_map(|of| standpoint(self.state, of, &[]));
            standpoints.collect()
        })
    }

    /// Returns the counter of the activities of a name, or of a tracked leaf.
    pub(crate) fn counter(&self, name: &str, tracked: Option<LeafId>) -> Option<&'a Counter> {
        match tracked {
            Some(leaf) => self.state.tracked.get(leaf),
            None => self.state.activity.get(name),
        }
    }
}
