//! The `campaign` and `conversation` leaves: whether they hold, and when time alone may change that.

use std::collections::BTreeMap;

use tidemark_schemas::event::Direction;

use super::evaluation::Evaluation;
use super::events::count_holds;
use super::records::{holds_of, listed};
use crate::days;
use crate::definitions::expression::{
    CampaignCondition, ConversationCondition, Counted, DayWindow, EventWindow,
};
use crate::state::campaigns::Touches;
use crate::state::conversations::{Histogram, Line, Tally};

impl<'a> Evaluation<'a> {
    pub(crate) fn campaign(&mut self, condition: &CampaignCondition) -> bool {
        let lines = self.state.records().campaigns.iter().filter(|(line, _)| {
            listed(&condition.names, &line.campaign) && listed(&condition.channels, &line.channel)
        });
        let touches: Vec<&Touches> = lines.map(|(_, touches)| touches).collect();
        let counted = match &touches[..] {
            [] => {
                let never = condition.first_time.is_none() && condition.last.is_none();
                never && count_holds(&condition.count, 0)
            }
            [one, others @ ..] => {
                let mut all = std::borrow::Cow::Borrowed(&one.counter);
                for other in others {
                    all.to_mut().merge(&other.counter);
                }
                self.counted(condition.window, &condition.count, &all)
                    && self.was(condition.first_time, all.first)
                    && self.was(condition.last, all.last)
            }
        };
        counted && (condition.cost.0.is_empty() || self.cost(condition, &touches))
    }

    /// Whether the bounds hold of what touches cost. What cannot be converted is left out.
    fn cost(&mut self, condition: &CampaignCondition, touches: &[&Touches]) -> bool {
        let (first, last) = match condition.window {
            EventWindow::LastDays(length) => (self.today().saturating_sub(length - 1), i32::MAX),
            EventWindow::Between(first, last) => (first, last),
            // Refused where a cost is asked for.
            EventWindow::Ever | EventWindow::LastMicros(_) => (i32::MIN, i32::MAX),
        };
        let mut days: BTreeMap<i32, i128> = BTreeMap::new();
        for (day, currency, minor) in touches.iter().flat_map(|touches| touches.costs()) {
            if (first..=last).contains(&day) {
                *days.entry(day).or_default() +=
                    self.definitions.convert(minor, currency).unwrap_or(0);
            }
        }
        let mut total: i128 = days.values().sum();
        let holds = holds_of(&condition.cost, Some(total));
        if let EventWindow::LastDays(length) = condition.window {
            let leaving = days.iter().find(|(_, minor)| {
                total -= **minor;
                holds_of(&condition.cost, Some(total)) != holds
            });
            self.may_change_once_gone(leaving.map(|(day, _)| *day), length);
        }
        holds
    }

    pub(crate) fn conversation(&mut self, condition: &ConversationCondition) -> bool {
        let days = self.said_by_day(condition);
        // Time takes days away, oldest first: so they are added up from the newest, and what holds
        // of each day and those after it is what will hold once those before it are gone.
        let mut said = Said::default();
        let mut without_the_next = said.satisfies(condition);
        let mut holds_from = Vec::with_capacity(days.len());
        for (day, tallies) in days.iter().rev() {
            for tally in tallies {
                said.add(condition, tally);
            }
            holds_from.push((*day, without_the_next));
            without_the_next = said.satisfies(condition);
        }
        let holds = without_the_next;
        if let DayWindow::LastDays(length) = condition.window {
            let mut oldest_first = holds_from.iter().rev();
            let leaving = oldest_first.find(|(_, once_gone)| *once_gone != holds);
            self.may_change_once_gone(leaving.map(|(day, _)| *day), length);
        }
        holds
    }

    /// Returns the tally of the window's days, for the agents and channels of the condition.
    fn said_by_day(&self, condition: &ConversationCondition) -> BTreeMap<i32, Vec<&'a Tally>> {
        let (first, last) = match condition.window {
            DayWindow::LastDays(length) => (self.today().saturating_sub(length - 1), i32::MAX),
            DayWindow::Between(first, last) => (first, last),
        };
        let mut days: BTreeMap<i32, Vec<&'a Tally>> = BTreeMap::new();
        for (line, tallies) in self.state.conversations.iter() {
            if !concerns(condition, line) {
                continue;
            }
            for (day, tally) in tallies.range(first..=last) {
                days.entry(*day).or_default().push(tally);
            }
        }
        days
    }

    /// Notes that something may change when a day leaves a window of so many days.
    fn may_change_once_gone(&mut self, day: Option<i32>, length: i32) {
        let gone = day.and_then(|day| day.checked_add(length));
        let zone = &self.definitions.rules.zone;
        self.may_change_at(gone.and_then(|day| days::start_of(zone, day)));
    }
}

fn concerns(condition: &ConversationCondition, line: &Line) -> bool {
    let agent = &line.agent;
    let channel = &line.channel;
    (condition.agents.is_empty()
        || agent
            .as_ref()
            .is_some_and(|agent| condition.agents.contains(agent)))
        && (condition.channels.is_empty()
            || channel.is_some_and(|channel| condition.channels.contains(&channel)))
}

/// Returns the tally of some days.
#[derive(Default)]
struct Said {
    counted: u64,
    rated: u64,
    sentiment_thousandths: i128,
    response_ms: Histogram,
}

impl Said {
    fn add(&mut self, condition: &ConversationCondition, tally: &Tally) {
        self.counted += match &condition.counted {
            Counted::Messages => u64::from(tally.inbound) + u64::from(tally.outbound),
            Counted::Direction(Direction::Inbound) => u64::from(tally.inbound),
            Counted::Direction(Direction::Outbound) => u64::from(tally.outbound),
            Counted::Intents(intents) => {
                let counts = intents
                    .iter()
                    .filter_map(|intent| tally.intents.get(intent));
                counts.copied().map(u64::from).sum()
            }
            Counted::Outcomes(outcomes) => {
                let counts = outcomes
                    .iter()
                    .filter_map(|outcome| tally.outcomes.get(outcome));
                counts.copied().map(u64::from).sum()
            }
        };
        self.rated += u64::from(tally.rated);
        self.sentiment_thousandths += i128::from(tally.sentiment_thousandths);
        if !condition.response_ms.0.is_empty() {
            self.response_ms.add(&tally.response_ms);
        }
    }

    fn satisfies(&self, condition: &ConversationCondition) -> bool {
        let rated = i128::from(self.rated);
        // Multiplied rather than divided: no digit is lost.
        let sentiment = condition.sentiment.0.is_empty()
            || rated > 0
                && condition.sentiment.hold(|bound| {
                    let bound = i128::from(*bound) * rated;
                    self.sentiment_thousandths.cmp(&bound)
                });
        sentiment
            && holds_of(&condition.count, Some(i128::from(self.counted)))
            && (condition.response_ms.0.is_empty()
                || holds_of(
                    &condition.response_ms,
                    self.response_ms.quantile(0.5).map(i128::from),
                ))
    }
}
