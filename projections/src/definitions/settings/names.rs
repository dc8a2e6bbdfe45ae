//! The name of a tenant for people.

use super::super::fields;
use super::super::problems::Problems;
use super::super::tree::Node;

/// The length of the longest name, in bytes.
const MAX_BYTES: usize = 200;

/// Reads the name, if there is one.
#[expect(clippy::option_option, reason = "a wrong name is not the same as none")]
pub(super) fn tenant_name(node: Option<&Node>, problems: &mut Problems) -> Option<Option<String>> {
    let Some(node) = node else {
        return Some(None);
    };
    fields::parsed(node, "the tenant's name as text", problems, |text| {
        let is_valid = (1..=MAX_BYTES).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if !is_valid {
            return Err(format!(
                "{text:?} cannot be a tenant's name: expected 1 to {MAX_BYTES} bytes without control \
                 characters, and without white space around them"
            ));
        }
        Ok(Some(text.to_owned()))
    })
}
