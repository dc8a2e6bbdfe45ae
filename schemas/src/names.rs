//! Names that are said again and again (tenants, attributes, stages, kinds of events) held once.
//!
//! A million customers have the same twenty attributes: a copy of each name with each of them would
//! take more memory than most values, and every comparison would read from a place of its own. So
//! where events and states are read, a name is looked up among those that this thread read lately.
//! Equal texts are equal whether they are one or not: nothing but cost depends on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use xxhash_rust::xxh3::xxh3_64;

use crate::event::AttributeMap;
use crate::value::AttributeValue;

/// Each name has one place of so many; of two with the same place the later one stays.
const PLACES: usize = 1_024;
/// A longer text is hardly said twice.
const LONGEST_BYTES: usize = 64;

thread_local! {
    static NAMES: RefCell<Vec<Option<Arc<str>>>> = RefCell::new(vec![None; PLACES]);
}

/// The text, shared with whoever said it before.
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

/// For serde's `deserialize_with`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Arc<str>, D::Error> {
    deserializer.deserialize_str(Name).map(|Named(name)| name)
}

/// For serde's `deserialize_with`, of what may be missing.
pub(crate) fn deserialize_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<str>>, D::Error> {
    let name = <Option<Named> as serde::Deserialize>::deserialize(deserializer)?;
    Ok(name.map(|Named(name)| name))
}

/// For serde's `deserialize_with`, of attributes.
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
    fn a_name_said_again_is_the_same_one() {
        let (first, again) = (name("seats"), name("seats"));
        assert!(Arc::ptr_eq(&first, &again));
        assert_ne!(name("plan"), first);
    }

    #[test]
    fn however_many_there_are_each_is_itself() {
        for number in 0..3 * PLACES {
            let text = format!("attribute {number}");
            assert_eq!(&*name(&text), text);
            assert_eq!(&*name(&text), text);
        }
        let long = "x".repeat(LONGEST_BYTES + 1);
        assert!(!Arc::ptr_eq(&name(&long), &name(&long)));
    }
}
