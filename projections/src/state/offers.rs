//! Offers of actions, and their answers.
//!
//! Of an offer made twice, or answered twice, the greatest (`occurred_at`, event id) wins. An answer
//! that arrives before its offer waits; an offer id with an answer alone is no offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::event::{ActionAnswered, ActionOffered};

use super::encoding::{ID_BYTES, Reader, Span, Writer, ascending, damaged};
use super::{Stamp, StateError, keep_greatest, price};

/// An action offered.
///
/// Ordered so that of two versions the greater wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offered {
    /// The stamp of the event.
    pub stamp: Stamp,
    /// The action, one of the tenant's.
    pub action: Arc<str>,
}

/// An answer to an offer.
///
/// Ordered so that of two versions the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// The stamp of the event.
    pub stamp: Stamp,
    /// Taken or not.
    pub accepted: bool,
}

/// One of the two at least.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Exchange {
    offered: Option<Offered>,
    answer: Option<Answer>,
}

/// One offer with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// Names it.
    pub offer_id: &'a Arc<str>,
    /// The newest offer.
    pub offered: &'a Offered,
    /// The newest answer; `None` if there is none.
    pub answer: Option<Answer>,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offers {
    by_id: BTreeMap<Arc<str>, Exchange>,
    text_bytes: usize,
}

impl Offers {
    pub(super) const EMPTY: Self = Self {
        by_id: BTreeMap::new(),
        text_bytes: 0,
    };

    /// The offers by id, without answers that wait for their offer.
    pub fn iter(&self) -> impl Iterator<Item = Offer<'_>> {
        self.by_id.iter().filter_map(|(offer_id, exchange)| {
            Some(Offer {
                offer_id,
                offered: exchange.offered.as_ref()?,
                answer: exchange.answer,
            })
        })
    }

    /// Folds an offer in. False when it changes nothing.
    pub(super) fn offer(&mut self, offered: &ActionOffered, stamp: Stamp) -> bool {
        let exchange = Exchange {
            offered: Some(Offered {
                stamp,
                action: Arc::clone(&offered.action),
            }),
            answer: None,
        };
        self.take_in(&offered.offer_id, exchange)
    }

    /// Folds an answer in. False when it changes nothing.
    pub(super) fn answer(&mut self, answered: &ActionAnswered, stamp: Stamp) -> bool {
        let exchange = Exchange {
            offered: None,
            answer: Some(Answer {
                stamp,
                accepted: answered.accepted,
            }),
        };
        self.take_in(&answered.offer_id, exchange)
    }

    fn take_in(&mut self, offer_id: &Arc<str>, exchange: Exchange) -> bool {
        let held = self.by_id.entry(Arc::clone(offer_id)).or_insert_with(|| {
            self.text_bytes += offer_id.len();
            Exchange::default()
        });
        // None is the least.
        let offered = keep_greatest(&mut held.offered, exchange.offered);
        keep_greatest(&mut held.answer, exchange.answer) || offered
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (offer_id, exchange) in &other.by_id {
            self.take_in(offer_id, exchange.clone());
        }
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.by_id.len());
        for (offer_id, Exchange { offered, answer }) in &self.by_id {
            writer.text(offer_id);
            let known = match answer.map(|answer| answer.accepted) {
                None => OFFERED,
                Some(false) => DECLINED,
                Some(true) => ACCEPTED,
            };
            writer.byte(known | if offered.is_some() { OFFERED } else { 0 });
            if let Some(Offered { stamp, action }) = offered {
                writer.stamp(span.first, *stamp);
                writer.text(action);
            }
            if let Some(answer) = answer {
                writer.stamp(span.first, answer.stamp);
            }
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut offers = Self::EMPTY;
        for _ in 0..reader.count(3 + ID_BYTES)? {
            let offer_id: Arc<str> = Arc::from(reader.text()?);
            let last = offers.by_id.last_key_value();
            ascending(last.map(|(last, _)| last), &offer_id)?;
            offers.text_bytes += offer_id.len();
            let known = reader.byte()?;
            let accepted = match known & !OFFERED {
                0 if known == OFFERED => None,
                DECLINED => Some(false),
                ACCEPTED => Some(true),
                _ => return Err(damaged("neither an offer nor an answer")),
            };
            let mut exchange = Exchange::default();
            if known & OFFERED != 0 {
                exchange.offered = Some(Offered {
                    stamp: reader.stamp(span.first, span)?,
                    action: reader.name()?,
                });
            }
            if let Some(accepted) = accepted {
                let stamp = reader.stamp(span.first, span)?;
                exchange.answer = Some(Answer { stamp, accepted });
            }
            offers.by_id.insert(offer_id, exchange);
        }
        Ok(offers)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let all = self.by_id.values().map(|Exchange { offered, answer }| {
            let offered = offered.as_ref();
            offered.map_or(0, |it| price::STAMP + price::text(&it.action))
                + answer.map_or(0, |_| price::STAMP)
        });
        self.text_bytes + self.by_id.len() * (price::TEXT + 1) + all.sum::<usize>()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text_bytes
            + self.by_id.len() * super::ARC_BYTES
            + super::map_bytes::<Arc<str>, Exchange>(self.by_id.len())
    }
}

/// The parts of an offer that are present: bits of a byte.
const OFFERED: u8 = 1;
const DECLINED: u8 = 2;
const ACCEPTED: u8 = 4;
