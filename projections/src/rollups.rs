//! Rollups: what a tenant's dashboards add up, by kind, dimensions and day.
//!
//! A rollup is a sum of whole numbers over all customers. Each step of a fold adds its difference
//! in the transaction that stores the step: sums of deltas are as exact as the states.
//!
//! - What is read off the state (orders, refunds, first events) counts as the difference of what the
//!   state says before and after: a newer version of an order, or a refund before its order, needs
//!   no case of its own.
//! - What is recognised once and then forgotten day by day (messages, touches) counts as the event
//!   says when it is folded as new: the rollup stays when the state's days are dropped.
//! - What is owed to campaigns follows from the state and the tenant's definitions: it counts as the
//!   difference of both, before and after.
//! - What is history (segments, stages and bands) counts as the [`Change`]s say.
//! - The ways through [journeys](crate::journeys) count as what tells two evaluated states apart.
//!
//! Money stays in its own currency and is converted when it is read. Days are the tenant's, counted
//! from 1970-01-01.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::{Currency, CustomerEvent, Instant, Payload};

use self::campaigns::{Orders, Rule};
use crate::change::{Change, ChangeKind};
use crate::days;
use crate::definitions::TenantDefinitions;
use crate::state::{CustomerState, FoldRules};

pub mod calendar;
pub(crate) mod campaigns;
mod conversations;
mod kind;
mod revenue;

pub use kind::{
    CampaignRollup, ConversationRollup, Crossing, JourneyRollup, RevenueRollup, RollupKind,
};

/// The key of a sum: kind, dimensions and day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rollup {
    /// The kind.
    pub kind: RollupKind,
    /// The dimension that queries name; empty for kinds without one.
    pub subject: Arc<str>,
    /// The day in the tenant's zone, counted from 1970-01-01.
    pub day: i32,
    /// See the kind.
    pub item: Arc<str>,
    /// See the kind.
    pub detail: Arc<str>,
    /// The currency of amounts and of orders counted by currency; `None` for other kinds.
    pub currency: Option<Currency>,
}

impl Rollup {
    /// Returns a rollup without any dimension.
    pub fn new(kind: RollupKind, day: i32) -> Self {
        Self {
            kind,
            subject: Arc::default(),
            day,
            item: Arc::default(),
            detail: Arc::default(),
            currency: None,
        }
    }

    /// Sets the dimension that queries name.
    #[must_use]
    pub fn named(mut self, subject: &Arc<str>) -> Self {
        self.subject = Arc::clone(subject);
        self
    }

    /// Sets the other two dimensions.
    #[must_use]
    pub fn by(mut self, item: &Arc<str>, detail: &Arc<str>) -> Self {
        (self.item, self.detail) = (Arc::clone(item), Arc::clone(detail));
        self
    }

    /// Sets the currency.
    #[must_use]
    pub fn in_currency(mut self, currency: Currency) -> Self {
        self.currency = Some(currency);
        self
    }
}

/// Sums to add to a tenant's rollups; none of them is zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollups(BTreeMap<Rollup, i128>);

impl Rollups {
    /// Adds to one of them.
    pub fn add(&mut self, rollup: Rollup, by: i128) {
        use std::collections::btree_map::Entry;
        if by == 0 {
            return;
        }
        match self.0.entry(rollup) {
            Entry::Vacant(vacant) => {
                vacant.insert(by);
            }
            Entry::Occupied(mut held) => {
                *held.get_mut() += by;
                if *held.get() == 0 {
                    held.remove();
                }
            }
        }
    }

    /// Adds all of others.
    pub fn extend(&mut self, others: Self) {
        if self.0.is_empty() {
            self.0 = others.0;
            return;
        }
        for (rollup, by) in others.0 {
            self.add(rollup, by);
        }
    }

    /// Iterates over the sums in order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Rollup, i128)> {
        self.0.iter().map(|(rollup, by)| (rollup, *by))
    }

    /// Whether nothing is to be added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A change of a discrete output, on the day it took effect on.
    pub fn change(&mut self, change: &Change, rules: &FoldRules) {
        let day = days::day_of(&rules.zone, change.effective_at);
        let nothing = Arc::default();
        let of_kind: fn(Crossing) -> RollupKind = match change.kind {
            ChangeKind::Segment => RollupKind::Segment,
            ChangeKind::Stage => RollupKind::Stage,
            ChangeKind::Band => RollupKind::Band,
            // Kept as they now are alone.
            ChangeKind::Rfm
            | ChangeKind::Cluster
            | ChangeKind::RenewalBand
            | ChangeKind::Trigger => return,
        };
        let moves = [
            (Crossing::Left, &change.from),
            (Crossing::Entered, &change.to),
        ];
        for (crossing, value) in moves {
            let Some(value) = value else { continue };
            let rollup = Rollup::new(of_kind(crossing), day).named(&change.name);
            self.add(
                // The name of a segment is all there is to say.
                if change.kind == ChangeKind::Segment {
                    rollup
                } else {
                    rollup.by(value, &nothing)
                },
                1,
            );
        }
    }
}

