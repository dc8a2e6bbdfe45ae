//! Rollups in a naive form: sums over all events that were folded.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::Definitions;
use tidemark_projections::evaluated::{Delta, EvaluatedState};
use tidemark_projections::rollups::{
    CampaignRollup, ConversationRollup, RevenueRollup, RollupKind, Rollups,
};
use tidemark_projections::state::conversations::Histogram;
use tidemark_projections::state::{CustomerState, Folded};
use tidemark_schemas::event::Direction;
use tidemark_schemas::{Currency, CustomerEvent, CustomerKey, EventId, Instant, Payload, TenantId};

/// Tenant, kind, subject, day, item, detail, currency and partition of a rollup.
pub(crate) type Place = (String, String, String, i32, String, String, String, i32);
/// Sums by rollup, none of them zero.
pub(crate) type Sums = BTreeMap<Place, i128>;

/// The prefixes of the kinds that follow from events alone.
pub(crate) const EVENT_KINDS: [&str; 5] = [
    "customer.",
    "revenue.",
    "conversation.",
    "campaign.",
    "journey.",
];

type Order = (Instant, EventId, i64, Currency);
type Refunds = BTreeMap<EventId, (Instant, i64, Currency)>;

/// The events that count, by customer.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    firsts: BTreeMap<CustomerKey, Instant>,
    orders: BTreeMap<(CustomerKey, Arc<str>), Order>,
    refunds: BTreeMap<(CustomerKey, Arc<str>), Refunds>,
    /// Events that count each time they occur.
    once: Vec<CustomerEvent>,
    /// The credits of campaigns as the fold computed them; laws of their own hold them.
    credits: Sums,
}

impl Naive {
    /// Adds an event that was folded.
    pub(crate) fn note(&mut self, event: &CustomerEvent, folded: Folded) {
        if folded == Folded::Duplicate {
            return;
        }
        let (key, at, id) = (event.key(), event.occurred_at, event.event_id);
        let first = self.firsts.entry(key.clone()).or_insert(at);
        *first = at.min(*first);
        if matches!(
            event.payload,
            Payload::MessageExchanged(_)
                | Payload::ConversationClosed(_)
                | Payload::CampaignTouched(_)
        ) {
            self.once.push(event.clone());
        }
        if let Payload::OrderPlaced(order) = &event.payload {
            let said = (at, id, order.amount_minor, order.currency);
            let of = (key.clone(), Arc::clone(&order.order_id));
            let held = self.orders.entry(of).or_insert(said);
            *held = said.max(*held);
        }
        if let Payload::OrderRefunded(refund) = &event.payload {
            let said = (at, refund.amount_minor, refund.currency);
            let of = (key, Arc::clone(&refund.order_id));
            let refunds = self.refunds.entry(of).or_default();
            let held = refunds.entry(id).or_insert(said);
            *held = said.max(*held);
        }
    }

    /// Adds the credits that the fold of an event changed.
    pub(crate) fn note_credits(&mut self, tenant: &TenantId, partition: i32, changed: &Rollups) {
        for (rollup, by) in changed.iter() {
            if matches!(rollup.kind, RollupKind::Campaign(CampaignRollup::Credit(_))) {
                let [subject, item, detail] =
                    [&rollup.subject, &rollup.item, &rollup.detail].map(|of| String::from(&**of));
                let code = rollup.currency.map(|of| of.code().to_owned());
                let (tenant, kind) = (tenant.to_string(), rollup.kind.name().to_owned());
                let code = code.unwrap_or_default();
                let place = (
                    tenant, kind, subject, rollup.day, item, detail, code, partition,
                );
                *self.credits.entry(place).or_default() += by;
            }
        }
    }

    /// Returns the sum of each rollup.
    pub(crate) fn sums(
        &self,
        definitions: &Definitions,
        home: impl Fn(&CustomerKey) -> i32,
    ) -> Sums {
        let mut sums = self.credits.clone();
        let mut add =
            |key: &CustomerKey, at, (kind, [subject, item, detail]): Kind<'_>, money: Money| {
                let code = money.1.map_or_else(String::new, |of| of.code().to_owned());
                let on = day(definitions, &key.tenant, at);
                let [tenant, kind] = [key.tenant.as_str(), kind.name()].map(str::to_owned);
                let [subject, item, detail] = [subject, item, detail].map(str::to_owned);
                let place = (tenant, kind, subject, on, item, detail, code, home(key));
                *sums.entry(place).or_default() += i128::from(money.0);
            };
        for (key, first) in &self.firsts {
            add(key, *first, (RollupKind::CustomersNew, [""; 3]), (1, None));
        }
        for (of, (at, _, amount, currency)) in &self.orders {
            let currency = Some(*currency);
            add(
                &of.0,
                *at,
                (RollupKind::Revenue(RevenueRollup::Orders), [""; 3]),
                (1, currency),
            );
            add(
                &of.0,
                *at,
                (RollupKind::Revenue(RevenueRollup::Gross), [""; 3]),
                (*amount, currency),
            );
            for (at, amount, currency) in
                self.refunds.get(of).into_iter().flat_map(BTreeMap::values)
            {
                let currency = Some(*currency);
                add(
                    &of.0,
                    *at,
                    (RollupKind::Revenue(RevenueRollup::Refunds), [""; 3]),
                    (1, currency),
                );
                add(
                    &of.0,
                    *at,
                    (RollupKind::Revenue(RevenueRollup::Refunded), [""; 3]),
                    (*amount, currency),
                );
            }
        }
        for event in &self.once {
            let (key, at) = (event.key(), event.occurred_at);
            entries(event, |kind, money| add(&key, at, kind, money));
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }
}

