//! Messages and ends of conversations, each counted once as its event says.

use std::sync::Arc;

use tidemark_schemas::event::{ConversationClosed, Direction, MessageExchanged};

use super::{Figure, Figures, kinds};
use crate::state::conversations::{Histogram, thousandths};

/// A message just folded as new, on that day.
pub(super) fn exchanged(message: &MessageExchanged, day: i32, figures: &mut Figures) {
    let channel = Arc::from(message.channel.as_str());
    let agent = message.agent.clone().unwrap_or_default();
    let mut add = |kind, three: &Arc<str>, by: i64| {
        let figure = Figure::of(kind, day).named(&channel).by(&agent, three);
        figures.add(figure, i128::from(by));
    };
    let nothing = Arc::default();
    let direction = match message.direction {
        Direction::Inbound => kinds::MESSAGES_IN,
        Direction::Outbound => kinds::MESSAGES_OUT,
    };
    add(direction, &nothing, 1);
    if let Some(sentiment) = message.sentiment {
        add(kinds::MESSAGES_RATED, &nothing, 1);
        add(kinds::SENTIMENT, &nothing, thousandths(sentiment.get()));
    }
    if let Some(response_ms) = message.response_ms {
        let bucket = Histogram::bucket(response_ms).to_string();
        add(kinds::RESPONSES, &bucket.into(), 1);
    }
    if let Some(intent) = &message.intent {
        add(kinds::INTENTS, intent, 1);
    }
}

/// An end of a conversation just folded as new, on that day. It names no channel.
pub(super) fn closed(closed: &ConversationClosed, day: i32, figures: &mut Figures) {
    let agent = closed.agent.clone().unwrap_or_default();
    let outcome = Arc::from(closed.outcome.as_str());
    figures.add(Figure::of(kinds::OUTCOMES, day).by(&agent, &outcome), 1);
}
