//! `subscription`, `ticket`, `offer` and `consent` conditions.

use std::sync::Arc;

use tidemark_schemas::event::SubscriptionStatus;

use super::leaves::{EXACT_OPERATORS, each, money, one_of, whole_number};
use super::{Language, Read};
use crate::definitions::expression::{
    Ago, Bounds, Comparison, ConsentCondition, OfferAnswer, OfferCondition, Quantity,
    RecordCondition, SubscriptionCondition, TicketCondition,
};
use crate::definitions::fields::{self, Fields};
use crate::definitions::problems::Problems;
use crate::definitions::tree::Node;

/// The conditions on records.
pub(super) const CONDITIONS: [&str; 6] = [
    "subscription",
    "ticket",
    "campaign",
    "offer",
    "consent",
    "conversation",
];
const ANSWERS: [(&str, OfferAnswer); 3] = [
    ("none", OfferAnswer::None),
    ("accepted", OfferAnswer::Accepted),
    ("declined", OfferAnswer::Declined),
];

impl Language<'_> {
    /// One of [`CONDITIONS`].
    pub(super) fn record(&mut self, name: &str, node: &Node) -> Option<RecordCondition> {
        match name {
            "subscription" => self.subscription(node).map(RecordCondition::Subscription),
            "ticket" => self.ticket(node).map(RecordCondition::Ticket),
            "campaign" => self.campaign(node).map(RecordCondition::Campaign),
            "offer" => self.offer(node).map(RecordCondition::Offer),
            "consent" => self.consent(node).map(RecordCondition::Consent),
            _ => self.conversation(node).map(RecordCondition::Conversation),
        }
    }

    fn subscription(&mut self, node: &Node) -> Option<SubscriptionCondition> {
        let what = "a subscription condition";
        let known = [
            "status",
            "plan",
            "mrr",
            "started",
            "changed",
            "count",
            "match",
            "total_mrr",
        ];
        let fields = Fields::read(node, what, &known, self.problems)?;
        let known = SubscriptionStatus::ALL.iter();
        let known: Vec<_> = known.map(|status| (status.as_str(), *status)).collect();
        let statuses = self.choices(&fields, "status", &known);
        let plans = self.words(&fields, "plan");
        let started = self.optional_ago(&fields, "started");
        let changed = self.optional_ago(&fields, "changed");
        let mut money = money(self.currency);
        let mrr = self.optional_bounds(&fields, "mrr", &mut money);
        let total_mrr = self.optional_bounds(&fields, "total_mrr", &mut money);
        // What a total asks says how many already: none have a total of zero.
        let least = i64::from(fields.get("total_mrr").is_none());
        let quantity = self.quantity(&fields, least);
        Some(SubscriptionCondition {
            statuses: statuses?,
            plans: plans?,
            mrr: mrr?,
            started,
            changed,
            quantity: quantity?,
            total_mrr: total_mrr?,
        })
    }

    fn ticket(&mut self, node: &Node) -> Option<TicketCondition> {
        let known = ["status", "priority", "opened", "changed", "count", "match"];
        let fields = Fields::read(node, "a ticket condition", &known, self.problems)?;
        let statuses = self.words(&fields, "status");
        let priorities = self.words(&fields, "priority");
        let opened = self.optional_ago(&fields, "opened");
        let changed = self.optional_ago(&fields, "changed");
        let quantity = self.quantity(&fields, 1);
        Some(TicketCondition {
            statuses: statuses?,
            priorities: priorities?,
            opened,
            changed,
            quantity: quantity?,
        })
    }

    fn offer(&mut self, node: &Node) -> Option<OfferCondition> {
        let known = ["action", "answer", "offered", "answered", "count", "match"];
        let fields = Fields::read(node, "an offer condition", &known, self.problems)?;
        let actions = self.words(&fields, "action");
        let answers = self.choices(&fields, "answer", &ANSWERS);
        let offered = self.optional_ago(&fields, "offered");
        let answered = self.optional_ago(&fields, "answered");
        let quantity = self.quantity(&fields, 1);
        Some(OfferCondition {
            actions: actions?,
            answers: answers?,
            offered,
            answered,
            quantity: quantity?,
        })
    }

    fn consent(&mut self, node: &Node) -> Option<ConsentCondition> {
        let known = ["purpose", "granted", "changed"];
        let fields = Fields::read(node, "a consent condition", &known, self.problems)?;
        let purpose = fields
            .require("purpose", self.problems)
            .and_then(|node| word(node, "purpose", self.problems));
        let granted = match fields.get("granted") {
            Some(node) => fields::boolean(node, self.problems),
            None => Some(true),
        };
        let changed = self.optional_ago(&fields, "changed");
        Some(ConsentCondition {
            purpose: purpose?,
            granted: granted?,
            changed,
        })
    }

    /// `count` or `match`; without either, so many at least.
    fn quantity(&mut self, fields: &Fields<'_>, least: i64) -> Option<Quantity> {
        match (fields.get("count"), fields.get("match")) {
            (None, None) => Some(Quantity::Count(Bounds(vec![(Comparison::Gte, least)]))),
            (Some(node), None) => self
                .bounds(node, "count", &EXACT_OPERATORS, &mut whole_number)
                .map(Quantity::Count),
            (None, Some(node)) => {
                let any = Quantity::Count(Bounds(vec![(Comparison::Gte, 1)]));
                let ways = [any, Quantity::All];
                one_of(node, "way to match", &["any", "all"], self.problems)
                    .map(|index| ways[index].clone())
            }
            (Some(_), Some(node)) => {
                self.problems
                    .add(&node.place, "`count` and `match` exclude each other");
                None
            }
        }
    }

    /// Bounds that may be absent: then they hold always.
    pub(super) fn optional_bounds(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        read: Read<'_, i64>,
    ) -> Option<Bounds<i64>> {
        match fields.get(key) {
            Some(node) => self.bounds(node, key, &EXACT_OPERATORS, read),
            None => Some(Bounds(Vec::new())),
        }
    }

    /// Parses an optional age; a mistake becomes a problem, and its result is not used.
    pub(super) fn optional_ago(&mut self, fields: &Fields<'_>, key: &str) -> Option<Ago> {
        fields.get(key).and_then(|node| self.ago(node, key))
    }

    /// One text or several, compared whole; empty where the key is absent.
    pub(super) fn words(&mut self, fields: &Fields<'_>, key: &str) -> Option<Vec<Arc<str>>> {
        match fields.get(key) {
            Some(node) => {
                let read = &mut |node: &Node, problems: &mut Problems| word(node, key, problems);
                each(node, self.problems, read).map(once_each)
            }
            None => Some(Vec::new()),
        }
    }

    /// One of a closed set of words or several; empty where the key is absent.
    pub(super) fn choices<T: Copy + Ord>(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        known: &[(&str, T)],
    ) -> Option<Vec<T>> {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        match fields.get(key) {
            Some(node) => {
                let read = &mut |node: &Node, problems: &mut Problems| {
                    one_of(node, key, &names, problems).map(|index| known[index].1)
                };
                each(node, self.problems, read).map(once_each)
            }
            None => Some(Vec::new()),
        }
    }
}

/// Duplicates would be counted twice.
fn once_each<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

/// A text that events carry.
fn word(node: &Node, what: &str, problems: &mut Problems) -> Option<Arc<str>> {
    let text = fields::text(node, &format!("the name of a {what}"), problems)?;
    if text.is_empty() {
        problems.add(&node.place, format!("the empty text is no {what}"));
        return None;
    }
    Some(Arc::clone(text))
}
