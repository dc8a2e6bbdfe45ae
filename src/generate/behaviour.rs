//! The behaviour of a customer of any industry, and the steps that it plans.

use std::fmt;

use tidemark_schemas::Instant;

use super::moves::{Hazard, leave};
use super::visit::Visit;

/// The behaviour of one customer.
pub(super) trait Behaviour: fmt::Debug + Send {
    /// Joins: the first visit.
    fn join(&mut self, visit: &mut Visit<'_>);

    /// Returns the instant of the next planned step; `None` after the last one.
    fn next(&self) -> Option<Instant>;

    /// Takes the next planned step.
    fn act(&mut self, visit: &mut Visit<'_>);

    /// Visits without a planned step.
    fn drop_by(&mut self, visit: &mut Visit<'_>);
}

/// The planned steps of one customer, each with its instant.
#[derive(Debug)]
pub(super) struct Agenda<S>(Vec<(Instant, S)>);

impl<S> Agenda<S> {
    /// Returns an agenda without steps.
    pub(super) const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Adds a step.
    pub(super) fn plan(&mut self, at: Instant, step: S) {
        self.0.push((at, step));
    }

    /// Adds a step after a pause, exponentially distributed with a mean in days.
    pub(super) fn plan_after(&mut self, mean_days: f64, step: S, visit: &mut Visit<'_>) {
        let pause = visit.random.exponential(mean_days);
        self.plan(visit.in_days(pause), step);
    }

    /// Adds several steps, each after its own pause.
    pub(super) fn plan_each<const N: usize>(
        &mut self,
        steps: [(f64, S); N],
        visit: &mut Visit<'_>,
    ) {
        for (mean_days, step) in steps {
            self.plan_after(mean_days, step, visit);
        }
    }

    /// Adds the step that leaves a stage entered at `since`, if the customer ever leaves it.
    pub(super) fn plan_move(
        &mut self,
        hazards: &[Hazard],
        (stage, since): (&str, Instant),
        step: impl FnOnce(&'static str) -> S,
        visit: &mut Visit<'_>,
    ) {
        if let Some((at, next)) = leave(hazards, stage, since, visit.hours_ahead, visit.random) {
            self.plan(at, step(next));
        }
    }

    /// Returns the instant of the next step.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// Removes and returns the next step.
    pub(super) fn take(&mut self) -> Option<S> {
        let steps = self.0.iter().enumerate();
        let (index, _) = steps.min_by_key(|(_, (at, _))| *at)?;
        Some(self.0.swap_remove(index).1)
    }
}
