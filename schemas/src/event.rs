//! The customer event: what a CRM says happened, exactly once per id.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, CustomerKey, EventId, TenantId};
use crate::time::Instant;
use crate::value::{AttributeValue, Currency, Double};

/// Attributes or properties by name.
pub type AttributeMap = BTreeMap<Arc<str>, AttributeValue>;

/// One event of one customer. Every value of this type has passed [`CustomerEvent::validate`]
/// when it came from a decoder of this crate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerEvent {
    /// Chosen by the sender; the same id is the same event.
    pub event_id: EventId,
    /// Whose customer.
    pub tenant_id: TenantId,
    /// Which customer.
    pub customer_id: CustomerId,
    /// The CRM that says so, for example `hubspot`.
    pub source: Arc<str>,
    /// When it happened, not when it was sent.
    pub occurred_at: Instant,
    /// What happened.
    pub payload: Payload,
}

impl CustomerEvent {
    /// The customer with its tenant.
    pub fn key(&self) -> CustomerKey {
        CustomerKey { tenant: self.tenant_id.clone(), customer: self.customer_id.clone() }
    }
}

/// What happened. In JSON: `{"type": "order_placed", …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Payload {
    /// Attributes were set; those not named keep their values.
    ProfileUpdated(ProfileUpdated),
    /// Something worth counting was done: a page seen, a feature used.
    ActivityTracked(ActivityTracked),
    /// An order.
    OrderPlaced(OrderPlaced),
    /// Money given back for an order, in part or whole.
    OrderRefunded(OrderRefunded),
    /// A subscription as it now is.
    SubscriptionChanged(SubscriptionChanged),
    /// A stage of a journey was entered.
    StageEntered(StageEntered),
    /// A message went either way.
    MessageExchanged(MessageExchanged),
    /// A conversation ended.
    ConversationClosed(ConversationClosed),
    /// A support ticket as it now is.
    TicketChanged(TicketChanged),
    /// A campaign reached the customer.
    CampaignTouched(CampaignTouched),
    /// An action was offered.
    ActionOffered(ActionOffered),
    /// An offer was answered.
    ActionAnswered(ActionAnswered),
    /// Consent to a purpose was given or withdrawn.
    ConsentChanged(ConsentChanged),
    /// This customer is the same person as another.
    IdentityMerged(IdentityMerged),
    /// A merge was wrong.
    IdentityUnmerged(IdentityUnmerged),
    /// The customer asked to be forgotten.
    CustomerErased(CustomerErased),
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
    };
}

payload!(/// See [`Payload::ProfileUpdated`].
ProfileUpdated {
    /// The attributes set, by name.
    attributes: AttributeMap,
});
payload!(/// See [`Payload::ActivityTracked`].
ActivityTracked {
    /// For example `page_viewed`.
    name: Arc<str>,
    /// Details, by name.
    #[serde(default)]
    properties: AttributeMap,
});
payload!(/// One line of an order.
OrderItem {
    /// The seller's name of the thing.
    sku: Arc<str>,
    /// How many.
    quantity: i32,
    /// Price of one, in minor units of the order's currency.
    unit_amount_minor: i64,
});
payload!(/// See [`Payload::OrderPlaced`].
OrderPlaced {
    /// The seller's id of the order: the same id again is a newer version of the order.
    order_id: Arc<str>,
    /// Total in minor units (cents); zero is an order too.
    amount_minor: i64,
    /// Of the amount.
    currency: Currency,
    /// Lines, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Vec<OrderItem>>,
    /// Where it was placed, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<Arc<str>>,
});
payload!(/// See [`Payload::OrderRefunded`].
OrderRefunded {
    /// The order, which may arrive later.
    order_id: Arc<str>,
    /// Given back, in minor units.
    amount_minor: i64,
    /// Of the amount.
    currency: Currency,
});
payload!(/// See [`Payload::SubscriptionChanged`].
SubscriptionChanged {
    /// The seller's id of the subscription.
    subscription_id: Arc<str>,
    /// As it now is.
    status: SubscriptionStatus,
    /// For example `pro-yearly`.
    plan: Arc<str>,
    /// Monthly recurring revenue in minor units.
    mrr_minor: i64,
    /// Of the revenue.
    currency: Currency,
});
payload!(/// See [`Payload::StageEntered`].
StageEntered {
    /// For example `purchase`.
    journey: Arc<str>,
    /// For example `viewing`.
    stage: Arc<str>,
});
payload!(/// See [`Payload::MessageExchanged`].
MessageExchanged {
    /// The conversation it belongs to.
    conversation_id: Arc<str>,
    /// How it travelled.
    channel: Channel,
    /// Who wrote.
    direction: Direction,
    /// Who served the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<Arc<str>>,
    /// From -1 (angry) to 1 (delighted).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sentiment: Option<Double>,
    /// What the customer wants, where classified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<Arc<str>>,
    /// Time to this answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_ms: Option<i64>,
});
payload!(/// See [`Payload::ConversationClosed`].
ConversationClosed {
    /// Which conversation.
    conversation_id: Arc<str>,
    /// How it ended.
    outcome: Outcome,
    /// Who served the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<Arc<str>>,
});
payload!(/// See [`Payload::TicketChanged`].
TicketChanged {
    /// The help desk's id.
    ticket_id: Arc<str>,
    /// As it now is, in the help desk's words.
    status: Arc<str>,
    /// In the help desk's words.
    priority: Arc<str>,
});
payload!(/// See [`Payload::CampaignTouched`].
CampaignTouched {
    /// Which campaign.
    campaign: Arc<str>,
    /// How it reached the customer.
    channel: Arc<str>,
    /// What the touch cost, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_minor: Option<i64>,
    /// Of the cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
});
payload!(/// See [`Payload::ActionOffered`].
ActionOffered {
    /// Which of the tenant's actions.
    action: Arc<str>,
    /// This offer of it.
    offer_id: Arc<str>,
});
payload!(/// See [`Payload::ActionAnswered`].
ActionAnswered {
    /// Which offer.
    offer_id: Arc<str>,
    /// Taken or not.
    accepted: bool,
});
payload!(/// See [`Payload::ConsentChanged`].
ConsentChanged {
    /// For example `marketing_email`.
    purpose: Arc<str>,
    /// Given or withdrawn.
    granted: bool,
});
payload!(/// See [`Payload::IdentityMerged`].
IdentityMerged {
    /// Who survives.
    into_customer_id: CustomerId,
});
payload!(/// See [`Payload::IdentityUnmerged`].
IdentityUnmerged {
    /// Who is a person of its own again.
    from_customer_id: CustomerId,
});
payload!(/// See [`Payload::CustomerErased`].
CustomerErased {
    /// For the audit, for example `gdpr-art-17`.
    reason: Arc<str>,
});

macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
    };
}

word!(/// Of a subscription.
SubscriptionStatus {
    /// Not paid yet.
    Trialing,
    /// Paid.
    Active,
    /// Payment failed.
    PastDue,
    /// Stopped for a while.
    Paused,
    /// Ended.
    Cancelled,
});
word!(/// How a message travels.
Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
    /// Chat on a page or in an app.
    Chat,
    /// Telephone.
    Call,
    /// A social network.
    Social,
    /// Anything else.
    Other,
});
word!(/// Who wrote.
Direction {
    /// The customer.
    Inbound,
    /// The company.
    Outbound,
});
word!(/// How a conversation ended.
Outcome {
    /// The question was answered.
    Resolved,
    /// It led to a sale.
    Converted,
    /// Somebody else takes it on.
    Escalated,
    /// The customer left.
    Abandoned,
});
