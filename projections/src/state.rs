//! Core state of one customer: a product of small commutative accumulators.
//!
//! Each accumulator is a module of its own: a fold that is idempotent by event id, a `merge` that
//! is commutative, associative and idempotent, a canonical encoding, and reading methods for
//! [`crate::outputs`]. State holds integers, canonical bits and sorted sets only, and is a function
//! of the *set* of events folded: neither their order nor their repetition leaves a trace.

use jiff::tz::TimeZone;
use tidemark_schemas::{CustomerEvent, CustomerId, EventId, Instant, Payload};

pub mod activity;
pub mod attributes;
pub mod campaigns;
mod canonical;
pub mod consents;
pub mod conversations;
pub(crate) mod encoding;
pub mod identity;
pub mod journeys;
pub mod offers;
pub mod orders;
mod price;
pub mod records;
pub(crate) mod size;
pub mod subscriptions;
pub mod tickets;
pub mod tracked;

pub use activity::Activity;
pub use attributes::Attributes;
pub use campaigns::Campaigns;
pub use consents::Consents;
pub use conversations::Conversations;
pub use identity::Identity;
pub use journeys::Journeys;
pub use offers::Offers;
pub use orders::Orders;
pub use records::Records;
pub use subscriptions::Subscriptions;
pub use tickets::Tickets;
pub use tracked::{LeafId, LeafRole, Tracked};

use activity::{Kept, Oldest};

use crate::days;

/// Bumped whenever the meaning or the encoding of core state changes. A processor folds only
/// generations of its own version.
pub const FOLD_VERSION: i32 = 5;

/// Replaces what is held by something greater. True when it did.
fn keep_greatest<T: Ord>(held: &mut T, new: T) -> bool {
    let greater = new > *held;
    if greater {
        *held = new;
    }
    greater
}

/// The two counts in front of shared text, and what the allocator rounds up.
const ARC_BYTES: usize = 24;

/// About what a map of that many entries takes: its nodes have room for eleven each, which a small
/// map pays for in full and a large one in part.
const fn map_bytes<K, V>(entries: usize) -> usize {
    const ROOM: usize = 11;
    const USED: usize = 8;
    let node = 16 + ROOM * (size_of::<K>() + size_of::<V>());
    match entries {
        0 => 0,
        1..=ROOM => node,
        _ => (entries / USED + 1) * node + 112,
    }
}

/// The settings that core state depends on beside events; fixed when the tenant is created.
#[derive(Debug, Clone)]
pub struct FoldRules {
    /// The zone of the tenant's days.
    pub zone: TimeZone,
    /// The dedup horizon behind a customer's newest event for high-volume events, in microseconds.
    pub dedup_horizon_micros: i64,
}

/// The result of folding an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// The state changed: it holds the event now.
    New,
    /// The state held already what the event says: nothing changed. The event was folded before, or
    /// has been superseded (an older version of an order, a value written again within its run).
    Duplicate,
}

/// An event too far behind the customer's newest to be told from a duplicate. Park it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("older than the dedup horizon, which ends at {horizon}")]
pub struct Late {
    /// The earliest instant still accepted.
    pub horizon: Instant,
}

/// The default dedup horizon of high-volume events.
#[derive(Debug, Clone, Copy)]
enum Recognised {
    /// It is late when it is older.
    WithinTheHorizon,
    /// It was accepted, late or not.
    ForLife,
}

/// Bytes that are not a state of this fold version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a customer state: {0}")]
pub struct StateError(pub String);

/// Instant and id of an event: the order of last-writer-wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The instant of the event.
    pub at: Instant,
    /// The id of the event.
    pub id: EventId,
}

/// Everything known of one customer, as a function of the set of its events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerState {
    /// First and last seen, and events recognised.
    pub identity: Identity,
    /// Attributes, from profile updates.
    pub attributes: Attributes,
    /// Orders and refunds.
    pub orders: Orders,
    /// Stages entered.
    pub journeys: Journeys,
    /// Activities: counts and times.
    pub activity: Activity,
    /// Conversations.
    pub conversations: Conversations,
    /// Subscriptions, tickets, campaigns, offers and consents; `None` for a customer without any. Read
    /// through [`Self::records`].
    pub records: Option<Box<Records>>,
    /// Tracked counters of definitions. They are not core state: [`Self::encode`] omits them, and
    /// [`Self::decode`] leaves them empty.
    pub tracked: Tracked,
    whose: Whose,
    oldest: Oldest,
}

