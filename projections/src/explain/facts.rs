//! The findings that make a condition true or false.

use serde::Serialize;
use serde_json::{Map, Value};
use tidemark_schemas::{EventId, Instant};

use crate::definitions::Expression;
use crate::definitions::expression::{
    AttributeCondition, EventCondition, EventWindow, OrderWindow, OrdersCondition, RecordCondition,
    RegularlyCondition, ScoreCondition,
};
use crate::models::VALUE_NOT_SCORED;
use crate::outputs::{
    ChurnScore, Evaluation, Memberships, Predictions, StateAt, expected_value, predict,
    records_summary, stage_in,
};
use crate::state::activity::Counter;
use crate::{days, state::orders::Order};

/// The number of newest event ids that are listed.
const MAX_EVENTS: usize = 20;

/// Returns the findings of a leaf by name; `None` for a condition that combines others. The segments
/// that the leaf refers to are evaluated.
pub(super) fn facts(
    condition: &Expression,
    evaluation: &Evaluation<'_>,
) -> Option<Map<String, Value>> {
    let facts = Facts {
        now: evaluation.now(),
        memberships: evaluation.memberships(),
        found: Map::new(),
    };
    facts.leaf(condition)
}

/// The findings of a leaf, as they are collected.
struct Facts<'e, 'a> {
    now: &'e StateAt<'a>,
    memberships: &'e Memberships,
    found: Map<String, Value>,
}

impl Facts<'_, '_> {
    /// Collects the findings of a leaf.
    fn leaf(mut self, condition: &Expression) -> Option<Map<String, Value>> {
        match condition {
            Expression::All(_) | Expression::Any(_) | Expression::Not(_) => return None,
            Expression::Segment(reference) => {
                self.put("member", self.memberships.contains(reference.index));
            }
            Expression::Attribute(condition) => self.attribute(condition),
            Expression::Event(condition) => self.event(condition),
            Expression::Orders(condition) => self.orders(condition),
            Expression::Stage(condition) => self.stage(&condition.journey),
            Expression::Churn(_) => {
                let score = self.now.churn_score();
                self.put("p_alive", score.map(|score| score.p_alive));
                self.put("risk", score.map(ChurnScore::risk));
                self.put("band", score.map(|score| score.band));
                self.put("model", &self.now.definitions().churn.name);
            }
            Expression::Sequence(condition) => {
                let completed = self.now.state().tracked.completed(condition.tracked);
                self.put("completed", completed);
            }
            Expression::Regularly(condition) => self.regularly(condition),
            Expression::Restarted(condition) => {
                let counter = self.now.counter(&condition.name, condition.tracked);
                let newest = days_of(counter).rev().take(2).map(days::date_of);
                self.put("newest_days", newest.collect::<Vec<_>>());
                self.counter(counter);
            }
            Expression::MemberFor(condition) => {
                let member = self.memberships.contains(condition.segment.index);
                let since = member.then(|| self.memberships.since(condition.segment.index));
                self.put("member", member);
                self.put("since", since);
            }
            Expression::Bucket(condition) => {
                let customer = self.now.state().customer();
                let place = customer.map(|customer| condition.place(customer));
                self.put("percent", place.map(|place| f64::from(place) / 10_000.0));
            }
            Expression::Manual(_) => self.put("customer", self.now.state().customer()),
            Expression::Record(condition) => self.record(condition),
            Expression::Score(condition) => self.score(condition),
        }
        Some(self.found)
    }

    fn put(&mut self, name: &str, value: impl Serialize) {
        // Numbers, texts, instants and lists of them: all of them have a JSON form.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.found.insert(name.to_owned(), value);
    }

    /// Collects all records of the kind that the condition asks for.
    fn record(&mut self, condition: &RecordCondition) {
        let records = records_summary(self.now.state().records(), self.now.definitions());
        match condition {
            RecordCondition::Subscription(_) => {
                self.put("subscriptions", &records.subscriptions);
                self.put("mrr_minor", records.mrr_minor);
            }
            RecordCondition::Ticket(_) => self.put("tickets", &records.tickets),
            RecordCondition::Campaign(_) => self.put("campaigns", &records.campaigns),
            RecordCondition::Offer(_) => self.put("offers", &records.offers),
            RecordCondition::Consent(consent) => {
                self.put("consent", records.consents.get(&consent.purpose));
            }
            // Messages are kept by day and agent: too many to list.
            RecordCondition::Conversation(_) => {}
        }
    }

