//! The canonical form of orders: the currencies in use once, then orders and refunds by id.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::{Currency, EventId, Instant};

use super::{Orders, Placed, Refund};
use crate::state::encoding::{ID_BYTES, Reader, Span, Writer, ascending, damaged};
use crate::state::{Stamp, StateError};

/// No zone is further from UTC than this.
const MOST_DAYS_FROM_UTC: i64 = 2;

/// The day of an instant by UTC.
fn utc_day(at: Instant) -> i32 {
    // Instants end with the year 9999, day 2,932,896.
    i32::try_from(at.micros().div_euclid(86_400_000_000)).unwrap_or(i32::MAX)
}

/// The currencies in use, ascending, written once: an amount names its currency by its place.
struct CurrencyTable {
    currencies: Vec<Currency>,
    used: Vec<bool>,
}

impl CurrencyTable {
    fn from_orders(orders: &Orders) -> Self {
        let mut currencies: Vec<Currency> = Vec::new();
        let placed = orders.placed.values().map(|placed| placed.currency);
        let refunds = orders.refunds.values().flat_map(BTreeMap::values);
        for currency in placed.chain(refunds.map(|refund| refund.currency)) {
            if let Err(place) = currencies.binary_search(&currency) {
                currencies.insert(place, currency);
            }
        }
        Self {
            currencies,
            used: Vec::new(),
        }
    }

    fn encode(&self, writer: &mut Writer) {
        writer.count(self.currencies.len());
        for currency in &self.currencies {
            writer.currency(*currency);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let count = reader.count(3)?;
        let mut currencies = Vec::new();
        for _ in 0..count {
            let currency = reader.currency()?;
            ascending(currencies.last(), &currency)?;
            currencies.push(currency);
        }
        Ok(Self {
            used: vec![false; currencies.len()],
            currencies,
        })
    }

    fn write(&self, currency: Currency, writer: &mut Writer) {
        writer.count(
            self.currencies
                .binary_search(&currency)
                .unwrap_or_else(|place| place),
        );
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<Currency, StateError> {
        let place = usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX);
        let currency = self
            .currencies
            .get(place)
            .ok_or_else(|| damaged("no such currency"))?;
        self.used[place] = true;
        Ok(*currency)
    }

    /// A table with a currency that no amount names would be a second encoding of the same orders.
    fn finish(&self) -> Result<(), StateError> {
        if self.used.iter().all(|used| *used) {
            Ok(())
        } else {
            Err(damaged("a currency is listed but not used"))
        }
    }
}

impl Orders {
    pub(in crate::state) fn encode(&self, span: Span, writer: &mut Writer) {
        let currencies = CurrencyTable::from_orders(self);
        currencies.encode(writer);
        writer.count(self.placed.len());
        for (order_id, placed) in &self.placed {
            writer.text(order_id);
            writer.distance(span.first, placed.stamp.at);
            writer.id(placed.stamp.id);
            writer.signed(i64::from(placed.day) - i64::from(utc_day(placed.stamp.at)));
            writer.signed(placed.amount_minor);
            currencies.write(placed.currency, writer);
        }
        writer.count(self.refunds.len());
        for (order_id, refunds) in &self.refunds {
            writer.text(order_id);
            writer.count(refunds.len());
            for (id, refund) in refunds {
                writer.id(*id);
                writer.distance(span.first, refund.at);
                writer.signed(refund.amount_minor);
                currencies.write(refund.currency, writer);
            }
        }
    }

    pub(in crate::state) fn decode(
        span: Span,
        reader: &mut Reader<'_>,
    ) -> Result<Self, StateError> {
        let mut currencies = CurrencyTable::decode(reader)?;
        let mut text_bytes = 0;
        let count = reader.count(5 + ID_BYTES)?;
        let mut placed: Vec<(Arc<str>, Placed)> = Vec::with_capacity(count);
        for _ in 0..count {
            let order_id: Arc<str> = Arc::from(reader.text()?);
            ascending(placed.last().map(|(last, _)| last), &order_id)?;
            text_bytes += order_id.len();
            placed.push((order_id, decode_placed(span, &mut currencies, reader)?));
        }
        let mut refunds: BTreeMap<Arc<str>, _> = BTreeMap::new();
        for _ in 0..reader.count(2)? {
            let order_id: Arc<str> = Arc::from(reader.text()?);
            ascending(refunds.last_key_value().map(|(last, _)| last), &order_id)?;
            text_bytes += order_id.len();
            refunds.insert(order_id, decode_refunds(span, &mut currencies, reader)?);
        }
        currencies.finish()?;
        // Collecting what is sorted fills the map's nodes, which inserting one by one does not.
        Ok(Self {
            placed: placed.into_iter().collect(),
            refunds,
            text_bytes,
            ledger: super::ledger::Kept::default(),
        })
    }
}

fn decode_placed(
    span: Span,
    currencies: &mut CurrencyTable,
    reader: &mut Reader<'_>,
) -> Result<Placed, StateError> {
    let stamp = Stamp {
        at: reader.instant(span.first, span)?,
        id: reader.id()?,
    };
    let days_from_utc = reader.signed()?;
    if !(-MOST_DAYS_FROM_UTC..=MOST_DAYS_FROM_UTC).contains(&days_from_utc) {
        return Err(damaged("a day is not the day of its instant in any zone"));
    }
    let day = i64::from(utc_day(stamp.at)) + days_from_utc;
    Ok(Placed {
        stamp,
        day: i32::try_from(day).map_err(|_| damaged("a day out of range"))?,
        amount_minor: reader.signed()?,
        currency: currencies.read(reader)?,
    })
}

fn decode_refunds(
    span: Span,
    currencies: &mut CurrencyTable,
    reader: &mut Reader<'_>,
) -> Result<BTreeMap<EventId, Refund>, StateError> {
    let mut refunds = BTreeMap::new();
    for _ in 0..reader.count_from_one(ID_BYTES + 3)? {
        let id = reader.id()?;
        ascending(refunds.last_key_value().map(|(last, _)| last), &id)?;
        let at = reader.instant(span.first, span)?;
        let amount_minor = reader.signed()?;
        let currency = currencies.read(reader)?;
        refunds.insert(
            id,
            Refund {
                at,
                amount_minor,
                currency,
            },
        );
    }
    Ok(refunds)
}