/// The customer's id. It is stored as the key of the state and not part of it: all are equal.
#[derive(Debug, Clone, Default)]
struct Whose(Option<CustomerId>);

impl PartialEq for Whose {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Whose {}

impl CustomerState {
    /// Sets the customer's id, as its first event does. It must be called after decoding:
    /// conditions such as `bucket` ask for it.
    pub fn belongs_to(&mut self, customer: &CustomerId) {
        self.whose = Whose(Some(customer.clone()));
    }

    /// Returns the customer's id, if it is set.
    pub fn customer(&self) -> Option<&CustomerId> {
        self.whose.0.as_ref()
    }

    /// Folds one event in. On an error the state is as it was.
    pub fn fold(&mut self, event: &CustomerEvent, rules: &FoldRules) -> Result<Folded, Late> {
        self.fold_recognised(event, rules, Recognised::WithinTheHorizon)
    }

    /// Folds an event even if it is late, by an operator's decision: the id of a high-volume
    /// event is then kept for life, so that it counts once.
    ///
    /// A profile update that cannot be placed stays late: no decision can place it.
    pub fn fold_accepted(
        &mut self,
        event: &CustomerEvent,
        rules: &FoldRules,
    ) -> Result<Folded, Late> {
        self.fold_recognised(event, rules, Recognised::ForLife)
    }

    fn fold_recognised(
        &mut self,
        event: &CustomerEvent,
        rules: &FoldRules,
        recognised: Recognised,
    ) -> Result<Folded, Late> {
        let stamp = Stamp {
            at: event.occurred_at,
            id: event.event_id,
        };
        let horizon = self
            .identity
            .horizon_with(stamp.at, rules.dedup_horizon_micros);
        let changed = self.take_in(event, rules, (stamp, horizon), recognised)?;
        if self.whose.0.is_none() {
            self.belongs_to(&event.customer_id);
        }
        let seen = self.identity.see(stamp.at);
        self.identity.prune(horizon);
        self.attributes.prune(horizon);
        self.forget();
        Ok(if changed || seen {
            Folded::New
        } else {
            Folded::Duplicate
        })
    }

    /// Gives the event to the accumulators it concerns: whether it changed one of them. Every
    /// refusal comes before the first change.
    fn take_in(
        &mut self,
        event: &CustomerEvent,
        rules: &FoldRules,
        (stamp, horizon): (Stamp, Instant),
        recognised: Recognised,
    ) -> Result<bool, Late> {
        Ok(match &event.payload {
            Payload::ProfileUpdated(update) => {
                if self.attributes.refuses(&update.attributes, stamp, horizon) {
                    return Err(Late { horizon });
                }
                self.attributes.write(&update.attributes, stamp, horizon)
            }
            Payload::ActivityTracked(tracked) => {
                let new = self.identity.admit(stamp, horizon, recognised)?;
                if new {
                    let day = self.day_of(stamp.at, rules);
                    self.activity.record(&tracked.name, stamp.at, day);
                }
                new
            }
            Payload::MessageExchanged(message) => {
                let new = self.identity.admit(stamp, horizon, recognised)?;
                if new {
                    let day = self.day_of(stamp.at, rules);
                    self.conversations.exchange(message, day);
                }
                new
            }
            Payload::ConversationClosed(closed) => {
                let new = self.identity.admit(stamp, horizon, recognised)?;
                if new {
                    let day = self.day_of(stamp.at, rules);
                    self.conversations.close(closed, day);
                }
                new
            }
            Payload::CampaignTouched(touch) => {
                let new = self.identity.admit(stamp, horizon, recognised)?;
                if new {
                    let day = self.day_of(stamp.at, rules);
                    self.with_records().campaigns.touch(touch, stamp.at, day);
                }
                new
            }
            Payload::OrderPlaced(order) => self.orders.place(order, stamp, &rules.zone),
            Payload::OrderRefunded(refunded) => self.orders.refund(refunded, stamp),
            Payload::StageEntered(entered) => self.journeys.enter(entered, stamp),
            Payload::SubscriptionChanged(it) => self.with_records().subscriptions.change(it, stamp),
            Payload::TicketChanged(changed) => self.with_records().tickets.change(changed, stamp),
            Payload::ActionOffered(offered) => self.with_records().offers.offer(offered, stamp),
            Payload::ActionAnswered(answered) => self.with_records().offers.answer(answered, stamp),
            Payload::ConsentChanged(changed) => self.with_records().consents.change(changed, stamp),
            Payload::IdentityMerged(_)
            | Payload::IdentityUnmerged(_)
            | Payload::CustomerErased(_) => self.identity.remember_for_life(stamp.id),
        })
    }