    /// Collects the scores; all are null for customers without scores.
    fn score(&mut self, condition: &ScoreCondition) {
        match condition {
            ScoreCondition::Rfm(_) => {
                let found = self.predictions().rfm;
                self.put("cell", found.as_ref().map(|found| found.score));
                self.put("model", found.map(|found| found.model));
            }
            ScoreCondition::Cluster(_) => {
                let found = self.predictions().cluster;
                // As they are asked for: from 1.
                let number = found.as_ref().map(|found| found.score.cluster + 1);
                self.put("cluster", number);
                self.put("model", found.map(|found| found.model));
            }
            ScoreCondition::Value(condition) => {
                let (purchases, amount) = expected_value(condition.days, self.now).unzip();
                self.put("expected_purchases", purchases);
                let amount = amount.flatten();
                self.put("value_minor", amount);
                if condition.is_unscored(&self.now.definitions().models) {
                    self.put("not_scored_because", VALUE_NOT_SCORED);
                }
                self.put("currency", self.now.definitions().currency);
                let found = self.predictions().value;
                self.put("model", found.map(|found| found.model));
                if !condition.percentile.0.is_empty() {
                    let found = self.predictions().percentile;
                    let percentile = found.as_ref().map(|found| found.score.percentile);
                    self.put("percentile", percentile);
                    self.put("model", found.map(|found| found.model));
                }
            }
            ScoreCondition::Conversion(condition) => {
                self.stage(&condition.journey);
                let mut found = self.predictions().conversion;
                let found = found.remove(&condition.journey);
                let mut horizons = found.iter().flat_map(|found| &found.score);
                let within = horizons.find(|of| of.days == condition.days);
                let journey = self.now.definitions().journeys.get(&condition.journey);
                let next = journey
                    .zip(condition.next)
                    .map(|(of, place)| &of.stages[place]);
                let chance = within.map(|within| match next {
                    Some(stage) => within.next.get(stage).copied().unwrap_or(0.0),
                    None => within.last,
                });
                self.put("probability", chance);
                self.put("model", found.as_ref().map(|found| &found.model));
            }
        }
    }

    /// Collects the value as it was sent; what the declared type makes of it; and how it differs in kind
    /// from what it is compared with.
    fn attribute(&mut self, condition: &AttributeCondition) {
        let name = &condition.name;
        let current = self.now.state().attributes.get(name);
        self.put("value", current.map(|current| current.value));
        if let Some(sent) = current.map(|current| current.value) {
            let zone = self.now.zone();
            let read = condition.value(sent, zone);
            if condition.declared.kind.is_some() && read.as_deref() != Some(sent) {
                self.put("read_as", read);
            }
            if let Some(mismatch) = condition.mismatch(sent, zone) {
                self.put("mismatch", mismatch);
            }
        }
        self.put("since", current.map(|current| current.since));
        let written = self.now.state().attributes.written(name);
        self.put("events", Vec::from_iter(written.map(|stamp| stamp.id)));
    }

    fn event(&mut self, condition: &EventCondition) {
        let counter = self.now.counter(&condition.name, condition.tracked);
        let count = counter.map_or(0, |counter| match condition.window {
            EventWindow::Ever => counter.count,
            EventWindow::Between(from, to) => counter.between(from, to),
            EventWindow::LastMicros(micros) => {
                counter.after(self.now.at().plus_micros(-micros)).count() as u64
            }
            EventWindow::LastDays(length) => {
                let inside = counter.days_from(self.now.first_of_last_days(length));
                inside.map(|held| u64::from(held.events)).sum()
            }
        });
        self.put("count", count);
        self.counter(counter);
    }

    fn regularly(&mut self, condition: &RegularlyCondition) {
        let counter = self.now.counter(&condition.name, condition.tracked);
        let oldest = condition.period.of_day(self.now.today()) - (condition.of - 1);
        let from = condition.period.first_day(oldest).unwrap_or(i32::MIN);
        let inside = days_of(counter).filter(|day| *day >= from);
        let mut active: Vec<i32> = inside.map(|day| condition.period.of_day(day)).collect();
        active.dedup();
        self.put("periods", active.len());
        self.counter(counter);
    }

    fn orders(&mut self, condition: &OrdersCondition) {
        let (from, to) = match condition.window {
            OrderWindow::Ever => (i32::MIN, i32::MAX),
            OrderWindow::Between(from, to) => (from, to),
            OrderWindow::LastDays(days) => (self.now.first_of_last_days(days), i32::MAX),
        };
        let totals = self.now.ledger().totals_between(from, to);
        self.put("count", totals.orders);
        self.put("revenue_minor", i64::try_from(totals.net_minor).ok());
        self.put("currency", self.now.definitions().currency);
        let orders = self.now.state().orders.iter();
        let mut inside: Vec<Order<'_>> = orders
            .filter(|order| (from..=to).contains(&order.placed.day))
            .collect();
        inside.sort_unstable_by_key(|order| std::cmp::Reverse(order.placed.stamp));
        inside.truncate(MAX_EVENTS);
        let events = inside.iter().map(|order| order.placed.stamp.id);
        self.put("events", events.collect::<Vec<EventId>>());
    }

    fn stage(&mut self, journey: &str) {
        let current = self.now.definitions().journeys.get(journey);
        let current = current.and_then(|journey| stage_in(journey, self.now, self.memberships));
        self.put("stage", current.map(|current| current.stage));
        self.put("since", current.map(|current| current.since));
        let entries = self.now.state().journeys.entries(journey).iter().rev();
        let events = entries.take(MAX_EVENTS).map(|entry| entry.stamp.id);
        self.put("events", events.collect::<Vec<EventId>>());
    }

    fn counter(&mut self, counter: Option<&Counter>) {
        self.put("count_ever", counter.map_or(0, |counter| counter.count));
        let first: Option<Instant> = counter.map(|counter| counter.first);
        self.put("first", first);
        self.put("last", counter.map(|counter| counter.last));
    }

    fn predictions(&self) -> Predictions {
        predict(self.now.state(), self.now.definitions(), self.now.at())
    }
}

fn days_of(counter: Option<&Counter>) -> impl DoubleEndedIterator<Item = i32> {
    counter
        .into_iter()
        .flat_map(Counter::days)
        .map(|held| held.day)
}
