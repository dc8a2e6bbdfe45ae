//! Conversion of delimited files to events, by a mapping.
//!
//! Pure: text in, events out. The command `tidemark import` publishes them.
//!
//! A mapping is a TOML file; `docs/importing.md` has its format, and says what is read and what is refused.
//!
//! The event id is a UUID of tenant, source, payload type, the row's identity and its ordinal among
//! identical rows: importing a file again makes the same events, which change nothing.

mod convert;
mod lines;
mod mapping;
mod numbers;
mod quoting;
mod rows;
mod template;
mod when;

use std::io::Read;

use tidemark_schemas::CustomerEvent;

pub use convert::{Converter, InvalidRow};
pub use lines::BadRow;
pub use mapping::{InvalidMapping, Mapping};
pub use rows::{Row, Rows};

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
