//! What a customer of any industry can do, and what it is going to do.

use std::fmt;

use tidemark_schemas::Instant;

use super::visit::Visit;

/// One customer's life.
pub(super) trait Behaviour: fmt::Debug + Send {
    /// Which CRM speaks of this customer.
    fn source(&self) -> &'static str;

    /// Comes for the first time.
    fn join(&mut self, visit: &mut Visit<'_>);

    /// When something happens next; `None` when nothing ever does.
    fn next(&self) -> Option<Instant>;

    /// Does what is next.
    fn act(&mut self, visit: &mut Visit<'_>);

    /// Comes by once more, out of turn.
    fn drop_by(&mut self, visit: &mut Visit<'_>);
}

/// What somebody is going to do, and when.
#[derive(Debug)]
pub(super) struct Agenda<D>(Vec<(Instant, D)>);

impl<D> Agenda<D> {
    /// Nothing yet.
    pub(super) const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Adds a deed.
    pub(super) fn plan(&mut self, at: Instant, deed: D) {
        self.0.push((at, deed));
    }

    /// When the next deed is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// Takes the next deed.
    pub(super) fn take(&mut self) -> Option<D> {
        let places = self.0.iter().enumerate();
        let (place, _) = places.min_by_key(|(_, (at, _))| *at)?;
        Some(self.0.swap_remove(place).1)
    }
}
