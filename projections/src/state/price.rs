//! The prices of what a state holds, in bytes: see [`super::size`].

use tidemark_schemas::AttributeValue;

/// The id of an event.
pub(super) const ID: usize = 16;
/// An instant, as its distance from the first event.
pub(super) const INSTANT: usize = 7;
/// An instant, as its distance from the instant before it in a list.
pub(super) const NEAR: usize = 4;
/// The instant and the id of an event.
pub(super) const STAMP: usize = INSTANT + ID;
/// The length in front of a text.
pub(super) const TEXT: usize = 2;
/// A number of events.
pub(super) const COUNT: usize = 3;
/// A day with the number of its events.
pub(super) const DAY: usize = 1 + COUNT;
/// An amount and its currency.
pub(super) const MONEY: usize = 5 + 3;
/// A counter: its number, two instants, and the lengths of two lists.
pub(super) const COUNTER: usize = COUNT + 2 * INSTANT + 2 * TEXT;
/// The day of a conversation: four numbers, and the lengths of three maps.
pub(super) const TALLY: usize = DAY + 4 * COUNT + 3;
/// The hash of a tracked leaf.
pub(super) const LEAF: usize = 8;

/// Returns the price of a text.
pub(super) fn text(text: &str) -> usize {
    TEXT + text.len()
}

/// Returns the price of a written value of an attribute.
pub(super) fn point(value: &AttributeValue) -> usize {
    let value = match value {
        AttributeValue::Null | AttributeValue::Boolean(_) => 0,
        AttributeValue::Long(_) | AttributeValue::Double(_) => 8,
        AttributeValue::String(value) => text(value),
    };
    STAMP + 1 + value
}
