//! Messages and ends of conversations, each counted once as its event says.

use std::sync::Arc;

use tidemark_schemas::event::{ConversationClosed, Direction, MessageExchanged};

use super::{ConversationRollup, Rollup, RollupKind, Rollups};
use crate::state::conversations::{Histogram, thousandths};

/// A message just folded as new, on that day.
pub(super) fn exchanged(message: &MessageExchanged, day: i32, rollups: &mut Rollups) {
    let channel = Arc::from(message.channel.as_str());
    let agent = message.agent.clone().unwrap_or_default();
    let mut add = |kind, detail: &Arc<str>, by: i64| {
        let rollup = Rollup::new(kind, day).named(&channel).by(&agent, detail);
        rollups.add(rollup, i128::from(by));
    };
    let nothing = Arc::default();
    let direction = match message.direction {
        Direction::Inbound => RollupKind::Conversation(ConversationRollup::MessagesIn),
        Direction::Outbound => RollupKind::Conversation(ConversationRollup::MessagesOut),
    };
    add(direction, &nothing, 1);
    if let Some(sentiment) = message.sentiment {
        add(
            RollupKind::Conversation(ConversationRollup::MessagesRated),
            &nothing,
            1,
        );
        add(
            RollupKind::Conversation(ConversationRollup::Sentiment),
            &nothing,
            thousandths(sentiment.get()),
        );
    }
    if let Some(response_ms) = message.response_ms {
        let bucket = Histogram::bucket(response_ms).to_string();
        add(
            RollupKind::Conversation(ConversationRollup::Responses),
            &bucket.into(),
            1,
        );
    }
    if let Some(intent) = &message.intent {
        add(
            RollupKind::Conversation(ConversationRollup::Intents),
            intent,
            1,
        );
    }
}

/// An end of a conversation just folded as new, on that day. It names no channel.
pub(super) fn closed(closed: &ConversationClosed, day: i32, rollups: &mut Rollups) {
    let agent = closed.agent.clone().unwrap_or_default();
    let outcome = Arc::from(closed.outcome.as_str());
    rollups.add(
        Rollup::new(RollupKind::Conversation(ConversationRollup::Outcomes), day)
            .by(&agent, &outcome),
        1,
    );
}
