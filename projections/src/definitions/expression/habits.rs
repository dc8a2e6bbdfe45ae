//! Conditions on habits: sequences of activities, activities that recur, and those taken up again.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tidemark_schemas::AttributeValue;
use tidemark_schemas::event::ActivityTracked;

use super::{AttributeCondition, Duration};
use crate::days;
use crate::state::tracked::{Pace, Steps};
use crate::state::{LeafId, LeafRole};

/// A counter kept beside core state, because core state does not hold what it filters by.
#[derive(Debug)]
pub enum TrackedLeaf {
    /// Activities, counted.
    Count(ActivityPattern),
    /// The progress of a customer through a sequence.
    Sequence(SequenceRule),
}

impl TrackedLeaf {
    /// Returns the role of an activity for the leaf, if any.
    pub(crate) fn asks(&self, activity: &ActivityTracked, zone: &TimeZone) -> Option<LeafRole> {
        match self {
            Self::Count(pattern) => pattern.fits(activity, zone).then_some(LeafRole::Count),
            Self::Sequence(rule) => {
                let steps = rule.steps_of(activity, zone);
                (steps.0 != 0).then(|| LeafRole::Steps(steps, rule.pace()))
            }
        }
    }
}

/// A sequence was completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceCondition {
    /// The sequence, a [`SequenceRule`] of [`crate::definitions::TenantDefinitions::tracked`].
    pub tracked: LeafId,
    /// The greatest age; `None`: no bound.
    pub within: Option<Duration>,
}

/// Steps one after the other, each later than the one before.
#[derive(Debug)]
pub struct SequenceRule {
    /// First to last.
    pub steps: Vec<ActivityPattern>,
    /// The bound of the time from the first step to the last; in days it covers whole days, from
    /// the day of the first step.
    pub length: Duration,
}

impl SequenceRule {
    /// Returns the parameters of a customer's progress.
    fn pace(&self) -> Pace {
        Pace {
            steps: self.steps.len(),
            length: self.length,
        }
    }

    /// Returns the steps that an activity takes.
    fn steps_of(&self, activity: &ActivityTracked, zone: &TimeZone) -> Steps {
        let fits =
            |(place, step): (usize, &ActivityPattern)| u8::from(step.fits(activity, zone)) << place;
        Steps(self.steps.iter().enumerate().map(fits).sum())
    }
}

/// The activities of one name with matching properties.
#[derive(Debug)]
pub struct ActivityPattern {
    /// The activity.
    pub name: Arc<str>,
    /// The conditions on properties; none depends on time.
    pub properties: Vec<AttributeCondition>,
}

impl ActivityPattern {
    /// Whether the pattern matches an activity. Tests of a property without a value hold as those of
    /// an attribute without one.
    fn fits(&self, activity: &ActivityTracked, zone: &TimeZone) -> bool {
        let holds = |condition: &AttributeCondition| {
            let value = activity.properties.get(&condition.name);
            let value = value.filter(|value| !matches!(value, AttributeValue::Null));
            condition.tests.iter().all(|test| test.holds(value, zone))
        };
        self.name == activity.name && self.properties.iter().all(holds)
    }
}

/// Something was done in at least so many of the last periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegularlyCondition {
    /// The activity.
    pub name: Arc<str>,
    /// The tracked leaf, as in [`super::EventCondition::tracked`].
    pub tracked: Option<LeafId>,
    /// The length of a period.
    pub period: Period,
    /// The least number of periods with an activity.
    pub at_least: i32,
    /// The number of periods, the current one included.
    pub of: i32,
}

/// A period of the calendar of the tenant's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// A week, which begins on Monday (ISO 8601).
    Week,
    /// A month.
    Month,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Returns the name in definitions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the period that a day lies in.
    pub fn start(self, day: i32) -> i32 {
        self.first_day(self.of_day(day)).unwrap_or(day)
    }

    /// The first day of the period after the one that a day lies in.
    pub fn next(self, day: i32) -> i32 {
        let next = self.of_day(day).checked_add(1);
        let start = next.and_then(|next| self.first_day(next));
        // Beyond the calendar: no period is longer.
        start.unwrap_or(day.saturating_add(31))
    }

    /// Returns the period of a day, counted from that of 1970-01-01.
    pub(crate) fn of_day(self, day: i32) -> i32 {
        match self {
            Self::Day => day,
            // It was a Thursday.
            Self::Week => (day + 3).div_euclid(7),
            Self::Month => days::date_of(day).map_or(i32::MAX, |date| {
                (i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1
            }),
        }
    }

    /// The first day of a period, unless it lies beyond the calendar.
    pub(crate) fn first_day(self, period: i32) -> Option<i32> {
        match self {
            Self::Day => Some(period),
            Self::Week => period.checked_mul(7)?.checked_sub(3),
            Self::Month => {
                let year = i16::try_from(period.div_euclid(12).checked_add(1970)?).ok()?;
                let month = i8::try_from(period.rem_euclid(12) + 1).ok()?;
                jiff::civil::Date::new(year, month, 1)
                    .ok()
                    .map(days::number_of)
            }
        }
    }
}

/// Something was taken up again lately, after it had not been done for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartedCondition {
    /// The activity.
    pub name: Arc<str>,
    /// The tracked leaf, as in [`super::EventCondition::tracked`].
    pub tracked: Option<LeafId>,
    /// So many days, or more, after the day it was done before.
    pub after: i32,
    /// The window in which the day lies: today and the days before it.
    pub within: i32,
}