/// The rollups that an event may change, as they are before the event is folded.
#[derive(Debug)]
pub struct Before<'e> {
    event: &'e CustomerEvent,
    first_seen: Option<Instant>,
    /// Whether the event counts, if it is folded as new.
    counts: bool,
    orders: Option<Orders<'e>>,
    /// The negated contribution of the state before the event.
    taken: Rollups,
}

impl<'e> Before<'e> {
    /// Reads the state right before the event is folded into it: `accepted` with
    /// [`CustomerState::fold_accepted`]. `credit_window` is the evaluated state's.
    pub fn fold(
        event: &'e CustomerEvent,
        accepted: bool,
        state: &CustomerState,
        credit_window: i32,
        definitions: &TenantDefinitions,
    ) -> Self {
        let rules = &definitions.rules;
        let mut taken = Rollups::default();
        if let Some(order) = order_of(event).and_then(|order_id| state.orders.get(order_id)) {
            revenue::count(order, rules, -1, &mut taken);
        }
        let orders = if credit_window == definitions.attribution_days {
            campaigns::moved_by(event, state, rules)
        } else {
            Some(Orders::All)
        };
        if let Some(orders) = orders {
            let rule = Rule::new(credit_window, newest(event, state));
            campaigns::credit(state, orders, rule, -1, &mut taken);
        }
        Self {
            event,
            first_seen: state.first_seen_at(),
            counts: !accepted || !state.identity.is_known_for_life(event.event_id),
            orders,
            taken,
        }
    }

    /// Returns the difference that folding the event made. Credits follow the window of the definitions
    /// from now on, which becomes that of the evaluated state.
    pub fn folded(
        self,
        state: &CustomerState,
        credit_window: &mut i32,
        definitions: &TenantDefinitions,
    ) -> Rollups {
        let rules = &definitions.rules;
        let mut rollups = self.taken;
        *credit_window = definitions.attribution_days;
        if let Some(order) = order_of(self.event).and_then(|order_id| state.orders.get(order_id)) {
            revenue::count(order, rules, 1, &mut rollups);
        }
        if let Some(orders) = self.orders {
            let rule = Rule::new(*credit_window, newest(self.event, state));
            campaigns::credit(state, orders, rule, 1, &mut rollups);
        }
        if self.counts {
            count_once(self.event, rules, &mut rollups);
        }
        let first_seen = state.first_seen_at();
        if first_seen != self.first_seen {
            for (first, by) in [(self.first_seen, -1), (first_seen, 1)] {
                if let Some(first) = first {
                    let day = days::day_of(&rules.zone, first);
                    rollups.add(Rollup::new(RollupKind::CustomersNew, day), by);
                }
            }
        }
        rollups
    }
}

/// Returns the difference that newer definitions make to credits, if their window differs.
pub fn redefined(
    state: &CustomerState,
    credit_window: &mut i32,
    definitions: &TenantDefinitions,
) -> Rollups {
    let mut rollups = Rollups::default();
    let window = std::mem::replace(credit_window, definitions.attribution_days);
    if let Some(newest) = state.last_seen_at()
        && window != *credit_window
    {
        for (window, times) in [(window, -1), (*credit_window, 1)] {
            let rule = Rule::new(window, newest);
            campaigns::credit(state, Orders::All, rule, times, &mut rollups);
        }
    }
    rollups
}

/// Returns the instant of the newest event, this one included.
fn newest(event: &CustomerEvent, state: &CustomerState) -> Instant {
    let known = state.last_seen_at();
    known.map_or(event.occurred_at, |known| known.max(event.occurred_at))
}

/// Returns the id of the order that an event is about.
pub(crate) fn order_of(event: &CustomerEvent) -> Option<&Arc<str>> {
    if let Payload::OrderPlaced(order) = &event.payload {
        return Some(&order.order_id);
    }
    if let Payload::OrderRefunded(refunded) = &event.payload {
        return Some(&refunded.order_id);
    }
    None
}

/// Counts an event that core state does not keep.
fn count_once(event: &CustomerEvent, rules: &FoldRules, rollups: &mut Rollups) {
    let day = || days::day_of(&rules.zone, event.occurred_at);
    if let Payload::MessageExchanged(message) = &event.payload {
        conversations::exchanged(message, day(), rollups);
    } else if let Payload::ConversationClosed(closed) = &event.payload {
        conversations::closed(closed, day(), rollups);
    } else if let Payload::CampaignTouched(touch) = &event.payload {
        campaigns::touched(touch, day(), rollups);
    }
}
