//! Payloads of subscriptions, tickets, campaigns, offers, consents and conversations.

use tidemark_schemas::event::{
    ActionAnswered, ActionOffered, CampaignTouched, Channel, ConsentChanged, ConversationClosed,
    Direction, MessageExchanged, Outcome, SubscriptionChanged, SubscriptionStatus, TicketChanged,
};
use tidemark_schemas::{Currency, Double, Payload};

fn currency(code: &str) -> Currency {
    Currency::new(code).unwrap()
}

pub(super) fn subscription(
    id: &str,
    status: SubscriptionStatus,
    plan: &str,
    mrr_minor: i64,
    code: &str,
) -> Payload {
    Payload::SubscriptionChanged(SubscriptionChanged {
        subscription_id: id.into(),
        status,
        plan: plan.into(),
        mrr_minor,
        currency: currency(code),
    })
}

pub(super) fn ticket(id: &str, status: &str, priority: &str) -> Payload {
    Payload::TicketChanged(TicketChanged {
        ticket_id: id.into(),
        status: status.into(),
        priority: priority.into(),
    })
}

pub(super) fn touch(campaign: &str, channel: &str, cost: Option<(i64, &str)>) -> Payload {
    Payload::CampaignTouched(CampaignTouched {
        campaign: campaign.into(),
        channel: channel.into(),
        cost_minor: cost.map(|(minor, _)| minor),
        currency: cost.map(|(_, code)| currency(code)),
    })
}

pub(super) fn offer(id: &str, action: &str) -> Payload {
    Payload::ActionOffered(ActionOffered {
        action: action.into(),
        offer_id: id.into(),
    })
}

pub(super) fn answer(id: &str, accepted: bool) -> Payload {
    Payload::ActionAnswered(ActionAnswered {
        offer_id: id.into(),
        accepted,
    })
}

pub(super) fn consent(purpose: &str, granted: bool) -> Payload {
    Payload::ConsentChanged(ConsentChanged {
        purpose: purpose.into(),
        granted,
    })
}

/// A chat with `kim`.
pub(super) fn message(
    direction: Direction,
    sentiment: f64,
    intent: Option<&str>,
    minutes: i64,
) -> Payload {
    Payload::MessageExchanged(MessageExchanged {
        conversation_id: "k-1".into(),
        channel: Channel::Chat,
        direction,
        agent: Some("kim".into()),
        sentiment: Double::new(sentiment),
        intent: intent.map(Into::into),
        response_ms: (minutes > 0).then_some(minutes * 60_000),
    })
}

pub(super) fn closed(agent: Option<&str>, outcome: Outcome) -> Payload {
    Payload::ConversationClosed(ConversationClosed {
        conversation_id: "k-1".into(),
        outcome,
        agent: agent.map(Into::into),
    })
}
