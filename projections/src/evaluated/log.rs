//! Changes being written down.

use std::sync::Arc;

use tidemark_schemas::Instant;

use super::{Cause, Change, ChangeKind};
use crate::definitions::TenantDefinitions;

/// The stamp that all changes of one evaluation share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) effective_at: Instant,
    pub(super) cause: Cause,
}

/// Changes being written down.
pub(super) struct Log<'a> {
    pub(super) stamp: Stamp,
    pub(super) definitions: &'a TenantDefinitions,
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
        let definition_version = self.definitions.version;
        let change = Change {
            kind,
            name,
            from,
            to,
            effective_at,
            cause,
            definition_version,
        };
        self.trigger(&change);
        self.changes.push(change);
    }

    /// Fires the triggers that wait for the change. Changes by definitions, and by evaluation versions,
    /// fire only triggers that opt in.
    fn trigger(&mut self, change: &Change) {
        for trigger in &self.definitions.triggers {
            let wanted = trigger.on_definition
                || !matches!(change.cause, Cause::Definition | Cause::Evaluation);
            if wanted && trigger.fires_at(change) {
                let to = trigger.action.as_ref().unwrap_or(&trigger.name);
                self.changes.push(Change {
                    kind: ChangeKind::Trigger,
                    name: Arc::clone(&trigger.name),
                    from: None,
                    to: Some(Arc::clone(to)),
                    ..change.clone()
                });
            }
        }
    }
}
