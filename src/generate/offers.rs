//! Which offers are made, and who accepts them.

use std::sync::Arc;

use tidemark_schemas::Payload;
use tidemark_schemas::event::{ActionAnswered, ActionOffered};

use super::visit::Visit;

/// Who does not accept says no that often; the others say nothing.
const DECLINES: f64 = 0.6;

/// How one action is answered by the customers of one segment.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) action: &'static str,
    pub(super) segment: &'static str,
    /// How likely it is accepted.
    pub(super) accepts: f64,
}

impl Response {
    pub(super) const fn new(action: &'static str, segment: &'static str, accepts: f64) -> Self {
        Self {
            action,
            segment,
            accepts,
        }
    }
}

/// Makes a customer one of the offers there are for its segment, and lets it answer. Gives the action
/// if it was accepted.
pub(super) fn offer(
    visit: &mut Visit<'_>,
    responses: &[Response],
    segment: &str,
) -> Option<&'static str> {
    let open: Vec<&Response> = responses
        .iter()
        .filter(|response| response.segment == segment)
        .collect();
    let Response {
        action, accepts, ..
    } = visit.random.pick(&open);
    let offer_id = visit.new_id("offer");
    visit.happens(Payload::ActionOffered(ActionOffered {
        action: (*action).into(),
        offer_id: Arc::clone(&offer_id),
    }));
    let accepted = visit.random.chance(*accepts);
    if accepted || visit.random.chance(DECLINES) {
        visit.wait(60, 40_000);
        visit.happens(Payload::ActionAnswered(ActionAnswered {
            offer_id,
            accepted,
        }));
    }
    accepted.then_some(*action)
}
