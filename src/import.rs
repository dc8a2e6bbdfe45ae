//! Conversion of delimited files to events, by a mapping.
//!
//! Pure: text in, events out. The command `tidemark import` publishes them.
//!
//! A mapping is a TOML file:
//!
//! ```toml
//! [input]
//! format = "csv"                # csv (default), tsv, or whitespace (runs of it)
//! delimiter = ";"               # csv only; default a comma
//! header = true                 # the first row names the columns (default)…
//! columns = ["id", "on"]        # …or they are named here, for a file without a header
//!
//! [event]
//! tenant_id = "acme"            # text, with or without {column} in it
//! customer_id = "crm-{id}"
//! source = "shop"
//! type = "order_placed"         # which payload
//! occurred_at = { column = "on", format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" }
//! identity = ["order"]          # the columns that identify a row (default: all)
//!
//! [payload]                     # the fields of that payload
//! order_id = "{order}"
//! amount_minor = { column = "total", as = "money", decimal_separator = "," }
//! currency = "EUR"
//! channel = { column = "shop", values = { "1" = "web", "2" = "store" } }
//! ```
//!
//! `format` of a time is `rfc3339` (default), `unix_seconds`, `unix_milliseconds`, or a pattern as
//! strftime has it; a pattern without an offset needs a `zone`, a date alone is the start of its
//! day. A value is text (the default), or `as` one of `integer`, `number`, `boolean`, `money`:
//! money is exact, a decimal to minor units of the payload's currency. An empty column leaves its
//! field out, unless `when_empty` is `null` or `keep`. `attributes` and `properties` are tables of
//! values, `items` a list of one. `{@event_id}` is the id of the event itself.
//!
//! The event id is a UUID of tenant, source, payload type, the row's identity and its ordinal among
//! identical rows: importing a file again makes the same events, which change nothing.

mod convert;
mod mapping;
mod rows;
mod template;
mod when;

use std::io::Read;

use tidemark_schemas::CustomerEvent;

pub use convert::{Converter, InvalidRow};
pub use mapping::{InvalidMapping, Mapping};
pub use rows::{BadRow, Row, Rows};

/// Returns every row of a file as an event, in order, or the reason why it is none.
///
/// Fails if the mapping does not fit the columns of the file.
pub fn events<R: Read>(
    mapping: &Mapping,
    file: R,
) -> Result<impl Iterator<Item = Result<(u64, CustomerEvent), BadRow>>, InvalidMapping> {
    let mut rows = Rows::open(mapping, file)?;
    let mut converter = Converter::new(mapping, rows.columns())?;
    Ok(std::iter::from_fn(move || {
        let row = match rows.next()? {
            Ok(row) => row,
            Err(bad) => return Some(Err(bad)),
        };
        let line = row.line;
        Some(
            converter
                .convert(&row)
                .map(|event| (line, event))
                .map_err(|invalid| BadRow {
                    line,
                    reason: invalid.to_string(),
                }),
        )
    }))
}

#[cfg(test)]
mod tests;
