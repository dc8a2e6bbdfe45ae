//! Subscriptions: for each its newest version, and when it first and last had each status.
//!
//! The newest version is the greatest by (`occurred_at`, event id). When it was first and last said
//! to be trialing, active, past due, paused or cancelled tells its lifetime, which contractual churn
//! is about, in the same room however often it changes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use tidemark_schemas::event::{SubscriptionChanged, SubscriptionStatus};
use tidemark_schemas::{Currency, Instant};

use super::encoding::{ID_BYTES, Reader, Span, Writer, ascending, damaged};
use super::{Stamp, StateError, keep_greatest, price};

/// The number of statuses.
const STATUSES: usize = SubscriptionStatus::ALL.len();

/// A subscription as one event said it is.
///
/// Ordered so that of two versions the greater wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionVersion {
    /// The stamp of the event.
    pub stamp: Stamp,
    /// Whether it is paid.
    pub status: SubscriptionStatus,
    /// The plan.
    pub plan: Arc<str>,
    /// Monthly recurring revenue in minor units.
    pub mrr_minor: i64,
    /// The currency of the revenue.
    pub currency: Currency,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The newest state.
    pub newest: SubscriptionVersion,
    /// The first and last event with each status, by the status' index in
    /// [`SubscriptionStatus::ALL`].
    seen: [Option<Span>; STATUSES],
}

impl Subscription {
    /// Returns the instant of the first event.
    pub fn first_at(&self) -> Instant {
        let firsts = self.seen.iter().flatten().map(|span| span.first);
        firsts.fold(self.newest.stamp.at, Instant::min)
    }

    /// Returns the instant of the first event with a status.
    pub fn first_with(&self, status: SubscriptionStatus) -> Option<Instant> {
        self.seen[place(status)].map(|span| span.first)
    }

    /// Returns the instant of the last event with a status.
    pub fn last_with(&self, status: SubscriptionStatus) -> Option<Instant> {
        self.seen[place(status)].map(|span| span.last)
    }

    /// Returns the instant of the first paid status: active, or past due or paused, which follow it. `None`
    /// for a trial, and for a subscription without any event but cancellations.
    pub fn started_at(&self) -> Option<Instant> {
        use SubscriptionStatus::{Active, PastDue, Paused};
        let firsts = [Active, PastDue, Paused].map(|status| self.first_with(status));
        firsts.into_iter().flatten().min()
    }

    /// Returns the instant of cancellation; `None` unless the subscription is cancelled.
    ///
    /// Exact unless it was taken up again, cancelled a second time, and this said twice: then it is
    /// when it was last said. Of events of one instant a cancellation counts as the last.
    pub fn ended_at(&self) -> Option<Instant> {
        if self.newest.status != SubscriptionStatus::Cancelled {
            return None;
        }
        let cancelled = self.seen[place(SubscriptionStatus::Cancelled)]?;
        let others = SubscriptionStatus::ALL
            .iter()
            .filter(|status| **status != SubscriptionStatus::Cancelled);
        let alive = others.filter_map(|status| self.last_with(*status)).max();
        Some(if alive.is_none_or(|alive| alive <= cancelled.first) {
            cancelled.first
        } else {
            cancelled.last
        })
    }

    /// Takes in what another event, or another id of the same person, said of it. False when that
    /// changes nothing.
    fn take_in(&mut self, version: SubscriptionVersion, seen: &[Option<Span>; STATUSES]) -> bool {
        let mut changed = keep_greatest(&mut self.newest, version);
        for (ours, theirs) in self.seen.iter_mut().zip(seen) {
            let Some(theirs) = theirs else { continue };
            let wider = ours.map_or(*theirs, |held| Span {
                first: held.first.min(theirs.first),
                last: held.last.max(theirs.last),
            });
            changed |= *ours != Some(wider);
            *ours = Some(wider);
        }
        changed
    }
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscriptions {
    by_id: BTreeMap<Arc<str>, Subscription>,
    text_bytes: usize,
}

impl Subscriptions {
    pub(super) const EMPTY: Self = Self {
        by_id: BTreeMap::new(),
        text_bytes: 0,
    };

    /// The subscriptions by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Subscription)> {
        self.by_id.iter()
    }

    /// The subscription of an id.
    pub fn get(&self, subscription_id: &str) -> Option<&Subscription> {
        self.by_id.get(subscription_id)
    }

