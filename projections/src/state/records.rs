//! Records that many customers lack: subscriptions, tickets, campaigns, offers and consents.
//!
//! Kept behind one pointer and left out of the bytes where there is none, so that a customer without
//! any of them takes a word of memory for all of them and not a byte of state.

use super::encoding::{Reader, Span, Writer, damaged};
use super::{Campaigns, Consents, Offers, StateError, Subscriptions, Tickets};

/// See the module's documentation. Each is an accumulator of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// The subscriptions.
    pub subscriptions: Subscriptions,
    /// The support tickets.
    pub tickets: Tickets,
    /// The campaign touches.
    pub campaigns: Campaigns,
    /// The offers and their answers.
    pub offers: Offers,
    /// The consents.
    pub consents: Consents,
}

/// The records of a customer without any.
pub(super) static NONE: Records = Records::EMPTY;

impl Records {
    const EMPTY: Self = Self {
        subscriptions: Subscriptions::EMPTY,
        tickets: Tickets::EMPTY,
        campaigns: Campaigns::EMPTY,
        offers: Offers::EMPTY,
        consents: Consents::EMPTY,
    };

    pub(super) fn merge(&mut self, other: &Self) {
        self.subscriptions.merge(&other.subscriptions);
        self.tickets.merge(&other.tickets);
        self.campaigns.merge(&other.campaigns);
        self.offers.merge(&other.offers);
        self.consents.merge(&other.consents);
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        self.subscriptions.encode(span, writer);
        self.tickets.encode(span, writer);
        self.campaigns.encode(span, writer);
        self.offers.encode(span, writer);
        self.consents.encode(span, writer);
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let records = Self {
            subscriptions: Subscriptions::decode(span, reader)?,
            tickets: Tickets::decode(span, reader)?,
            campaigns: Campaigns::decode(span, reader)?,
            offers: Offers::decode(span, reader)?,
            consents: Consents::decode(span, reader)?,
        };
        if records == NONE {
            return Err(damaged("records are written out though there is none"));
        }
        Ok(records)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        self.subscriptions.size_bytes()
            + self.tickets.size_bytes()
            + self.campaigns.size_bytes()
            + self.offers.size_bytes()
            + self.consents.size_bytes()
    }

    /// Returns the memory on the heap, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.subscriptions.memory_bytes()
            + self.tickets.memory_bytes()
            + self.campaigns.memory_bytes()
            + self.offers.memory_bytes()
            + self.consents.memory_bytes()
    }
}
