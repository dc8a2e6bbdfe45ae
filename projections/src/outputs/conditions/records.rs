//! The leaves of records: `subscription`, `ticket`, `offer` and `consent`.

use tidemark_schemas::Instant;

use super::ages::{age_holds, within_until};
use super::bounds::{amount_holds, is_listed};
use crate::definitions::expression::{
    Ago, ConsentCondition, OfferAnswer, OfferCondition, Quantity, SubscriptionCondition,
    TicketCondition,
};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;

pub(crate) fn subscription_holds(
    condition: &SubscriptionCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let subscriptions = &now.state().records().subscriptions;
    let mut passing = Passing::at(now.at());
    for (_, subscription) in subscriptions.iter() {
        let newest = &subscription.newest;
        let mrr = now.definitions().convert(newest.mrr_minor, newest.currency);
        if is_listed(&condition.statuses, &newest.status)
            && is_listed(&condition.plans, &newest.plan)
            && amount_holds(&condition.mrr, mrr)
        {
            let required = [
                (condition.started, subscription.started_at()),
                (condition.changed, Some(newest.stamp.at)),
            ];
            // What cannot be converted is left out of the money.
            passing.add(passing_time(required, now), mrr.unwrap_or(0));
        }
    }
    let there_are = subscriptions.iter().len();
    passing.decide(next_change, |count, total| {
        enough(&condition.quantity, count, there_are)
            && amount_holds(&condition.total_mrr, Some(total))
    })
}

pub(crate) fn ticket_holds(
    condition: &TicketCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let tickets = &now.state().records().tickets;
    let mut passing = Passing::at(now.at());
    for (_, ticket) in tickets.iter() {
        let newest = &ticket.newest;
        if is_listed(&condition.statuses, &newest.status)
            && is_listed(&condition.priorities, &newest.priority)
        {
            let required = [
                (condition.opened, Some(ticket.first_at)),
                (condition.changed, Some(newest.stamp.at)),
            ];
            passing.add(passing_time(required, now), 0);
        }
    }
    let there_are = tickets.iter().len();
    passing.decide(next_change, |count, _| {
        enough(&condition.quantity, count, there_are)
    })
}

pub(crate) fn offer_holds(
    condition: &OfferCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let mut there_are = 0;
    let mut passing = Passing::at(now.at());
    for offer in now.state().records().offers.iter() {
        there_are += 1;
        let answer = match offer.answer.map(|answer| answer.accepted) {
            None => OfferAnswer::None,
            Some(true) => OfferAnswer::Accepted,
            Some(false) => OfferAnswer::Declined,
        };
        if is_listed(&condition.actions, &offer.offered.action)
            && is_listed(&condition.answers, &answer)
        {
            let answered_at = offer.answer.map(|answer| answer.stamp.at);
            let required = [
                (condition.offered, Some(offer.offered.stamp.at)),
                (condition.answered, answered_at),
            ];
            passing.add(passing_time(required, now), 0);
        }
    }
    passing.decide(next_change, |count, _| {
        enough(&condition.quantity, count, there_are)
    })
}

pub(crate) fn consent_holds(
    condition: &ConsentCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let consent = now.state().records().consents.get(&condition.purpose);
    consent.is_some_and(|consent| {
        consent.granted == condition.granted
            && age_holds(condition.changed, consent.stamp.at, now, next_change)
    })
}

/// Returns the time in which all ages were as required, if ever; an end that is `None` is open.
/// No age holds for an absent instant.
fn passing_time(
    required: [(Option<Ago>, Option<Instant>); 2],
    now: &StateAt<'_>,
) -> Option<(Option<Instant>, Option<Instant>)> {
    let (mut from, mut until) = (None, None);
    for (ago, then) in required {
        let Some(ago) = ago else { continue };
        match ago {
            Ago::Within(duration) => {
                let end = within_until(duration, then?, now);
                until = until.into_iter().chain(end).min();
            }
            Ago::NotWithin(duration) => {
                from = from.max(Some(within_until(duration, then?, now)?));
            }
        }
    }
    Some((from, until))
}

/// The number and value of the records that pass all tests at an instant, and their changes in time.
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

    /// Whether a test of number and value holds now; notes the first instant at which that changes.
    fn decide(self, next_change: &mut NextChange, holds: impl Fn(u64, i128) -> bool) -> bool {
        let Self {
            mut count,
            mut total,
            mut steps,
            ..
        } = self;
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
        next_change.note(difference.map(|steps| steps[0].at));
        now
    }
}

fn enough(quantity: &Quantity, count: u64, there_are: usize) -> bool {
    match quantity {
        Quantity::Count(bounds) => amount_holds(bounds, Some(i128::from(count))),
        Quantity::All => count > 0 && count == there_are as u64,
    }
}
