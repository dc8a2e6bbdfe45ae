//! The `conversation` leaf.

use std::collections::BTreeMap;

use tidemark_schemas::event::Direction;

use super::bounds::amount_holds;
use crate::definitions::expression::{ConversationCondition, Counted, DayWindow};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;
use crate::state::conversations::{Histogram, Line, Tally};

pub(crate) fn conversation_holds(
    condition: &ConversationCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let days = said_by_day(condition, now);
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
        next_change.note(leaving.and_then(|(day, _)| now.end_in_last_days(*day, length)));
    }
    holds
}

/// Returns the tallies of the window's days, for the agents and channels of the condition.
fn said_by_day<'a>(
    condition: &ConversationCondition,
    now: &StateAt<'a>,
) -> BTreeMap<i32, Vec<&'a Tally>> {
    let (first, last) = match condition.window {
        DayWindow::LastDays(length) => (now.first_of_last_days(length), i32::MAX),
        DayWindow::Between(first, last) => (first, last),
    };
    let mut days: BTreeMap<i32, Vec<&'a Tally>> = BTreeMap::new();
    for (line, tallies) in now.state().conversations.iter() {
        if !concerns(condition, line) {
            continue;
        }
        for (day, tally) in tallies.range(first..=last) {
            days.entry(*day).or_default().push(tally);
        }
    }
    days
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

/// The messages and conversations of some days.
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
            && amount_holds(&condition.count, Some(i128::from(self.counted)))
            && (condition.response_ms.0.is_empty()
                || amount_holds(
                    &condition.response_ms,
                    self.response_ms.quantile(0.5).map(i128::from),
                ))
    }
}