    /// Folds a change in. False when it changes nothing.
    pub(super) fn change(&mut self, changed: &SubscriptionChanged, stamp: Stamp) -> bool {
        let version = SubscriptionVersion {
            stamp,
            status: changed.status,
            plan: Arc::clone(&changed.plan),
            mrr_minor: changed.mrr_minor,
            currency: changed.currency,
        };
        let mut seen = [None; STATUSES];
        seen[place(changed.status)] = Some(Span {
            first: stamp.at,
            last: stamp.at,
        });
        self.take_in(&changed.subscription_id, version, seen)
    }

    fn take_in(
        &mut self,
        subscription_id: &Arc<str>,
        newest: SubscriptionVersion,
        seen: [Option<Span>; STATUSES],
    ) -> bool {
        match self.by_id.entry(Arc::clone(subscription_id)) {
            Entry::Vacant(vacant) => {
                self.text_bytes += subscription_id.len();
                vacant.insert(Subscription { newest, seen });
                true
            }
            Entry::Occupied(held) => held.into_mut().take_in(newest, &seen),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (subscription_id, theirs) in &other.by_id {
            self.take_in(subscription_id, theirs.newest.clone(), theirs.seen);
        }
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.by_id.len());
        for (subscription_id, subscription) in &self.by_id {
            writer.text(subscription_id);
            let SubscriptionVersion {
                stamp,
                status,
                plan,
                mrr_minor,
                currency,
            } = &subscription.newest;
            writer.stamp(span.first, *stamp);
            writer.count(place(*status));
            writer.text(plan);
            writer.signed(*mrr_minor);
            writer.currency(*currency);
            for (place_of, seen) in subscription.seen.iter().enumerate() {
                let Some(seen) = seen else {
                    writer.byte(0);
                    continue;
                };
                writer.byte(1);
                writer.distance(span.first, seen.first);
                // With the newest version's status it was last heard of then.
                if place_of != place(*status) {
                    writer.distance(seen.first, seen.last);
                }
            }
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut subscriptions = Self::EMPTY;
        for _ in 0..reader.count(LEAST_BYTES)? {
            let subscription_id: Arc<str> = Arc::from(reader.text()?);
            let last = subscriptions.by_id.last_key_value();
            ascending(last.map(|(last, _)| last), &subscription_id)?;
            subscriptions.text_bytes += subscription_id.len();
            let subscription = decode_one(span, reader)?;
            subscriptions.by_id.insert(subscription_id, subscription);
        }
        Ok(subscriptions)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let all = self.by_id.values().map(|held| {
            let seen = held.seen.iter().flatten().count();
            price::text(&held.newest.plan) + seen * 2 * price::INSTANT
        });
        let each = price::TEXT + price::STAMP + 1 + price::MONEY + STATUSES;
        self.text_bytes + self.by_id.len() * each + all.sum::<usize>()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text_bytes
            + self.by_id.len() * super::ARC_BYTES
            + super::map_bytes::<Arc<str>, Subscription>(self.by_id.len())
    }
}

/// Two texts, a stamp, a status, an amount, a currency, and which statuses there were.
const LEAST_BYTES: usize = 2 + 1 + ID_BYTES + 1 + 1 + 3 + STATUSES;

fn decode_one(span: Span, reader: &mut Reader<'_>) -> Result<Subscription, StateError> {
    let newest = SubscriptionVersion {
        stamp: reader.stamp(span.first, span)?,
        status: reader.word(SubscriptionStatus::ALL)?,
        plan: reader.name()?,
        mrr_minor: reader.signed()?,
        currency: reader.currency()?,
    };
    let until_newest = Span {
        first: span.first,
        last: newest.stamp.at,
    };
    let mut seen = [None; STATUSES];
    for (place_of, seen) in seen.iter_mut().enumerate() {
        let is_newest = place_of == place(newest.status);
        match reader.byte()? {
            0 if is_newest => return Err(damaged("the newest status was never heard of")),
            0 => {}
            1 => {
                let first = reader.instant(span.first, until_newest)?;
                let last = if is_newest {
                    newest.stamp.at
                } else {
                    reader.instant(first, until_newest)?
                };
                *seen = Some(Span { first, last });
            }
            _ => return Err(damaged("neither a status nor none")),
        }
    }
    Ok(Subscription { newest, seen })
}

fn place(status: SubscriptionStatus) -> usize {
    status as usize
}
