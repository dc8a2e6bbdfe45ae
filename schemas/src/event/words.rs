//! The closed sets of words inside events.

use serde::{Deserialize, Serialize};

use super::fields::{Node, Read, Shape, Unfit};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident $(or $default:ident)? {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every word, in the order of the Avro schema's symbols.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word as events write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                crate::openapi::one_of(Self::ALL.iter().map(|word| word.as_str()))
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}

        impl Read for $name {
            fn read<N: Node>(node: N) -> Result<Self, Unfit> {
                let Shape::Text(text) = node.open() else {
                    return Err(Unfit::invalid("is not text"));
                };
                match text.as_str() {
                    $($text => Ok(Self::$variant),)*
                    $(_ if N::HAS_WRITER => Ok(Self::$default),)?
                    other => {
                        let known = [$($text,)*].join(", ");
                        Err(Unfit::unknown::<N>(format!("{other:?} is none of {known}")))
                    }
                }
            }
        }
    };
}

word!(/// Of a subscription.
SubscriptionStatus {
    /// The invoice is overdue.
    Trialing = "trialing",
    /// Paid.
    Active = "active",
    /// Payment failed.
    PastDue = "past_due",
    /// Stopped for a while.
    Paused = "paused",
    /// Ended.
    Cancelled = "cancelled",
});
// `other` is also the Avro default: a channel of a newer schema is other to this version. The
// remaining words have no default, because to guess one would change what the event says.
word!(/// How a message travels.
Channel or Other {
    /// E-mail.
    Email = "email",
    /// Text message.
    Sms = "sms",
    /// Chat on a page or in an app.
    Chat = "chat",
    /// Telephone.
    Call = "call",
    /// A social network.
    Social = "social",
    /// Anything else.
    Other = "other",
});
word!(/// The direction of a message.
Direction {
    /// The customer wrote.
    Inbound = "inbound",
    /// The company wrote.
    Outbound = "outbound",
});
word!(/// The outcome of a conversation.
Outcome {
    /// The question was answered.
    Resolved = "resolved",
    /// It led to a sale.
    Converted = "converted",
    /// Another agent or team takes over.
    Escalated = "escalated",
    /// The customer left.
    Abandoned = "abandoned",
});
