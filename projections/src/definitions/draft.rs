//! Segments before their conditions are parsed.

use std::sync::Arc;

use super::source::SegmentSource;
use super::tree::{Node, Place};

/// A segment with a condition not parsed yet.
pub(super) struct Draft<'n> {
    pub(super) place: &'n Place,
    pub(super) name: Arc<str>,
    pub(super) description: String,
    pub(super) when: Option<&'n Node>,
    /// Whether it is the condition of a stage.
    pub(super) of_stage: bool,
}

impl Draft<'_> {
    /// Returns the source of the segment; `None` if it has no condition.
    pub(super) fn source(&self) -> Option<SegmentSource> {
        Some(SegmentSource {
            name: String::from(&*self.name),
            description: self.description.clone(),
            when: self.when?.to_json(),
        })
    }
}
