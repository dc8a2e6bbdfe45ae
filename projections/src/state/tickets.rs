//! Support tickets: of each the newest status and priority, and when it was first heard of.
//!
//! The newest version is the greatest by (`occurred_at`, event id). Statuses and priorities are the
//! help desk's own words.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use tidemark_schemas::Instant;
use tidemark_schemas::event::TicketChanged;

use super::encoding::{ID_BYTES, Reader, Span, Writer, ascending};
use super::{Stamp, StateError, keep_greatest, price};

/// A ticket as one event said it is.
///
/// Ordered so that of two versions the greater wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TicketVersion {
    /// The stamp of the event.
    pub stamp: Stamp,
    /// The status, in the help desk's words.
    pub status: Arc<str>,
    /// The priority, in the help desk's words.
    pub priority: Arc<str>,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The newest state.
    pub newest: TicketVersion,
    /// The instant of the first event.
    pub first_at: Instant,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tickets {
    by_id: BTreeMap<Arc<str>, Ticket>,
    text_bytes: usize,
}

impl Tickets {
    pub(super) const EMPTY: Self = Self {
        by_id: BTreeMap::new(),
        text_bytes: 0,
    };

    /// The tickets by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Ticket)> {
        self.by_id.iter()
    }

    /// The ticket of an id.
    pub fn get(&self, ticket_id: &str) -> Option<&Ticket> {
        self.by_id.get(ticket_id)
    }

    /// Folds a change in. False when it changes nothing.
    pub(super) fn change(&mut self, changed: &TicketChanged, stamp: Stamp) -> bool {
        let newest = TicketVersion {
            stamp,
            status: Arc::clone(&changed.status),
            priority: Arc::clone(&changed.priority),
        };
        let first_at = stamp.at;
        self.take_in(&changed.ticket_id, Ticket { newest, first_at })
    }

    fn take_in(&mut self, ticket_id: &Arc<str>, ticket: Ticket) -> bool {
        match self.by_id.entry(Arc::clone(ticket_id)) {
            Entry::Vacant(vacant) => {
                self.text_bytes += ticket_id.len();
                vacant.insert(ticket);
                true
            }
            Entry::Occupied(held) => {
                let held = held.into_mut();
                let earlier = ticket.first_at < held.first_at;
                held.first_at = held.first_at.min(ticket.first_at);
                keep_greatest(&mut held.newest, ticket.newest) || earlier
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (ticket_id, ticket) in &other.by_id {
            self.take_in(ticket_id, ticket.clone());
        }
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.by_id.len());
        for (ticket_id, Ticket { newest, first_at }) in &self.by_id {
            writer.text(ticket_id);
            writer.distance(span.first, *first_at);
            writer.stamp(*first_at, newest.stamp);
            writer.text(&newest.status);
            writer.text(&newest.priority);
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut tickets = Self::EMPTY;
        for _ in 0..reader.count(5 + ID_BYTES)? {
            let ticket_id: Arc<str> = Arc::from(reader.text()?);
            let last = tickets.by_id.last_key_value();
            ascending(last.map(|(last, _)| last), &ticket_id)?;
            tickets.text_bytes += ticket_id.len();
            let first_at = reader.instant(span.first, span)?;
            let newest = TicketVersion {
                stamp: reader.stamp(first_at, span)?,
                status: reader.name()?,
                priority: reader.name()?,
            };
            tickets.by_id.insert(ticket_id, Ticket { newest, first_at });
        }
        Ok(tickets)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let newest = self.by_id.values().map(|ticket| &ticket.newest);
        let words = newest.map(|it| price::text(&it.status) + price::text(&it.priority));
        let each = price::TEXT + price::INSTANT + price::STAMP;
        self.text_bytes + self.by_id.len() * each + words.sum::<usize>()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text_bytes
            + self.by_id.len() * super::ARC_BYTES
            + super::map_bytes::<Arc<str>, Ticket>(self.by_id.len())
    }
}