/// A kind with its subject, item and detail.
type Kind<'a> = (RollupKind, [&'a str; 3]);
/// An amount with its currency, or a count without one.
type Money = (i64, Option<Currency>);

/// Calls `add` for every rollup that an event counts in.
fn entries(event: &CustomerEvent, mut add: impl FnMut(Kind<'_>, Money)) {
    match &event.payload {
        Payload::MessageExchanged(message) => {
            let agent = message.agent.as_deref().unwrap_or("");
            let took = message.response_ms.map(Histogram::bucket);
            let bucket = took.map_or_else(String::new, |bucket| bucket.to_string());
            let of = |three| [message.channel.as_str(), agent, three];
            let mut add = |kind, dimensions, money| {
                add((RollupKind::Conversation(kind), dimensions), money);
            };
            let direction = match message.direction {
                Direction::Inbound => ConversationRollup::MessagesIn,
                Direction::Outbound => ConversationRollup::MessagesOut,
            };
            add(direction, of(""), (1, None));
            if let Some(sentiment) = message.sentiment {
                let thousandths = format!("{:.0}", (sentiment.get() * 1_000.0).round());
                add(ConversationRollup::MessagesRated, of(""), (1, None));
                add(
                    ConversationRollup::Sentiment,
                    of(""),
                    (thousandths.parse().unwrap(), None),
                );
            }
            if took.is_some() {
                add(ConversationRollup::Responses, of(&bucket), (1, None));
            }
            if let Some(intent) = &message.intent {
                add(ConversationRollup::Intents, of(intent), (1, None));
            }
        }
        Payload::ConversationClosed(closed) => {
            let agent = closed.agent.as_deref().unwrap_or("");
            add(
                (
                    RollupKind::Conversation(ConversationRollup::Outcomes),
                    ["", agent, closed.outcome.as_str()],
                ),
                (1, None),
            );
        }
        Payload::CampaignTouched(touch) => {
            let of = ["", &*touch.campaign, &*touch.channel];
            add(
                (RollupKind::Campaign(CampaignRollup::Touches), of),
                (1, None),
            );
            if let Some(minor) = touch.cost_minor {
                add(
                    (RollupKind::Campaign(CampaignRollup::Cost), of),
                    (minor, touch.currency),
                );
            }
        }
        _ => {}
    }
}

/// Adds the rollups of journeys: each customer is evaluated once, from the last state alone.
pub(crate) fn add_journeys(
    states: &BTreeMap<CustomerKey, CustomerState>,
    definitions: &Definitions,
    home: impl Fn(&CustomerKey) -> i32,
    sums: &mut Sums,
) {
    for (key, state) in states {
        let tenant = definitions.tenant(&key.tenant).unwrap();
        let mut evaluated = EvaluatedState::new(tenant.version);
        let now = state.last_seen_at().unwrap();
        evaluated.redefine(state, tenant, now, &mut Vec::new());
        for (rollup, by) in Delta::between(None, &evaluated).rollups.iter() {
            let text = |text: &Arc<str>| text.to_string();
            let place = (
                key.tenant.to_string(),
                rollup.kind.name().to_owned(),
                text(&rollup.subject),
                rollup.day,
                text(&rollup.item),
                text(&rollup.detail),
                String::new(),
                home(key),
            );
            *sums.entry(place).or_default() += by;
        }
    }
}

/// Returns the day in the tenant's zone.
fn day(definitions: &Definitions, tenant: &TenantId, at: Instant) -> i32 {
    let zone = definitions.tenant(tenant).unwrap().rules.zone.clone();
    let date = at.to_jiff().to_zoned(zone).date();
    let epoch = jiff::civil::date(1970, 1, 1);
    i32::try_from(date.duration_since(epoch).as_hours() / 24).unwrap()
}
