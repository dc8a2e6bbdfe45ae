//! What can happen to a customer: the payloads, one struct each.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AttributeMap;
use super::reading::{Fields, Node, Read, Shape, Unfit, Unreadable, unlike};
use super::words::{Channel, Direction, Outcome, SubscriptionStatus};
use crate::ids::CustomerId;
use crate::names;
use crate::value::{Currency, Double};

/// Declares the union, its JSON words and its serde forms from one list. The order is the order
/// of the Avro union, so new payloads go last.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What happened. In JSON: `{"type": "order_placed", …}`.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Payload { $($(#[$doc])* $name($name),)* }

        /// Which [`Payload`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PayloadKind { $($(#[$doc])* $name,)* }

        impl PayloadKind {
            /// Every kind, in the order of the Avro union.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word of the JSON form, for example `order_placed`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The name of the Avro record, for example `OrderPlaced`.
            pub const fn record_name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        impl Payload {
            /// Which payload this is.
            pub const fn kind(&self) -> PayloadKind {
                match self { $(Self::$name(_) => PayloadKind::$name,)* }
            }

            pub(super) fn read<N: Node>(
                kind: PayloadKind,
                mut fields: Fields<N>,
            ) -> Result<Self, Unreadable> {
                match kind {
                    $(PayloadKind::$name => $name::read_fields(&mut fields).map(Self::$name),)*
                }
            }
        }

        /// The form that people read.
        #[derive(Serialize, Deserialize)]
        #[serde(remote = "Payload", tag = "type")]
        enum Tagged { $(#[serde(rename = $word)] $name($name),)* }

        /// The form of binary formats: a union, told apart by position.
        #[derive(Serialize, Deserialize)]
        #[serde(remote = "Payload")]
        enum Union { $($name($name),)* }
    };
}

payloads! {
    /// Attributes were set; those not named keep their values.
    ProfileUpdated = "profile_updated",
    /// Something worth counting was done: a page seen, a feature used.
    ActivityTracked = "activity_tracked",
    /// An order.
    OrderPlaced = "order_placed",
    /// Money given back for an order, in part or whole.
    OrderRefunded = "order_refunded",
    /// A subscription as it now is.
    SubscriptionChanged = "subscription_changed",
    /// A stage of a journey was entered.
    StageEntered = "stage_entered",
    /// A message went either way.
    MessageExchanged = "message_exchanged",
    /// A conversation ended.
    ConversationClosed = "conversation_closed",
    /// A support ticket as it now is.
    TicketChanged = "ticket_changed",
    /// A campaign reached the customer.
    CampaignTouched = "campaign_touched",
    /// An action was offered.
    ActionOffered = "action_offered",
    /// An offer was answered.
    ActionAnswered = "action_answered",
    /// Consent to a purpose was given or withdrawn.
    ConsentChanged = "consent_changed",
    /// This customer is the same person as another.
    IdentityMerged = "identity_merged",
    /// A merge was wrong.
    IdentityUnmerged = "identity_unmerged",
    /// The customer asked to be forgotten.
    CustomerErased = "customer_erased",
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            Tagged::serialize(self, serializer)
        } else {
            Union::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Tagged::deserialize(deserializer)
        } else {
            Union::deserialize(deserializer)
        }
    }
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident at $path:literal {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty $(= $default:expr)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl $name {
            fn read_fields<N: Node>(fields: &mut Fields<N>) -> Result<Self, Unreadable> {
                let read = Self {
                    $($field: record!(@read fields, concat!($path, ".", stringify!($field))
                        $(, $default)?),)*
                };
                fields.finish($path, &[$(stringify!($field),)*])?;
                Ok(read)
            }
        }
    };
    (@read $fields:ident, $path:expr) => { $fields.read($path)? };
    (@read $fields:ident, $path:expr, $default:expr) => { $fields.read_or($path, $default)? };
}

