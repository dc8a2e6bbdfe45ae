//! The definitions of a scope that catches up: each takes force where it did in the partition.

use tidemark_schemas::Instant;

use super::CatchUp;
use crate::engine::context::TaskExit;
use crate::engine::folder::Folder;
use crate::engine::projector::Projector;
use crate::error::ProcessorError;
use crate::history::{Activation, RecordedHistory};
use crate::store::Scope;

/// What a lane does before it reads on.
pub(super) enum Step {
    /// Nothing.
    Keep,
    /// The clock reaches this instant first.
    AdvanceTo(Instant),
    /// These definitions come into force.
    Activate(Activation),
}

/// The definitions of a scope where it stands.
pub(super) struct Followed {
    /// Whether they, or the clock, have moved: others may be due.
    pub(super) has_moved: bool,
    /// The offset at which the next come into force for it.
    pub(super) next_offset: Option<i64>,
}

impl CatchUp {
    /// Loads the activations of the partition, where other definitions have come into force since. Returns
    /// `false` if the newest are part of the batch under construction.
    pub(super) async fn load_history(
        &mut self,
        projector: &mut Projector,
    ) -> Result<bool, TaskExit> {
        let version = projector.folder.definitions_version();
        if self
            .history
            .as_ref()
            .is_some_and(|(newest, _)| *newest == version)
        {
            return Ok(true);
        }
        projector.settle().await?;
        let load = || RecordedHistory::load(&self.shared.store);
        let history = self.retry.until_available(load).await?;
        let activations = history.partition(self.partition, None);
        let newest = activations.last().and_then(|last| last.definitions.version);
        if newest == Some(version) {
            self.history = Some((version, activations));
        }
        Ok(newest == Some(version))
    }

    /// Takes one step towards the definitions that are due where a scope stands.
    pub(super) async fn follow_definitions(
        &mut self,
        scope: &Scope,
        position: i64,
        projector: &mut Projector,
    ) -> Result<Followed, TaskExit> {
        projector.folder.enter(scope);
        let has_moved = match self.next_definitions(scope, position, &projector.folder)? {
            Step::Keep => false,
            Step::AdvanceTo(clock) => {
                self.advance(projector, clock).await?;
                true
            }
            Step::Activate(activation) => {
                // What was written under the old definitions must be in the tables before the re-evaluation
                // reads them.
                projector.settle().await?;
                let (customer, clock) =
                    (scope.key().into_iter().collect(), projector.folder.clock());
                projector.load(customer, clock, 0).await?;
                projector.folder.activate_deferred(activation.definitions);
                true
            }
        };
        projector.folder.note_position(position);
        let next = self.later(&projector.folder);
        let next_offset = next.map(|next| next.next_offset.max(position));
        projector.folder.leave(scope);
        Ok(Followed {
            has_moved,
            next_offset,
        })
    }

    fn activations(&self) -> &[Activation] {
        self.history
            .as_ref()
            .map_or(&[], |(_, activations)| activations)
    }

    /// Returns the first activation after the one in force in the lane in place.
    fn later(&self, folder: &Folder) -> Option<&Activation> {
        let in_force = Some(folder.definitions_version());
        let mut activations = self.activations().iter();
        activations.find(|activation| activation.definitions.version > in_force)
    }

    /// Returns the next step of the lane in place at a position. A tenant that was not defined begins with the
    /// first definitions that it has.
    pub(super) fn next_definitions(
        &self,
        scope: &Scope,
        position: i64,
        folder: &Folder,
    ) -> Result<Step, TaskExit> {
        let in_force = folder.definitions_version();
        if in_force < 0 {
            let mut defined = self.activations().iter().rev();
            let has_tenant = |it: &&Activation| it.definitions.tenant(&scope.tenant).is_some();
            let first = defined.by_ref().take_while(has_tenant).last();
            return Ok(first.map_or(Step::Keep, |first| Step::Activate(first.clone())));
        }
        if folder.loaded_version() != in_force {
            let mut activations = self.activations().iter();
            let loaded = activations.find(|it| it.definitions.version == Some(in_force));
            return loaded.map(|it| Step::Activate(it.clone())).ok_or_else(|| {
                TaskExit::Failed(ProcessorError::Internal(format!(
                    "the activation of definitions version {in_force}, which is in force for {scope}, is \
                     not kept"
                )))
            });
        }
        Ok(match self.later(folder) {
            Some(next) if next.next_offset <= position => {
                // Whatever was due before them happens under the definitions before.
                if next.clock > folder.clock() || folder.has_due_timers() {
                    Step::AdvanceTo(next.clock)
                } else {
                    Step::Activate(next.clone())
                }
            }
            _ => Step::Keep,
        })
    }
}