    fn with_records(&mut self) -> &mut Records {
        self.records.get_or_insert_default()
    }

    /// The day to count an event on.
    fn day_of(&mut self, at: Instant, rules: &FoldRules) -> i32 {
        let day = days::day_of(&rules.zone, at);
        self.oldest.note(Some(at), Some(day));
        day
    }

    /// Counts an event just folded for those that ask for it; `leaves` says from which instant on
    /// each is exact.
    pub fn track(
        &mut self,
        event: &CustomerEvent,
        rules: &FoldRules,
        leaves: impl Iterator<Item = (LeafId, LeafRole, Instant)>,
    ) {
        let at = event.occurred_at;
        for (leaf, asked, exact_from) in leaves {
            match asked {
                LeafRole::Count => {
                    let day = self.day_of(at, rules);
                    self.tracked.record(leaf, exact_from, at, day);
                }
                LeafRole::Steps(steps, pace) => {
                    self.tracked
                        .step(leaf, exact_from, (at, steps, pace), rules);
                }
            }
        }
        self.forget();
    }

    /// Forgets what is too far behind the newest event for any window.
    fn forget(&mut self) {
        let Some(kept) = self.last_seen_at().map(Kept::behind) else {
            return;
        };
        if self.oldest.is_before(kept) {
            let mut oldest = Oldest::NONE;
            self.prune(kept, &mut oldest);
            self.oldest = oldest;
        }
    }

    fn prune(&mut self, kept: Kept, oldest: &mut Oldest) {
        self.activity.prune(kept, oldest);
        self.tracked.prune(kept, oldest);
        self.conversations.prune(kept, oldest);
        if let Some(records) = &mut self.records {
            records.campaigns.prune(kept, oldest);
        }
    }

    /// Unites the states of two ids of one person: commutative and associative. The ids' events are
    /// different ones: what is counted is added, so uniting a state with itself counts twice.
    pub fn merge(&mut self, other: &Self) {
        self.identity.merge(&other.identity);
        self.attributes.merge(&other.attributes);
        self.orders.merge(&other.orders);
        self.journeys.merge(&other.journeys);
        self.activity.merge(&other.activity);
        self.conversations.merge(&other.conversations);
        if let Some(records) = &other.records {
            self.records.get_or_insert_default().merge(records);
        }
        self.tracked.merge(&other.tracked);
        if self.whose.0.is_none() {
            // A state without events has no customer id.
            self.whose.clone_from(&other.whose);
        }
        self.oldest = Oldest::UNKNOWN;
        self.forget();
    }

    /// Returns subscriptions, tickets, campaigns, offers and consents, empty for a customer without any.
    pub fn records(&self) -> &Records {
        self.records.as_deref().unwrap_or(&records::NONE)
    }

    /// Returns the instant of the earliest folded event.
    pub fn first_seen_at(&self) -> Option<Instant> {
        self.identity.first_seen_at()
    }

    /// Returns the instant of the newest folded event.
    pub fn last_seen_at(&self) -> Option<Instant> {
        self.identity.last_seen_at()
    }

    /// About how many bytes of memory this state holds, for budgets.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.identity.memory_bytes()
            + self.attributes.memory_bytes()
            + self.orders.memory_bytes()
            + self.journeys.memory_bytes()
            + self.activity.memory_bytes()
            + self.conversations.memory_bytes()
            + self
                .records
                .as_ref()
                .map_or(0, |records| records.memory_bytes())
            + self.tracked.memory_bytes()
    }
}
