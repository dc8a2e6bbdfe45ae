//! Rows turned into the arrays that `unnest` takes: a statement and a round trip for each kind of
//! row and [`ROWS_AT_ONCE`]. Rows are written in key order, so that neighbours share pages.

use std::borrow::Cow;

use tidemark_schemas::CustomerKey;

/// Rows of one statement at most. More gain nothing, and every connection keeps a buffer as large as
/// its largest message.
pub(super) const ROWS_AT_ONCE: usize = 2_000;

/// Returns references to the rows in the order of a key; rows of the same key keep their order.
pub(super) fn sorted<'a, T, K: Ord>(rows: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<&'a T> {
    let mut sorted: Vec<&T> = rows.iter().collect();
    sorted.sort_by_key(|row| key(row));
    sorted
}

/// Splits rows that go and rows that come into pieces of [`ROWS_AT_ONCE`] each.
pub(super) fn pieces<'a, A, B>(
    gone: &'a [A],
    come: &'a [B],
) -> impl Iterator<Item = (&'a [A], &'a [B])> {
    let (mut gone, mut come) = (gone.chunks(ROWS_AT_ONCE), come.chunks(ROWS_AT_ONCE));
    std::iter::from_fn(move || match (gone.next(), come.next()) {
        (None, None) => None,
        (gone, come) => Some((gone.unwrap_or_default(), come.unwrap_or_default())),
    })
}

/// Returns one column of the rows.
pub(super) fn column<'a, T, V>(rows: &[&'a T], value: impl FnMut(&&'a T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

pub(super) fn tenant(key: &CustomerKey) -> &str {
    key.tenant.as_str()
}

pub(super) fn customer(key: &CustomerKey) -> &str {
    key.customer.as_str()
}

/// Replaces what text of Postgres cannot hold: NUL, in bytes that a producer sent.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        return Cow::Owned(text.replace('\0', "\u{fffd}"));
    }
    Cow::Borrowed(text)
}
