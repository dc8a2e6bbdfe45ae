//! The payloads of events, one struct each.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AttributeMap;
use super::fields::{Fields, Node, Read, Shape, Unfit, Unreadable, unlike};
use super::words::{Channel, Direction, Outcome, SubscriptionStatus};
use crate::ids::CustomerId;
use crate::names;
use crate::value::{Currency, Double};

/// Declares the union, its JSON words and its serde forms from one list. The order is the order
/// of the Avro union, so new payloads go last.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// The content of an event. In JSON: `{"type": "order_placed", …}`.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Payload { $($(#[$doc])* $name($name),)* }

        /// The kind of a [`Payload`].
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
            /// Returns the kind of this payload.
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

        /// The form of self-describing formats.
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
    /// Attributes are set; attributes not named keep their values.
    ProfileUpdated = "profile_updated",
    /// The customer did something that counts, such as viewing a page or using a feature.
    ActivityTracked = "activity_tracked",
    /// An order is placed.
    OrderPlaced = "order_placed",
    /// An order is refunded, in part or whole.
    OrderRefunded = "order_refunded",
    /// The current state of a subscription.
    SubscriptionChanged = "subscription_changed",
    /// A stage of a journey was entered.
    StageEntered = "stage_entered",
    /// A message to or from the customer.
    MessageExchanged = "message_exchanged",
    /// A conversation ended.
    ConversationClosed = "conversation_closed",
    /// The current state of a support ticket.
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
    /// A merge is undone.
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
    /// The activity's name, for example `page_viewed`.
    #[serde(deserialize_with = "names::deserialize")]
    name: Arc<str>,
    /// Details, by name.
    #[serde(default, deserialize_with = "names::deserialize_keys")]
    properties: AttributeMap = AttributeMap::new(),
});
record!(/// One line of an order.
OrderItem at "payload.items" {
    /// The seller's identifier of the article.
    sku: Arc<str>,
    /// The number of units.
    quantity: i32,
    /// The price of one unit, in minor units of the order's currency.
    unit_amount_minor: i64,
});
record!(/// See [`Payload::OrderPlaced`].
OrderPlaced at "payload" {
    /// The seller's id of the order: the same id again is a newer version of the order.
    order_id: Arc<str>,
    /// Total in minor units (cents); zero is an order too.
    amount_minor: i64,
    /// The currency of the amount.
    currency: Currency,
    /// The lines of the order, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Vec<OrderItem>>,
    /// The sales channel, if known.
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
    /// The refunded amount, in minor units.
    amount_minor: i64,
    /// The currency of the amount.
    currency: Currency,
});
record!(/// See [`Payload::SubscriptionChanged`].
SubscriptionChanged at "payload" {
    /// The seller's id of the subscription.
    subscription_id: Arc<str>,
    /// The current status.
    status: SubscriptionStatus,
    /// The plan, for example `pro-yearly`.
    #[serde(deserialize_with = "names::deserialize")]
    plan: Arc<str>,
    /// Monthly recurring revenue in minor units.
    mrr_minor: i64,
    /// The currency of the revenue.
    currency: Currency,
});
record!(/// See [`Payload::StageEntered`].
StageEntered at "payload" {
    /// The journey, for example `purchase`.
    #[serde(deserialize_with = "names::deserialize")]
    journey: Arc<str>,
    /// The stage, for example `viewing`.
    #[serde(deserialize_with = "names::deserialize")]
    stage: Arc<str>,
});
record!(/// See [`Payload::MessageExchanged`].
MessageExchanged at "payload" {
    /// The conversation it belongs to.
    conversation_id: Arc<str>,
    /// The channel of the message.
    channel: Channel,
    /// The direction of the message.
    direction: Direction,
    /// The agent that served the customer, if known.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::deserialize_option"
    )]
    agent: Option<Arc<str>>,
    /// The sentiment, from -1 (angry) to 1 (delighted).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sentiment: Option<Double>,
    /// The customer's intent, if classified.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::deserialize_option"
    )]
    intent: Option<Arc<str>>,
    /// The time from the customer's message to this one, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_ms: Option<i64>,
});
record!(/// See [`Payload::ConversationClosed`].
ConversationClosed at "payload" {
    /// The conversation.
    conversation_id: Arc<str>,
    /// The outcome of the conversation.
    outcome: Outcome,
    /// The agent that served the customer, if known.
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
    /// The current status, in the help desk's words.
    #[serde(deserialize_with = "names::deserialize")]
    status: Arc<str>,
    /// The priority, in the help desk's words.
    #[serde(deserialize_with = "names::deserialize")]
    priority: Arc<str>,
});
record!(/// See [`Payload::CampaignTouched`].
CampaignTouched at "payload" {
    /// The campaign.
    #[serde(deserialize_with = "names::deserialize")]
    campaign: Arc<str>,
    /// The channel of the touch.
    #[serde(deserialize_with = "names::deserialize")]
    channel: Arc<str>,
    /// The cost of the touch, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_minor: Option<i64>,
    /// The currency of the cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
});
record!(/// See [`Payload::ActionOffered`].
ActionOffered at "payload" {
    /// The offered action, one of the tenant's.
    #[serde(deserialize_with = "names::deserialize")]
    action: Arc<str>,
    /// The id of the offer.
    offer_id: Arc<str>,
});
record!(/// See [`Payload::ActionAnswered`].
ActionAnswered at "payload" {
    /// The offer that was answered.
    offer_id: Arc<str>,
    /// True if the customer accepted the offer.
    accepted: bool,
});
record!(/// See [`Payload::ConsentChanged`].
ConsentChanged at "payload" {
    /// The purpose, for example `marketing_email`.
    #[serde(deserialize_with = "names::deserialize")]
    purpose: Arc<str>,
    /// True if the customer gives consent, false if it withdraws consent.
    granted: bool,
});
record!(/// See [`Payload::IdentityMerged`].
IdentityMerged at "payload" {
    /// The customer that survives the merge.
    into_customer_id: CustomerId,
});
record!(/// See [`Payload::IdentityUnmerged`].
IdentityUnmerged at "payload" {
    /// The customer that becomes separate again.
    from_customer_id: CustomerId,
});
record!(/// See [`Payload::CustomerErased`].
CustomerErased at "payload" {
    /// The reason for the audit, for example `gdpr-art-17`.
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

/// Reads an item; its errors name the index of the item and the field.
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
