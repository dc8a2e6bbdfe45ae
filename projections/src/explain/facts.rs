//! The findings that make a condition true or false.

use serde::Serialize;
use serde_json::{Map, Value};
use tidemark_schemas::{EventId, Instant};

use crate::definitions::Expression;
use crate::definitions::expression::{
    EventCondition, EventWindow, OrderWindow, OrdersCondition, RecordCondition, RegularlyCondition,
    ScoreCondition,
};
use crate::outputs::{Evaluation, counter, predict, records_summary};
use crate::state::activity::Counter;
use crate::{days, state::orders::Order};

/// The number of newest event ids that are listed.
const MAX_EVENTS: usize = 20;

/// Values by name.
type Facts = Map<String, Value>;

fn put(facts: &mut Facts, name: &str, value: impl Serialize) {
    // Numbers, texts, instants and lists of them: all of them have a JSON form.
    let value = serde_json::to_value(value).unwrap_or_default();
    facts.insert(name.to_owned(), value);
}

impl Evaluation<'_> {
    /// Returns the finding of a leaf; `None` for a condition that combines others.
    pub(super) fn facts(&self, condition: &Expression) -> Option<Facts> {
        let mut facts = Facts::new();
        match condition {
            Expression::All(_) | Expression::Any(_) | Expression::Not(_) => return None,
            Expression::Segment(reference) => put(&mut facts, "member", self.is_member(reference)),
            Expression::Attribute(condition) => self.attribute_facts(&condition.name, &mut facts),
            Expression::Event(condition) => self.event_facts(condition, &mut facts),
            Expression::Orders(condition) => self.orders_facts(condition, &mut facts),
            Expression::Stage(condition) => self.stage_facts(&condition.journey, &mut facts),
            Expression::Churn(_) => {
                put(&mut facts, "p_alive", self.p_alive);
                put(
                    &mut facts,
                    "risk",
                    self.p_alive.map(|p_alive| 1.0 - p_alive),
                );
                put(&mut facts, "band", self.band);
                put(&mut facts, "model", &self.definitions.churn.name);
            }
            Expression::Sequence(condition) => {
                let completed = self.state.tracked.completed(condition.tracked);
                put(&mut facts, "completed", completed);
            }
            Expression::Regularly(condition) => self.regularly_facts(condition, &mut facts),
            Expression::Restarted(condition) => {
                let counter = counter(self.state, &condition.name, condition.tracked);
                let newest = days_of(counter).rev().take(2).map(days::date_of);
                put(&mut facts, "newest_days", newest.collect::<Vec<_>>());
                counter_facts(counter, &mut facts);
            }
            Expression::MemberFor(condition) => {
                let member = self.is_member(&condition.segment);
                let since = member.then(|| self.known.since(condition.segment.index));
                put(&mut facts, "member", member);
                put(&mut facts, "since", since);
            }
            Expression::Bucket(condition) => {
                let place = self
                    .state
                    .customer()
                    .map(|customer| condition.place(customer));
                put(
                    &mut facts,
                    "percent",
                    place.map(|place| f64::from(place) / 10_000.0),
                );
            }
            Expression::Manual(_) => put(&mut facts, "customer", self.state.customer()),
            Expression::Record(condition) => self.record_facts(condition, &mut facts),
            Expression::Score(condition) => self.score_facts(condition, &mut facts),
        }
        Some(facts)
    }

    /// All there is of the kind asked for.
    fn record_facts(&self, condition: &RecordCondition, facts: &mut Facts) {
        let records = records_summary(self.state.records(), self.definitions);
        match condition {
            RecordCondition::Subscription(_) => {
                put(facts, "subscriptions", &records.subscriptions);
                put(facts, "mrr_minor", records.mrr_minor);
            }
            RecordCondition::Ticket(_) => put(facts, "tickets", &records.tickets),
            RecordCondition::Campaign(_) => put(facts, "campaigns", &records.campaigns),
            RecordCondition::Offer(_) => put(facts, "offers", &records.offers),
            RecordCondition::Consent(consent) => {
                put(facts, "consent", records.consents.get(&consent.purpose));
            }
            // What was said is kept by day and agent: too much to tell.
            RecordCondition::Conversation(_) => {}
        }
    }

    /// Null throughout for customers without scores.
    fn score_facts(&self, condition: &ScoreCondition, facts: &mut Facts) {
        match condition {
            ScoreCondition::Rfm(_) => {
                let found = predict(self.state, self.definitions, self.at).rfm;
                put(facts, "cell", found.as_ref().map(|found| found.score));
                put(facts, "model", found.map(|found| found.model));
            }
            ScoreCondition::Cluster(_) => {
                let found = predict(self.state, self.definitions, self.at).cluster;
                // As they are asked for: from 1.
                let number = found.as_ref().map(|found| found.score.cluster + 1);
                put(facts, "cluster", number);
                put(facts, "model", found.map(|found| found.model));
            }
            ScoreCondition::Value(condition) => {
                let (purchases, amount) = self.expected_value(condition).unzip();
                put(facts, "expected_purchases", purchases);
                put(facts, "value_minor", amount);
                put(facts, "currency", self.definitions.currency);
                let found = predict(self.state, self.definitions, self.at).value;
                put(facts, "model", found.map(|found| found.model));
                if !condition.percentile.0.is_empty() {
                    let found = predict(self.state, self.definitions, self.at).percentile;
                    let percentile = found.as_ref().map(|found| found.score.percentile);
                    put(facts, "percentile", percentile);
                    put(facts, "model", found.map(|found| found.model));
                }
            }
            ScoreCondition::Conversion(condition) => {
                self.stage_facts(&condition.journey, facts);
                let mut found = predict(self.state, self.definitions, self.at).conversion;
                let found = found.remove(&condition.journey);
                let mut horizons = found.iter().flat_map(|found| &found.score);
                let within = horizons.find(|of| of.days == condition.days);
                let journey = self.definitions.journeys.get(&condition.journey);
                let next = journey
                    .zip(condition.next)
                    .map(|(of, place)| &of.stages[place]);
                let chance = within.map(|within| match next {
                    Some(stage) => within.next.get(stage).copied().unwrap_or(0.0),
                    None => within.last,
                });
                put(facts, "probability", chance);
                put(facts, "model", found.as_ref().map(|found| &found.model));
            }
        }
    }

    fn attribute_facts(&self, name: &str, facts: &mut Facts) {
        let current = self.state.attributes.get(name);
        put(facts, "value", current.map(|current| current.value));
        put(facts, "since", current.map(|current| current.since));
        let written = self.state.attributes.written(name);
        put(
            facts,
            "events",
            Vec::from_iter(written.map(|stamp| stamp.id)),
        );
    }

    fn event_facts(&self, condition: &EventCondition, facts: &mut Facts) {
        let counter = counter(self.state, &condition.name, condition.tracked);
        let count = counter.map_or(0, |counter| match condition.window {
            EventWindow::Ever => counter.count,
            EventWindow::Between(from, to) => counter.between(from, to),
            EventWindow::LastMicros(micros) => {
                counter.after(self.at.plus_micros(-micros)).count() as u64
            }
            EventWindow::LastDays(length) => {
                let inside = counter.days_from(self.today().saturating_sub(length - 1));
                inside.map(|held| u64::from(held.events)).sum()
            }
        });
        put(facts, "count", count);
        counter_facts(counter, facts);
    }

    fn regularly_facts(&self, condition: &RegularlyCondition, facts: &mut Facts) {
        let counter = counter(self.state, &condition.name, condition.tracked);
        let oldest = condition.period.of_day(self.today()) - (condition.of - 1);
        let from = condition.period.first_day(oldest).unwrap_or(i32::MIN);
        let inside = days_of(counter).filter(|day| *day >= from);
        let mut active: Vec<i32> = inside.map(|day| condition.period.of_day(day)).collect();
        active.dedup();
        put(facts, "periods", active.len());
        counter_facts(counter, facts);
    }

    fn orders_facts(&self, condition: &OrdersCondition, facts: &mut Facts) {
        let (from, to) = match condition.window {
            OrderWindow::Ever => (i32::MIN, i32::MAX),
            OrderWindow::Between(from, to) => (from, to),
            OrderWindow::LastDays(days) => (self.today().saturating_sub(days - 1), i32::MAX),
        };
        let totals = self.ledger().totals_between(from, to);
        put(facts, "count", totals.orders);
        put(facts, "revenue_minor", i64::try_from(totals.net_minor).ok());
        put(facts, "currency", self.definitions.currency);
        let orders = self.state.orders.iter();
        let mut inside: Vec<Order<'_>> = orders
            .filter(|order| (from..=to).contains(&order.placed.day))
            .collect();
        inside.sort_unstable_by_key(|order| std::cmp::Reverse(order.placed.stamp));
        inside.truncate(MAX_EVENTS);
        let events = inside.iter().map(|order| order.placed.stamp.id);
        put(facts, "events", events.collect::<Vec<EventId>>());
    }

    fn stage_facts(&self, journey: &str, facts: &mut Facts) {
        let current = self.definitions.journeys.get(journey);
        let current = current.and_then(|journey| self.stage_in(journey));
        put(facts, "stage", current.map(|current| current.stage));
        put(facts, "since", current.map(|current| current.since));
        let entries = self.state.journeys.entries(journey).iter().rev();
        let events = entries.take(MAX_EVENTS).map(|entry| entry.stamp.id);
        put(facts, "events", events.collect::<Vec<EventId>>());
    }
}

fn days_of(counter: Option<&Counter>) -> impl DoubleEndedIterator<Item = i32> {
    counter
        .into_iter()
        .flat_map(Counter::days)
        .map(|held| held.day)
}

fn counter_facts(counter: Option<&Counter>, facts: &mut Facts) {
    put(
        facts,
        "count_ever",
        counter.map_or(0, |counter| counter.count),
    );
    let first: Option<Instant> = counter.map(|counter| counter.first);
    put(facts, "first", first);
    put(facts, "last", counter.map(|counter| counter.last));
}
