//! Results of subscriptions, tickets, campaigns, offers and consents, compared with a naive
//! evaluation of the sorted list of all events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::state::{CustomerState, Stamp};
use tidemark_schemas::event::SubscriptionStatus::{self, Active, Cancelled, PastDue, Trialing};
use tidemark_schemas::event::{ActionAnswered, ActionOffered, SubscriptionChanged};
use tidemark_schemas::{Currency, CustomerEvent, Instant, Payload};

use crate::support::{
    DAY, after, answer, consent, currency, event, events, fold, offer, paid_touch, rules,
    subscription, ticket, touch,
};

fn stamp(event: &CustomerEvent) -> Stamp {
    Stamp {
        at: event.occurred_at,
        id: event.event_id,
    }
}

/// Events by business key, in order. The same id may have said several things: the greatest of what
/// is compared beside the stamp comes last.
fn by_key<T: Ord>(
    events: &[CustomerEvent],
    read: impl Fn(&Payload) -> Option<(Arc<str>, T)>,
) -> BTreeMap<Arc<str>, BTreeSet<(Stamp, T)>> {
    let mut histories: BTreeMap<Arc<str>, BTreeSet<(Stamp, T)>> = BTreeMap::new();
    for event in events {
        if let Some((key, said)) = read(&event.payload) {
            histories
                .entry(key)
                .or_default()
                .insert((stamp(event), said));
        }
    }
    histories
}

type Said = (SubscriptionStatus, Arc<str>, i64, Currency);

