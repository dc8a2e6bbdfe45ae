//! Rollups: what folding adds to them in any order is what a naive reading of all events adds up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, TenantDefinitions};
use tidemark_projections::models::Attribution;
use tidemark_projections::rollups::{
    Before, CampaignRollup, ConversationRollup, RevenueRollup, Rollup, RollupKind, Rollups,
    redefined,
};
use tidemark_projections::state::conversations::Histogram;
use tidemark_projections::state::{CustomerState, Folded};
use tidemark_schemas::event::Direction;
use tidemark_schemas::{Currency, CustomerEvent, EventId, Instant, Payload};

use crate::support::{DAY, activity, after, event, events, order, paid_touch, refund, rules};

/// The day by the clocks of the tenant's zone.
fn day(at: Instant) -> i32 {
    let date = at.to_jiff().to_zoned(rules().zone).date();
    let hours = date
        .duration_since(jiff::civil::date(1970, 1, 1))
        .as_hours();
    i32::try_from(hours / 24).unwrap()
}

/// The definitions of a tenant in Berlin with the days of [`rules`] and these days of attribution.
fn definitions(window: i32) -> TenantDefinitions {
    let settings = format!("attribution: {{ window: {window}d }}");
    let yaml = format!("tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR, {settings} }}");
    let mut bundle = Bundle::from_files(&[("acme.yaml".to_owned(), yaml)], "a test").unwrap();
    TenantDefinitions::from_source(bundle.tenants.remove(0), 1, Instant::MIN).unwrap()
}

/// Folds in this order, adding up what each event changes; now and then under another window, and
/// at last under that of so many days.
fn fold_rollups(events: &[CustomerEvent], windows: &[i32]) -> (Rollups, Vec<CustomerEvent>) {
    let (mut state, mut sums) = (CustomerState::default(), Rollups::default());
    let all: Vec<TenantDefinitions> = windows.iter().map(|days| definitions(*days)).collect();
    let mut accepted = Vec::new();
    let mut credited = 0;
    for (place, event) in events.iter().enumerate() {
        let definitions = &all[place * all.len() / events.len()];
        let before = Before::fold(event, false, &state, credited, definitions);
        let folded = state.fold(event, &definitions.rules);
        if folded.is_ok() {
            accepted.push(event.clone());
        }
        if folded == Ok(Folded::New) {
            sums.extend(before.folded(&state, &mut credited, definitions));
        }
    }
    sums.extend(redefined(&state, &mut credited, &all[all.len() - 1]));
    (sums, accepted)
}

type Order = (Instant, EventId, i64, Currency);
type Refunds = BTreeMap<EventId, (Instant, i64, Currency)>;

fn naive(events: &[CustomerEvent], window: i32) -> Rollups {
    let mut rollups = Rollups::default();
    revenue(events, &mut rollups);
    let mut seen = BTreeSet::new();
    let mut presences = BTreeSet::new();
    for event in events {
        // A consequential event of the same id is another event.
        let counts = matches!(
            event.payload,
            Payload::MessageExchanged(_)
                | Payload::ConversationClosed(_)
                | Payload::CampaignTouched(_)
        );
        if counts && seen.insert((event.occurred_at, event.event_id)) {
            once(event, &mut rollups);
            if let Payload::CampaignTouched(touch) = &event.payload {
                let line = (Arc::clone(&touch.campaign), Arc::clone(&touch.channel));
                presences.insert((day(event.occurred_at), line));
            }
        }
    }
    credits(events, &presences, window, &mut rollups);
    if let Some(first) = events.iter().map(|event| event.occurred_at).min() {
        rollups.add(Rollup::new(RollupKind::CustomersNew, day(first)), 1);
    }
    rollups
}

