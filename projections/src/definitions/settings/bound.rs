//! The bound of a tenant's customers.

use super::super::fields;
use super::super::problems::Problems;
use super::super::tree::Node;

/// The bound of a tenant that names none, in KiB. It decides folding: another one is another fold version.
const DEFAULT_KIB: u32 = 2_048;
const MIN_KIB: u32 = 16;
const MAX_KIB: u32 = 64 * 1_024;

/// Reads the bound, if there is one: in bytes, and as written.
pub(super) fn bound(node: Option<&Node>, problems: &mut Problems) -> Option<(usize, Option<u32>)> {
    let bytes = |kib: u32| kib as usize * 1_024;
    let Some(node) = node else {
        return Some((bytes(DEFAULT_KIB), None));
    };
    let expected = format!("a whole number of KiB, from {MIN_KIB} to {MAX_KIB}");
    let kib = fields::long(node, &expected, problems)?;
    match u32::try_from(kib).ok() {
        Some(kib) if (MIN_KIB..=MAX_KIB).contains(&kib) => Some((bytes(kib), Some(kib))),
        Some(_) | None => problems.expected(&expected, node),
    }
}
