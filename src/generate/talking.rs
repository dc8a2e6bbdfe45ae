//! Conversations: who answers, how fast, in what mood, and how it ends.

use std::sync::Arc;

use tidemark_schemas::Payload;
use tidemark_schemas::event::{
    Channel, ConversationClosed, Direction, MessageExchanged, Outcome, TicketChanged,
};
use tidemark_schemas::value::Double;

use super::visit::Visit;

/// How often nobody says anything at the end.
const ABANDONED: f64 = 0.07;
/// In a worse mood the customer is passed on.
const ESCALATES_BELOW: f64 = -0.45;
/// The longest anybody waits for an answer: two days.
const MOST_SECONDS: f64 = 172_800.0;

/// Somebody who answers customers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agent {
    pub(super) name: &'static str,
    /// Half of the answers come within so many seconds.
    pub(super) answers_in: f64,
    /// What talking to this one does to a mood.
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

/// What a conversation is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversation {
    pub(super) channel: Channel,
    pub(super) agent: Agent,
    pub(super) intent: &'static str,
    /// About which the customer's mood is, from -1 to 1.
    pub(super) mood: f64,
    /// Whether it ends in a sale if it ends well.
    pub(super) sells: bool,
}

/// Two to six messages, turn by turn, and how it ended.
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
    visit.happens(Payload::ConversationClosed(ConversationClosed {
        conversation_id,
        outcome,
        agent: Some(about.agent.name.into()),
    }));
    outcome
}

fn says(visit: &mut Visit<'_>, id: &Arc<str>, about: &Conversation, mood: f64) {
    // Thousandths are as fine as a mood can be told.
    let mood = (mood.clamp(-1.0, 1.0) * 1_000.0).round() / 1_000.0;
    visit.wait(20, 900);
    visit.happens(Payload::MessageExchanged(MessageExchanged {
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
    visit.waits_millis(millis);
    visit.happens(Payload::MessageExchanged(MessageExchanged {
        conversation_id: Arc::clone(id),
        channel: about.channel,
        direction: Direction::Outbound,
        agent: Some(about.agent.name.into()),
        sentiment: None,
        intent: None,
        response_ms: Some(millis),
    }));
}

/// A ticket that is opened, and most often solved some hours or days later.
pub(super) fn ticket(visit: &mut Visit<'_>, priority: &str) {
    let ticket_id = visit.new_id("ticket");
    for status in ["open", "pending", "solved"] {
        visit.happens(Payload::TicketChanged(TicketChanged {
            ticket_id: Arc::clone(&ticket_id),
            status: status.into(),
            priority: priority.into(),
        }));
        // Some are left where they are.
        if visit.random.chance(0.12) {
            return;
        }
        visit.wait(1_800, 130_000);
    }
}
