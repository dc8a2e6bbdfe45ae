//! Conversations: messages, response times, sentiment and outcome.

use std::sync::Arc;

use tidemark_schemas::Payload;
use tidemark_schemas::event::{
    Channel, ConversationClosed, Direction, MessageExchanged, Outcome, TicketChanged,
};
use tidemark_schemas::value::Double;

use super::visit::Visit;

/// The probability that a conversation is abandoned.
const ABANDONED: f64 = 0.07;
/// The sentiment below which a conversation is escalated.
const ESCALATES_BELOW: f64 = -0.45;
/// The longest response time: two days.
const MOST_SECONDS: f64 = 172_800.0;

/// An agent that answers customers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agent {
    pub(super) name: &'static str,
    /// The median response time, in seconds.
    pub(super) answers_in: f64,
    /// The change of sentiment with each of the agent's answers.
    pub(super) warmth: f64,
}

impl Agent {
    pub(super) const fn new(name: &'static str, answers_in: f64, warmth: f64) -> Self {
        Self {
            name,
            answers_in,
            warmth,
        }
    }
}

/// The subject and the parties of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversation {
    pub(super) channel: Channel,
    pub(super) agent: Agent,
    pub(super) intent: &'static str,
    /// The customer's mean sentiment at the beginning, from -1 to 1.
    pub(super) mood: f64,
    /// Whether a good end is a sale.
    pub(super) sells: bool,
}

/// Publishes two to six messages, in turns, and the end; returns the outcome.
pub(super) fn talk(visit: &mut Visit<'_>, about: &Conversation) -> Outcome {
    let conversation_id = visit.new_id("talk");
    let mut mood = about.mood + visit.random.unit() * 0.7 - 0.35;
    for _ in 0..visit.random.between(1, 3) {
        says(visit, &conversation_id, about, mood);
        answers(visit, &conversation_id, about);
        mood += about.agent.warmth;
    }
    let outcome = if visit.random.chance(ABANDONED) {
        Outcome::Abandoned
    } else if mood < ESCALATES_BELOW {
        Outcome::Escalated
    } else if about.sells && mood > 0.0 {
        Outcome::Converted
    } else {
        Outcome::Resolved
    };
    visit.publish(Payload::ConversationClosed(ConversationClosed {
        conversation_id,
        outcome,
        agent: Some(about.agent.name.into()),
    }));
    outcome
}

fn says(visit: &mut Visit<'_>, id: &Arc<str>, about: &Conversation, mood: f64) {
    // Rounded to thousandths.
    let mood = (mood.clamp(-1.0, 1.0) * 1_000.0).round() / 1_000.0;
    visit.wait(20, 900);
    visit.publish(Payload::MessageExchanged(MessageExchanged {
        conversation_id: Arc::clone(id),
        channel: about.channel,
        direction: Direction::Inbound,
        agent: None,
        sentiment: Double::new(mood),
        intent: Some(about.intent.into()),
        response_ms: None,
    }));
}

fn answers(visit: &mut Visit<'_>, id: &Arc<str>, about: &Conversation) {
    let seconds = visit.random.log_normal(about.agent.answers_in, 0.8);
    #[expect(clippy::cast_possible_truncation, reason = "two days at most")]
    let millis = (seconds.clamp(3.0, MOST_SECONDS) * 1_000.0) as i64;
    visit.wait_millis(millis);
    visit.publish(Payload::MessageExchanged(MessageExchanged {
        conversation_id: Arc::clone(id),
        channel: about.channel,
        direction: Direction::Outbound,
        agent: Some(about.agent.name.into()),
        sentiment: None,
        intent: None,
        response_ms: Some(millis),
    }));
}

/// Publishes a ticket that is opened, and most often solved hours or days later.
pub(super) fn ticket(visit: &mut Visit<'_>, priority: &str) {
    let ticket_id = visit.new_id("ticket");
    for status in ["open", "pending", "solved"] {
        visit.publish(Payload::TicketChanged(TicketChanged {
            ticket_id: Arc::clone(&ticket_id),
            status: status.into(),
            priority: priority.into(),
        }));
        // Some tickets are never solved.
        if visit.random.chance(0.12) {
            return;
        }
        visit.wait(1_800, 130_000);
    }
}
