//! Conversations: messages and ends of conversations, per agent, channel and day.
//!
//! Days are the tenant's and are kept as long as those of [activities](super::activity). Sentiment
//! is kept in thousandths and response times as a [histogram](Histogram) of fixed buckets, so that
//! sums and percentiles do not depend on the order of events.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::event::{Channel, ConversationClosed, Direction, MessageExchanged, Outcome};

use super::activity::{Kept, Oldest};
use super::price;

mod encoding;
mod histogram;

pub use histogram::Histogram;

/// An agent and a channel. A closing event has no channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The agent, if known.
    pub agent: Option<Arc<str>>,
    /// The channel, if known.
    pub channel: Option<Channel>,
}

/// The tally of one day, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages of the customer.
    pub inbound: u32,
    /// Messages to the customer.
    pub outbound: u32,
    /// Messages with a sentiment.
    pub rated: u32,
    /// The sum of their sentiments, in thousandths.
    pub sentiment_thousandths: i64,
    /// The response times, in milliseconds.
    pub response_ms: Histogram,
    /// Messages by what the customer wanted, where classified.
    pub intents: BTreeMap<Arc<str>, u32>,
    /// Conversations closed, by how they ended.
    pub outcomes: BTreeMap<Outcome, u32>,
}

impl Tally {
    /// Returns the mean sentiment, from -1 to 1; `None` if no message has a sentiment.
    pub fn mean_sentiment(&self) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "at most 2^32 messages of 1,000 thousandths: below 2^53"
        )]
        let sum = self.sentiment_thousandths as f64;
        (self.rated > 0).then(|| sum / (1_000.0 * f64::from(self.rated)))
    }

    /// Returns the memory on the heap, in bytes.
    fn size_bytes(&self) -> usize {
        let intents = self.intents.keys();
        let intents: usize = intents
            .map(|intent| price::text(intent) + price::COUNT)
            .sum();
        let buckets = self.response_ms.buckets.len() + self.outcomes.len();
        price::TALLY + intents + buckets * (1 + price::COUNT)
    }

    fn memory_bytes(&self) -> usize {
        super::map_bytes::<u8, u32>(self.response_ms.buckets.len())
            + super::map_bytes::<Arc<str>, u32>(self.intents.len())
            + super::map_bytes::<Outcome, u32>(self.outcomes.len())
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.inbound = self.inbound.saturating_add(other.inbound);
        self.outbound = self.outbound.saturating_add(other.outbound);
        self.rated = self.rated.saturating_add(other.rated);
        self.sentiment_thousandths = self
            .sentiment_thousandths
            .saturating_add(other.sentiment_thousandths);
        self.response_ms.add(&other.response_ms);
        for (intent, messages) in &other.intents {
            count(&mut self.intents, intent, *messages);
        }
        for (outcome, closed) in &other.outcomes {
            count(&mut self.outcomes, outcome, *closed);
        }
    }
}

fn count<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, key: &K, more: u32) {
    if let Some(held) = counts.get_mut(key) {
        *held = held.saturating_add(more);
    } else {
        counts.insert(key.clone(), more);
    }
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conversations {
    lines: BTreeMap<Line, BTreeMap<i32, Tally>>,
}

impl Conversations {
    /// Every agent and channel, with the days kept in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Line, &BTreeMap<i32, Tally>)> {
        self.lines.iter()
    }

    /// Everything of the days kept.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.lines.values().flat_map(BTreeMap::values) {
            total.add(tally);
        }
        total
    }

    fn tally(&mut self, line: Line, day: i32) -> &mut Tally {
        self.lines.entry(line).or_default().entry(day).or_default()
    }

    /// Counts one message, not counted before.
    pub(super) fn exchange(&mut self, message: &MessageExchanged, day: i32) {
        let line = Line {
            agent: message.agent.clone(),
            channel: Some(message.channel),
        };
        let tally = self.tally(line, day);
        match message.direction {
            Direction::Inbound => tally.inbound = tally.inbound.saturating_add(1),
            Direction::Outbound => tally.outbound = tally.outbound.saturating_add(1),
        }
        if let Some(sentiment) = message.sentiment {
            tally.rated = tally.rated.saturating_add(1);
            tally.sentiment_thousandths = tally
                .sentiment_thousandths
                .saturating_add(thousandths(sentiment.get()));
        }
        if let Some(response_ms) = message.response_ms {
            tally.response_ms.record(response_ms);
        }
        if let Some(intent) = &message.intent {
            count(&mut tally.intents, intent, 1);
        }
    }

    /// Counts one end of a conversation, not counted before.
    pub(super) fn close(&mut self, closed: &ConversationClosed, day: i32) {
        let line = Line {
            agent: closed.agent.clone(),
            channel: None,
        };
        count(&mut self.tally(line, day).outcomes, &closed.outcome, 1);
    }

    /// Forgets the days that are out of every window.
    pub(super) fn prune(&mut self, kept: Kept, oldest: &mut Oldest) {
        let mut emptied = false;
        for days in self.lines.values_mut() {
            while let Some(oldest) = days.first_entry().filter(|day| *day.key() < kept.first_day) {
                oldest.remove();
            }
            emptied |= days.is_empty();
            oldest.note(None, days.keys().next().copied());
        }
        if emptied {
            self.lines.retain(|_, days| !days.is_empty());
        }
    }

    /// Adds the events of another id of the same person.
    pub(super) fn merge(&mut self, other: &Self) {
        for (line, days) in &other.lines {
            for (day, tally) in days {
                self.tally(line.clone(), *day).add(tally);
            }
        }
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let lines = self.lines.iter().map(|(line, days)| {
            let agent = line.agent.as_deref().map_or(0, price::text);
            let within: usize = days.values().map(Tally::size_bytes).sum();
            agent + price::TEXT + within
        });
        lines.sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let lines = super::map_bytes::<Line, BTreeMap<i32, Tally>>(self.lines.len());
        let days = self.lines.values().map(|days| {
            let within: usize = days.values().map(Tally::memory_bytes).sum();
            super::map_bytes::<i32, Tally>(days.len()) + within
        });
        lines + days.sum::<usize>()
    }
}

/// A sentiment is between -1 and 1.
pub(crate) fn thousandths(sentiment: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "between -1,000 and 1,000, and rounded"
    )]
    let rounded = (sentiment * 1_000.0).round() as i64;
    rounded
}