fn of_subscription(payload: &Payload) -> Option<(Arc<str>, Said)> {
    let Payload::SubscriptionChanged(changed) = payload else {
        return None;
    };
    let SubscriptionChanged {
        subscription_id,
        status,
        plan,
        mrr_minor,
        currency,
    } = changed.clone();
    Some((subscription_id, (status, plan, mrr_minor, currency)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn subscriptions_equal_the_whole_history(events in events(8, 80)) {
        let (state, accepted) = fold(&events);
        let histories = by_key(&accepted, of_subscription);
        let subscriptions = &state.records().subscriptions;
        prop_assert_eq!(subscriptions.iter().len(), histories.len());
        for (id, history) in histories {
            let found = subscriptions.get(&id).unwrap();
            let (stamp, (status, plan, mrr_minor, currency)) = history.last().unwrap();
            prop_assert_eq!(
                (found.newest.stamp, found.newest.status, &found.newest.plan),
                (*stamp, *status, plan)
            );
            let newest = &found.newest;
            prop_assert_eq!((newest.mrr_minor, newest.currency), (*mrr_minor, *currency));
            prop_assert_eq!(Some(found.first_at()), history.first().map(|(stamp, _)| stamp.at));
            for status in SubscriptionStatus::ALL {
                let with = || history.iter().filter(|(_, said)| said.0 == *status);
                let at = |(stamp, _): &(Stamp, Said)| stamp.at;
                prop_assert_eq!(found.first_with(*status), with().map(at).min());
                prop_assert_eq!(found.last_with(*status), with().map(at).max());
            }
            let paid = history.iter().find(|(_, said)| ![Trialing, Cancelled].contains(&said.0));
            prop_assert_eq!(found.started_at(), paid.map(|(stamp, _)| stamp.at));
            // Of events of one instant a cancellation counts as the last, whatever their ids.
            let mut in_time: Vec<(Instant, bool)> = history
                .iter()
                .map(|(stamp, said)| (stamp.at, said.0 == Cancelled))
                .collect();
            in_time.sort_unstable();
            let alive = in_time.iter().rposition(|(_, cancelled)| !cancelled);
            let (before, run) = in_time.split_at(alive.map_or(0, |at| at + 1));
            let cancelled_before = before.iter().any(|(_, cancelled)| *cancelled);
            let end = if cancelled_before { run.last() } else { run.first() };
            let ended = end.filter(|_| *status == Cancelled).map(|(at, _)| *at);
            prop_assert_eq!(found.ended_at(), ended);
        }
    }

    #[test]
    fn tickets_and_consents_equal_the_whole_history(events in events(8, 80)) {
        let (state, accepted) = fold(&events);
        let tickets = by_key(&accepted, |payload| match payload {
            Payload::TicketChanged(changed) => {
                let said = (Arc::clone(&changed.status), Arc::clone(&changed.priority));
                Some((Arc::clone(&changed.ticket_id), said))
            }
            _ => None,
        });
        prop_assert_eq!(state.records().tickets.iter().len(), tickets.len());
        for (id, history) in tickets {
            let found = state.records().tickets.get(&id).unwrap();
            let newest = &found.newest;
            let said = (newest.stamp, (Arc::clone(&newest.status), Arc::clone(&newest.priority)));
            prop_assert_eq!(Some(&said), history.last());
            prop_assert_eq!(Some(found.first_at), history.first().map(|(stamp, _)| stamp.at));
        }
        let consents = by_key(&accepted, |payload| match payload {
            Payload::ConsentChanged(changed) => {
                Some((Arc::clone(&changed.purpose), changed.granted))
            }
            _ => None,
        });
        prop_assert_eq!(state.records().consents.iter().len(), consents.len());
        for (purpose, history) in consents {
            let found = state.records().consents.get(&purpose).unwrap();
            prop_assert_eq!(Some(&(found.stamp, found.granted)), history.last());
        }
    }

    #[test]
    fn offers_equal_the_whole_history(events in events(8, 80)) {
        let (state, accepted) = fold(&events);
        let offered = by_key(&accepted, |payload| match payload {
            Payload::ActionOffered(ActionOffered { offer_id, action }) => {
                Some((Arc::clone(offer_id), Arc::clone(action)))
            }
            _ => None,
        });
        let answered = by_key(&accepted, |payload| match payload {
            Payload::ActionAnswered(ActionAnswered { offer_id, accepted }) => {
                Some((Arc::clone(offer_id), *accepted))
            }
            _ => None,
        });
        let found: Vec<_> = state.records().offers.iter().collect();
        prop_assert_eq!(found.len(), offered.len());
        for (offer, (id, history)) in found.into_iter().zip(offered) {
            prop_assert_eq!(offer.offer_id, &id);
            let said = (offer.offered.stamp, Arc::clone(&offer.offered.action));
            prop_assert_eq!(Some(&said), history.last());
            let answer = offer.answer.map(|answer| (answer.stamp, answer.accepted));
            let last = answered.get(&id).and_then(|history| history.last());
            prop_assert_eq!(answer.as_ref(), last);
        }
    }

    /// The events lie within the longest window.
    #[test]
    fn touches_and_costs_equal_the_folded_events(events in events(6, 80)) {
        let (state, accepted) = fold(&events);
        let mut seen = BTreeSet::new();
        let mut count = BTreeMap::<_, u64>::new();
        let mut costs = BTreeMap::<_, BTreeMap<Currency, i64>>::new();
        for event in &accepted {
            let Payload::CampaignTouched(touched) = &event.payload else { continue };
            if !seen.insert(stamp(event)) {
                continue;
            }
            let line = (Arc::clone(&touched.campaign), Arc::clone(&touched.channel));
            *count.entry(line.clone()).or_default() += 1;
            if let (Some(minor @ 1..), Some(currency)) = (touched.cost_minor, touched.currency) {
                let sum = costs.entry(line).or_default().entry(currency).or_default();
                *sum = sum.saturating_add(minor);
            }
        }
        prop_assert_eq!(state.records().campaigns.iter().len(), count.len());
        for (line, touches) in state.records().campaigns.iter() {
            let key = (Arc::clone(&line.campaign), Arc::clone(&line.channel));
            prop_assert_eq!(touches.counter.count, count[&key]);
            let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
            for (_, currency, minor) in touches.costs() {
                let sum = sums.entry(currency).or_default();
                *sum = sum.saturating_add(minor);
            }
            prop_assert_eq!(sums, costs.remove(&key).unwrap_or_default());
        }
    }
}

fn given(events: &[(i64, Payload)]) -> CustomerState {
    let mut state = CustomerState::default();
    for (number, (micros, payload)) in (0..).zip(events) {
        let event = event(number, after(*micros), payload.clone());
        state.fold(&event, &rules()).unwrap();
    }
    state
}

/// The days on which a subscription with these statuses, one a day, starts and ends.
#[track_caller]
fn check_lifetime(statuses: &[SubscriptionStatus], started: Option<i64>, ended: Option<i64>) {
    let history: Vec<_> = (0..)
        .zip(statuses)
        .map(|(day, status)| {
            let said = subscription("s-1", *status, "pro", 900, currency("EUR"));
            (day * DAY, said)
        })
        .collect();
    let state = given(&history);
    let found = state.records().subscriptions.get("s-1").unwrap();
    let at = |day: Option<i64>| day.map(|day| after(day * DAY));
    assert_eq!(
        (found.started_at(), found.ended_at()),
        (at(started), at(ended))
    );
}

#[test]
fn a_subscription_term_runs_from_payment_to_cancellation() {
    check_lifetime(&[Trialing], None, None);
    check_lifetime(&[Trialing, Cancelled], None, Some(1));
    check_lifetime(&[Trialing, Active, Active], Some(1), None);
    check_lifetime(&[PastDue, Active], Some(0), None);
    check_lifetime(&[Active, Cancelled, Cancelled], Some(0), Some(1));
    check_lifetime(&[Active, Cancelled, Active], Some(0), None);
    check_lifetime(&[Active, Cancelled, Active, Cancelled], Some(0), Some(3));
}

#[test]
fn a_cancellation_counts_as_the_last_event_of_its_instant() {
    let said = |status| subscription("s-1", status, "pro", 900, currency("EUR"));
    let state = given(&[
        (0, said(Cancelled)),
        (0, said(Trialing)),
        (DAY, said(Cancelled)),
    ]);
    let found = state.records().subscriptions.get("s-1").unwrap();
    assert_eq!(found.ended_at(), Some(after(0)));
}

#[test]
fn an_answer_before_its_offer_is_kept() {
    let waiting = given(&[(5, answer("x-1", true))]);
    assert_eq!(waiting.records().offers.iter().count(), 0);
    let state = given(&[(5, answer("x-1", true)), (1, offer("x-1", "call"))]);
    let offers: Vec<_> = state.records().offers.iter().collect();
    assert_eq!(offers.len(), 1);
    assert_eq!(&*offers[0].offered.action, "call");
    assert!(offers[0].answer.unwrap().accepted);
}

#[test]
fn touch_costs_are_kept_by_day() {
    let state = given(&[
        (0, paid_touch("spring", "post", 70)),
        (1, paid_touch("spring", "post", 80)),
        (2 * DAY, paid_touch("spring", "post", 5)),
        (2 * DAY, touch("spring")),
    ]);
    let campaigns = &state.records().campaigns;
    let lines: Vec<&str> = campaigns.iter().map(|(line, _)| &*line.channel).collect();
    assert_eq!(lines, ["email", "post"]);
    let (_, post) = campaigns.iter().nth(1).unwrap();
    let costs: Vec<_> = post
        .costs()
        .map(|(day, _, minor)| (day - 20_539, minor))
        .collect();
    assert_eq!(costs, [(0, 150), (2, 5)]);
}

#[test]
fn a_customer_without_records_stores_no_record_bytes() {
    let mut with = CustomerState::default();
    let without = with.memory_bytes();
    assert_eq!(with.records().tickets.iter().len(), 0);
    assert!(with.records.is_none());
    with.fold(&event(1, after(0), ticket("t-1", "open", "high")), &rules())
        .unwrap();
    assert!(with.memory_bytes() > without + size_of::<tidemark_projections::state::Records>());
    assert_eq!(with.encode()[0], 0x85);
    let again = with.fold(&event(1, after(0), ticket("t-1", "open", "high")), &rules());
    assert_eq!(again, Ok(tidemark_projections::state::Folded::Duplicate));
    let consent = event(2, after(0), consent("email", true));
    assert_eq!(
        with.fold(&consent, &rules()),
        Ok(tidemark_projections::state::Folded::New)
    );
}