/// The rollups of the high-volume events, each counted once.
fn once(event: &CustomerEvent, rollups: &mut Rollups) {
    let on = day(event.occurred_at);
    let nothing: Arc<str> = "".into();
    match &event.payload {
        Payload::MessageExchanged(message) => {
            let agent = message.agent.clone().unwrap_or_default();
            let channel: Arc<str> = message.channel.as_str().into();
            let mut add = |kind, detail: &Arc<str>, by| {
                let kind = RollupKind::Conversation(kind);
                rollups.add(Rollup::new(kind, on).named(&channel).by(&agent, detail), by);
            };
            if message.direction == Direction::Inbound {
                add(ConversationRollup::MessagesIn, &nothing, 1);
            } else {
                add(ConversationRollup::MessagesOut, &nothing, 1);
            }
            if let Some(sentiment) = message.sentiment {
                add(ConversationRollup::MessagesRated, &nothing, 1);
                let thousandths = format!("{:.0}", (sentiment.get() * 1_000.0).round());
                add(
                    ConversationRollup::Sentiment,
                    &nothing,
                    thousandths.parse().unwrap(),
                );
            }
            if let Some(response_ms) = message.response_ms {
                let bucket = Histogram::bucket(response_ms).to_string();
                add(ConversationRollup::Responses, &bucket.into(), 1);
            }
            if let Some(intent) = &message.intent {
                add(ConversationRollup::Intents, intent, 1);
            }
        }
        Payload::ConversationClosed(closed) => {
            let agent = closed.agent.clone().unwrap_or_default();
            let outcome = closed.outcome.as_str().into();
            let kind = RollupKind::Conversation(ConversationRollup::Outcomes);
            rollups.add(Rollup::new(kind, on).by(&agent, &outcome), 1);
        }
        Payload::CampaignTouched(touch) => {
            let of = |kind| {
                let rollup = Rollup::new(RollupKind::Campaign(kind), on);
                rollup.by(&touch.campaign, &touch.channel)
            };
            rollups.add(of(CampaignRollup::Touches), 1);
            if let (Some(minor), Some(currency)) = (touch.cost_minor, touch.currency) {
                rollups.add(
                    of(CampaignRollup::Cost).in_currency(currency),
                    i128::from(minor),
                );
            }
        }
        _ => {}
    }
}

type Presence = (i32, (Arc<str>, Arc<str>));

fn credits(
    events: &[CustomerEvent],
    presences: &BTreeSet<Presence>,
    window: i32,
    rollups: &mut Rollups,
) {
    let (orders, mut refunds) = orders(events);
    for (order_id, (at, _, amount, currency)) in orders {
        let on = day(at);
        let mut value = BTreeMap::from([(currency, i128::from(amount))]);
        for (_, amount, currency) in refunds.remove(&order_id).unwrap_or_default().into_values() {
            *value.entry(currency).or_default() -= i128::from(amount);
        }
        let mut owed: Vec<&Presence> = presences
            .iter()
            .filter(|(touched, _)| (on - window..=on).contains(touched))
            .collect();
        let last = owed.split_off(owed.len().saturating_sub(50));
        for (currency, minor) in value {
            let minor = i64::try_from(minor.clamp(i64::MIN.into(), i64::MAX.into())).unwrap();
            for model in Attribution::ALL {
                let mut sum = 0;
                for ((_, line), credit) in last.iter().zip(model.credit(minor, last.len())) {
                    let rollup =
                        Rollup::new(RollupKind::Campaign(CampaignRollup::Credit(model)), on)
                            .in_currency(currency);
                    rollups.add(rollup.by(&line.0, &line.1), i128::from(credit));
                    sum += i128::from(credit);
                }
                assert!(
                    last.is_empty() || sum == i128::from(minor),
                    "all of it is credited"
                );
            }
        }
    }
}

fn orders(events: &[CustomerEvent]) -> (BTreeMap<Arc<str>, Order>, BTreeMap<Arc<str>, Refunds>) {
    let mut orders: BTreeMap<Arc<str>, Order> = BTreeMap::new();
    let mut refunds: BTreeMap<Arc<str>, Refunds> = BTreeMap::new();
    for event in events {
        let (at, id) = (event.occurred_at, event.event_id);
        if let Payload::OrderPlaced(order) = &event.payload {
            let said = (at, id, order.amount_minor, order.currency);
            let held = orders.entry(Arc::clone(&order.order_id)).or_insert(said);
            *held = said.max(*held);
        }
        if let Payload::OrderRefunded(refund) = &event.payload {
            let said = (at, refund.amount_minor, refund.currency);
            let of = refunds.entry(Arc::clone(&refund.order_id)).or_default();
            let held = of.entry(id).or_insert(said);
            *held = said.max(*held);
        }
    }
    (orders, refunds)
}

