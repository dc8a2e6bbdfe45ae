//! Offers and their answers.

use std::sync::Arc;

use tidemark_schemas::Payload;
use tidemark_schemas::event::{ActionAnswered, ActionOffered};

use super::visit::Visit;

/// The probability that an offer that is not accepted is declined; else it stays unanswered.
const DECLINES: f64 = 0.6;

/// The answers of one segment's customers to one action.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) action: &'static str,
    pub(super) segment: &'static str,
    /// The probability that the offer is accepted.
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

/// Publishes one of the offers for a customer's segment, and the customer's answer, if any.
pub(super) fn offer(visit: &mut Visit<'_>, responses: &[Response], segment: &str) {
    let open: Vec<&Response> = responses
        .iter()
        .filter(|response| response.segment == segment)
        .collect();
    let Response {
        action, accepts, ..
    } = visit.random.pick(&open);
    let offer_id = visit.new_id("offer");
    visit.publish(Payload::ActionOffered(ActionOffered {
        action: (*action).into(),
        offer_id: Arc::clone(&offer_id),
    }));
    let accepted = visit.random.chance(*accepts);
    if accepted || visit.random.chance(DECLINES) {
        visit.wait(60, 40_000);
        visit.publish(Payload::ActionAnswered(ActionAnswered {
            offer_id,
            accepted,
        }));
    }
}
