//! The `subscription`, `ticket`, `offer` and `consent` leaves: whether they hold, and when time alone
//! may change that.

use tidemark_schemas::Instant;

use super::evaluation::Evaluation;
use crate::definitions::expression::{
    Ago, Bounds, ConsentCondition, OfferAnswer, OfferCondition, Quantity, RecordCondition,
    SubscriptionCondition, TicketCondition,
};

impl Evaluation<'_> {
    pub(crate) fn record(&mut self, condition: &RecordCondition) -> bool {
        match condition {
            RecordCondition::Subscription(condition) => self.subscription(condition),
            RecordCondition::Ticket(condition) => self.ticket(condition),
            RecordCondition::Campaign(condition) => self.campaign(condition),
            RecordCondition::Offer(condition) => self.offer(condition),
            RecordCondition::Consent(condition) => self.consent(condition),
            RecordCondition::Conversation(condition) => self.conversation(condition),
        }
    }

    fn subscription(&mut self, condition: &SubscriptionCondition) -> bool {
        let subscriptions = &self.state.records().subscriptions;
        let mut passing = Passing::at(self.at);
        for (_, subscription) in subscriptions.iter() {
            let newest = &subscription.newest;
            let mrr = self.definitions.convert(newest.mrr_minor, newest.currency);
            if listed(&condition.statuses, &newest.status)
                && listed(&condition.plans, &newest.plan)
                && holds_of(&condition.mrr, mrr)
            {
                let asked = [
                    (condition.started, subscription.started_at()),
                    (condition.changed, Some(newest.stamp.at)),
                ];
                // What cannot be converted is left out of the money.
                passing.add(self.passes(asked), mrr.unwrap_or(0));
            }
        }
        let there_are = subscriptions.iter().len();
        self.decide(passing, |count, total| {
            enough(&condition.quantity, count, there_are)
                && holds_of(&condition.total_mrr, Some(total))
        })
    }

    fn ticket(&mut self, condition: &TicketCondition) -> bool {
        let tickets = &self.state.records().tickets;
        let mut passing = Passing::at(self.at);
        for (_, ticket) in tickets.iter() {
            let newest = &ticket.newest;
            if listed(&condition.statuses, &newest.status)
                && listed(&condition.priorities, &newest.priority)
            {
                let asked = [
                    (condition.opened, Some(ticket.first_at)),
                    (condition.changed, Some(newest.stamp.at)),
                ];
                passing.add(self.passes(asked), 0);
            }
        }
        let there_are = tickets.iter().len();
        self.decide(passing, |count, _| {
            enough(&condition.quantity, count, there_are)
        })
    }

    fn offer(&mut self, condition: &OfferCondition) -> bool {
        let mut there_are = 0;
        let mut passing = Passing::at(self.at);
        for offer in self.state.records().offers.iter() {
            there_are += 1;
            let answer = match offer.answer.map(|answer| answer.accepted) {
                None => OfferAnswer::None,
                Some(true) => OfferAnswer::Accepted,
                Some(false) => OfferAnswer::Declined,
            };
            if listed(&condition.actions, &offer.offered.action)
                && listed(&condition.answers, &answer)
            {
                let answered_at = offer.answer.map(|answer| answer.stamp.at);
                let asked = [
                    (condition.offered, Some(offer.offered.stamp.at)),
                    (condition.answered, answered_at),
                ];
                passing.add(self.passes(asked), 0);
            }
        }
        self.decide(passing, |count, _| {
            enough(&condition.quantity, count, there_are)
        })
    }

    fn consent(&mut self, condition: &ConsentCondition) -> bool {
        let consent = self.state.records().consents.get(&condition.purpose);
        consent.is_some_and(|consent| {
            consent.granted == condition.granted && self.was(condition.changed, consent.stamp.at)
        })
    }

    /// Returns the time in which all ages were as required, if ever; an end that is `None` is open.
    /// Of what never was nothing holds.
    fn passes(
        &self,
        asked: [(Option<Ago>, Option<Instant>); 2],
    ) -> Option<(Option<Instant>, Option<Instant>)> {
        let (mut from, mut until) = (None, None);
        for (ago, then) in asked {
            let Some(ago) = ago else { continue };
            match ago {
                Ago::Within(duration) => {
                    let end = self.within_until(duration, then?);
                    until = until.into_iter().chain(end).min();
                }
                Ago::NotWithin(duration) => {
                    from = from.max(Some(self.within_until(duration, then?)?));
                }
            }
        }
        Some((from, until))
    }

    /// Whether it holds of those that pass now; notes the first instant at which that changes.
    fn decide(&mut self, passing: Passing, holds: impl Fn(u64, i128) -> bool) -> bool {
        let Passing {
            mut count,
            mut total,
            mut steps,
            ..
        } = passing;
        let now = holds(count, total);
        steps.sort_unstable_by_key(|step| step.at);
        let difference = steps
            .chunk_by(|one, other| one.at == other.at)
            .find(|steps| {
                for step in *steps {
                    if step.enters {
                        count += 1;
                        total += step.value;
                    } else {
                        count -= 1;
                        total -= step.value;
                    }
                }
                holds(count, total) != now
            });
        self.may_change_at(difference.map(|steps| steps[0].at));
        now
    }
}

/// Returns number and value of the records that pass all tests at an instant, and their changes in time.
struct Passing {
    at: Instant,
    count: u64,
    total: i128,
    steps: Vec<Step>,
}

/// A record begins to pass, or ends.
struct Step {
    at: Instant,
    enters: bool,
    value: i128,
}

impl Passing {
    fn at(at: Instant) -> Self {
        Self {
            at,
            count: 0,
            total: 0,
            steps: Vec::new(),
        }
    }

    fn add(&mut self, passes: Option<(Option<Instant>, Option<Instant>)>, value: i128) {
        let Some((from, until)) = passes else { return };
        let is_to_come = |instant: &Instant| *instant > self.at;
        let from = from.filter(is_to_come);
        let never = until.is_some_and(|until| until <= from.unwrap_or(self.at));
        if never {
            return;
        }
        if let Some(at) = from {
            self.steps.push(Step {
                at,
                enters: true,
                value,
            });
        } else {
            self.count += 1;
            self.total += value;
        }
        self.steps.extend(until.map(|at| Step {
            at,
            enters: false,
            value,
        }));
    }
}

/// Whether a list names it; an empty one names all.
pub(crate) fn listed<T: PartialEq>(list: &[T], one: &T) -> bool {
    list.is_empty() || list.contains(one)
}

/// Whether bounds hold of an amount; no bound holds of one that is not known.
pub(crate) fn holds_of(bounds: &Bounds<i64>, amount: Option<i128>) -> bool {
    bounds.0.is_empty()
        || amount.is_some_and(|amount| bounds.hold(|bound| amount.cmp(&i128::from(*bound))))
}

fn enough(quantity: &Quantity, count: u64, there_are: usize) -> bool {
    match quantity {
        Quantity::Count(bounds) => holds_of(bounds, Some(i128::from(count))),
        Quantity::All => count > 0 && count == there_are as u64,
    }
}