record!(/// See [`Payload::ProfileUpdated`].
ProfileUpdated at "payload" {
    /// The attributes set, by name.
    #[serde(deserialize_with = "names::deserialize_keys")]
    attributes: AttributeMap,
});
record!(/// See [`Payload::ActivityTracked`].
ActivityTracked at "payload" {
    /// For example `page_viewed`.
    #[serde(deserialize_with = "names::deserialize")]
    name: Arc<str>,
    /// Details, by name.
    #[serde(default, deserialize_with = "names::deserialize_keys")]
    properties: AttributeMap = AttributeMap::new(),
});
record!(/// One line of an order.
OrderItem at "payload.items" {
    /// The seller's name of the thing.
    sku: Arc<str>,
    /// How many.
    quantity: i32,
    /// Price of one, in minor units of the order's currency.
    unit_amount_minor: i64,
});
record!(/// See [`Payload::OrderPlaced`].
OrderPlaced at "payload" {
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
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::deserialize_option"
    )]
    channel: Option<Arc<str>>,
});
record!(/// See [`Payload::OrderRefunded`].
OrderRefunded at "payload" {
    /// The order, which may arrive later.
    order_id: Arc<str>,
    /// Given back, in minor units.
    amount_minor: i64,
    /// Of the amount.
    currency: Currency,
});
record!(/// See [`Payload::SubscriptionChanged`].
SubscriptionChanged at "payload" {
    /// The seller's id of the subscription.
    subscription_id: Arc<str>,
    /// As it now is.
    status: SubscriptionStatus,
    /// For example `pro-yearly`.
    #[serde(deserialize_with = "names::deserialize")]
    plan: Arc<str>,
    /// Monthly recurring revenue in minor units.
    mrr_minor: i64,
    /// Of the revenue.
    currency: Currency,
});
record!(/// See [`Payload::StageEntered`].
StageEntered at "payload" {
    /// For example `purchase`.
    #[serde(deserialize_with = "names::deserialize")]
    journey: Arc<str>,
    /// For example `viewing`.
    #[serde(deserialize_with = "names::deserialize")]
    stage: Arc<str>,
});
record!(/// See [`Payload::MessageExchanged`].
MessageExchanged at "payload" {
    /// The conversation it belongs to.
    conversation_id: Arc<str>,
    /// How it travelled.
    channel: Channel,
    /// Who wrote.
    direction: Direction,
    /// Who served the customer.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::deserialize_option"
    )]
    agent: Option<Arc<str>>,
    /// From -1 (angry) to 1 (delighted).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sentiment: Option<Double>,
    /// What the customer wants, where classified.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::deserialize_option"
    )]
    intent: Option<Arc<str>>,
    /// Time to this answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_ms: Option<i64>,
});
record!(/// See [`Payload::ConversationClosed`].
ConversationClosed at "payload" {
    /// Which conversation.
    conversation_id: Arc<str>,
    /// How it ended.
    outcome: Outcome,
    /// Who served the customer.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::deserialize_option"
    )]
    agent: Option<Arc<str>>,
});
record!(/// See [`Payload::TicketChanged`].
TicketChanged at "payload" {
    /// The help desk's id.
    ticket_id: Arc<str>,
    /// As it now is, in the help desk's words.
    #[serde(deserialize_with = "names::deserialize")]
    status: Arc<str>,
    /// In the help desk's words.
    #[serde(deserialize_with = "names::deserialize")]
    priority: Arc<str>,
});
record!(/// See [`Payload::CampaignTouched`].
CampaignTouched at "payload" {
    /// Which campaign.
    #[serde(deserialize_with = "names::deserialize")]
    campaign: Arc<str>,
    /// How it reached the customer.
    #[serde(deserialize_with = "names::deserialize")]
    channel: Arc<str>,
    /// What the touch cost, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_minor: Option<i64>,
    /// Of the cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
});
record!(/// See [`Payload::ActionOffered`].
ActionOffered at "payload" {
    /// Which of the tenant's actions.
    #[serde(deserialize_with = "names::deserialize")]
    action: Arc<str>,
    /// This offer of it.
    offer_id: Arc<str>,
});
record!(/// See [`Payload::ActionAnswered`].
ActionAnswered at "payload" {
    /// Which offer.
    offer_id: Arc<str>,
    /// Taken or not.
    accepted: bool,
});
record!(/// See [`Payload::ConsentChanged`].
ConsentChanged at "payload" {
    /// For example `marketing_email`.
    #[serde(deserialize_with = "names::deserialize")]
    purpose: Arc<str>,
    /// Given or withdrawn.
    granted: bool,
});
record!(/// See [`Payload::IdentityMerged`].
IdentityMerged at "payload" {
    /// Who survives.
    into_customer_id: CustomerId,
});
record!(/// See [`Payload::IdentityUnmerged`].
IdentityUnmerged at "payload" {
    /// Who is a person of its own again.
    from_customer_id: CustomerId,
});
record!(/// See [`Payload::CustomerErased`].
CustomerErased at "payload" {
    /// For the audit, for example `gdpr-art-17`.
    #[serde(deserialize_with = "names::deserialize")]
    reason: Arc<str>,
});

impl Read for Vec<OrderItem> {
    fn read<N: Node>(node: N) -> Result<Self, Unfit> {
        let items = match node.open() {
            Shape::List(items) => items,
            other => return Err(unlike("a list", &other)),
        };
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| read_item(index, item))
            .collect()
    }
}

/// An item's own errors tell which item and which of its fields.
fn read_item<N: Node>(index: usize, item: N) -> Result<OrderItem, Unfit> {
    let fields = match item.open() {
        Shape::Record(fields) => fields,
        other => return Err(unlike("a record", &other)),
    };
    OrderItem::read_fields(&mut Fields::new(fields)).map_err(|Unreadable { field, why }| {
        let name = field.rsplit('.').next().unwrap_or(field);
        match why {
            Unfit::Invalid(reason) => Unfit::Invalid(format!("[{index}].{name} {reason}")),
            Unfit::Newer(reason) => Unfit::Newer(reason),
        }
    })
}