fn revenue(events: &[CustomerEvent], rollups: &mut Rollups) {
    let (orders, mut refunds) = orders(events);
    for (order_id, (at, _, amount, currency)) in orders {
        let rollup = |kind| Rollup::new(kind, day(at)).in_currency(currency);
        rollups.add(rollup(RollupKind::Revenue(RevenueRollup::Orders)), 1);
        rollups.add(
            rollup(RollupKind::Revenue(RevenueRollup::Gross)),
            i128::from(amount),
        );
        for (at, amount, currency) in refunds.remove(&order_id).unwrap_or_default().into_values() {
            let rollup = |kind| Rollup::new(kind, day(at)).in_currency(currency);
            rollups.add(rollup(RollupKind::Revenue(RevenueRollup::Refunds)), 1);
            rollups.add(
                rollup(RollupKind::Revenue(RevenueRollup::Refunded)),
                i128::from(amount),
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rollups_are_a_function_of_the_set_of_folded_events(
        (events, shuffled) in events(8, 60)
            .prop_flat_map(|events| {
                let repeated = proptest::sample::subsequence(events.clone(), 0..=events.len());
                (Just(events), repeated)
            })
            .prop_flat_map(|(events, repeated)| {
                let all: Vec<_> = events.iter().chain(&repeated).cloned().collect();
                (Just(events), Just(all).prop_shuffle())
            }),
        windows in proptest::collection::vec(1..40, 1..4),
    ) {
        for order in [events, shuffled] {
            let (found, accepted) = fold_rollups(&order, &windows);
            prop_assert_eq!(found, naive(&accepted, windows[windows.len() - 1]));
        }
    }
}

/// The credits of the last touch, by campaign.
fn last_credits(events: &[CustomerEvent]) -> BTreeMap<String, i128> {
    let rollups = fold_rollups(events, &[30]).0;
    let of_last = rollups.iter().filter(|(rollup, _)| {
        rollup.kind == RollupKind::Campaign(CampaignRollup::Credit(Attribution::Last))
    });
    of_last
        .map(|(rollup, minor)| (rollup.item.to_string(), minor))
        .collect()
}

#[test]
fn credits_settle_before_touches_are_dropped() {
    let touched = event(1, after(0), paid_touch("spring", "email", 5));
    let bought = event(2, after(DAY), order("o-1", 1_000));
    let refunded = event(3, after(2 * DAY), refund("o-1", 400));
    // On the day of the order: whether before it or after is not known for long.
    let touched_again = event(4, after(DAY + DAY / 4), paid_touch("autumn", "email", 5));
    let spring = |minor| BTreeMap::from([("spring".to_owned(), minor)]);
    let [first, second] = [touched.clone(), bought.clone()];
    assert_eq!(
        last_credits(&[second.clone(), first.clone()]),
        spring(1_000)
    );
    let so_far = [first.clone(), second.clone()];
    let and = |more: &[CustomerEvent]| last_credits(&[&so_far[..], more].concat());
    assert_eq!(and(std::slice::from_ref(&refunded)), spring(600));
    let autumn = BTreeMap::from([("autumn".to_owned(), 1_000)]);
    assert_eq!(and(&[touched_again]), autumn);
    // Until 311 days later the refund counts, then no more; what was credited stays for good.
    let later = |days| event(9, after(days * DAY), activity("login"));
    assert_eq!(and(&[later(311), refunded.clone()]), spring(600));
    assert_eq!(and(&[later(313), refunded]), spring(1_000));
    assert_eq!(and(&[later(5_000)]), spring(1_000));
    assert_eq!(last_credits(&[first, later(313), second]), BTreeMap::new());
}
