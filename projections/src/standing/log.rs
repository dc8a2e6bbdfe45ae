//! Changes being written down.

use std::sync::Arc;

use tidemark_schemas::Instant;

use super::{Cause, Change, ChangeKind};

/// What all changes of one evaluation have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) effective_at: Instant,
    pub(super) cause: Cause,
}

/// Changes being written down.
pub(super) struct Log<'a> {
    pub(super) stamp: Stamp,
    pub(super) version: i64,
    pub(super) changes: &'a mut Vec<Change>,
}

impl Log<'_> {
    pub(super) fn note_segment(&mut self, name: &Arc<str>, entered: bool) {
        let known = Some(Arc::clone(name));
        let (from, to) = if entered {
            (None, known)
        } else {
            (known, None)
        };
        self.note(ChangeKind::Segment, Arc::clone(name), from, to);
    }

    pub(super) fn note(
        &mut self,
        kind: ChangeKind,
        name: Arc<str>,
        from: Option<Arc<str>>,
        to: Option<Arc<str>>,
    ) {
        let Stamp {
            effective_at,
            cause,
        } = self.stamp;
        let definition_version = self.version;
        self.changes.push(Change {
            kind,
            name,
            from,
            to,
            effective_at,
            cause,
            definition_version,
        });
    }
}
