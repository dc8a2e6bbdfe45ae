//! What a customer of any industry can do.

use std::fmt;

use super::random::Random;
use super::visit::Visit;

/// One customer's life.
pub(super) trait Behaviour: fmt::Debug + Send {
    /// Which CRM speaks of this customer.
    fn source(&self) -> &'static str;

    /// Comes for the first time.
    fn join(&mut self, visit: &mut Visit<'_>);

    /// Comes again.
    fn act(&mut self, visit: &mut Visit<'_>);

    /// Days until it comes again; `None` when it never does.
    fn pause_days(&mut self, random: &mut Random) -> Option<f64>;
}
