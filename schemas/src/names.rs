//! Interned names: tenants, attributes, stages and kinds of events, which recur in many events.
//!
//! A million customers have the same twenty attributes: a copy of each name for each customer would
//! take more memory than most values. So decoding looks a name up among those that its thread read
//! recently. Two equal names are equal whether they share memory or not: only cost depends on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use xxhash_rust::xxh3::xxh3_64;

use crate::value::{AttributeMap, AttributeValue};

/// The number of slots of a thread's table. A name replaces another name in the same slot.
const PLACES: usize = 1_024;
/// The longest name interned, in bytes: longer texts rarely recur.
const LONGEST_BYTES: usize = 64;

thread_local! {
    static NAMES: RefCell<Vec<Option<Arc<str>>>> = RefCell::new(vec![None; PLACES]);
}

/// Returns the text as a shared string; recently used texts are returned without a copy.
pub fn name(text: &str) -> Arc<str> {
    if text.len() > LONGEST_BYTES {
        return Arc::from(text);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "as many of the hash's bits as there are places"
    )]
    let place = xxh3_64(text.as_bytes()) as usize % PLACES;
    NAMES.with_borrow_mut(|names| match &names[place] {
        Some(held) if **held == *text => Arc::clone(held),
        _ => {
            let new: Arc<str> = Arc::from(text);
            names[place] = Some(Arc::clone(&new));
            new
        }
    })
}

/// Deserialises a name, for serde's `deserialize_with`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Arc<str>, D::Error> {
    deserializer.deserialize_str(Name).map(|Named(name)| name)
}

/// Deserialises an optional name, for serde's `deserialize_with`.
pub(crate) fn deserialize_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<str>>, D::Error> {
    let name = <Option<Named> as serde::Deserialize>::deserialize(deserializer)?;
    Ok(name.map(|Named(name)| name))
}

/// Deserialises attributes by name, for serde's `deserialize_with`.
pub(crate) fn deserialize_keys<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<AttributeMap, D::Error> {
    deserializer.deserialize_map(Attributes)
}

struct Named(Arc<str>);

impl<'de> serde::Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Name)
    }
}

struct Name;

impl Visitor<'_> for Name {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Named, E> {
        Ok(Named(name(text)))
    }
}

struct Attributes;

impl<'de> Visitor<'de> for Attributes {
    type Value = AttributeMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AttributeMap, A::Error> {
        let mut attributes = BTreeMap::new();
        while let Some((Named(name), value)) = map.next_entry::<Named, AttributeValue>()? {
            attributes.insert(name, value);
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_shares_its_memory() {
        let (first, again) = (name("seats"), name("seats"));
        assert!(Arc::ptr_eq(&first, &again));
        assert_ne!(name("plan"), first);
    }

    #[test]
    fn names_that_share_a_slot_stay_distinct() {
        for number in 0..3 * PLACES {
            let text = format!("attribute {number}");
            assert_eq!(&*name(&text), text);
            assert_eq!(&*name(&text), text);
        }
        let long = "x".repeat(LONGEST_BYTES + 1);
        assert!(!Arc::ptr_eq(&name(&long), &name(&long)));
    }
}
