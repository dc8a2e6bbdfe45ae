//! The source of a partition's definitions: what takes force, and before which record.

use std::sync::Arc;
use std::time::Duration;

use tidemark_projections::definitions::Definitions;
use tidemark_schemas::Instant;
use tokio::sync::watch;
use tokio::time;

use super::context::TaskExit;
use super::folder::{Before, Folder};
use crate::error::ProcessorError;
use crate::history::Activation;

/// The interval at which a partition that waits for definitions says so.
const WAIT_SAID_EVERY: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Clone)]
pub(crate) enum DefinitionsSource {
    /// The newest definitions, as soon as they are accepted.
    Live(watch::Receiver<Definitions>),
    /// The definitions of a recorded history, each at the offset and the clock at which it came into
    /// force; in the order of their versions.
    Recorded(Arc<[Activation]>),
}

/// The next step of a partition before it reads on.
#[derive(Debug)]
pub(super) enum Step {
    /// The definitions in force remain so.
    Keep,
    /// The clock reaches this instant first, and every timer due by then fires.
    AdvanceTo(Instant),
    /// Newer definitions wait for the timers that are due; records may be folded meanwhile.
    AwaitTimers,
    /// This version comes into force first, or is in force already and is loaded, though there are newer ones:
    /// timers are due under it, or it offboards a tenant.
    Load(i64),
    /// These definitions come into force.
    Activate(Definitions),
}

impl DefinitionsSource {
    /// Returns whether other definitions than those loaded are to come into force at this position.
    pub(super) fn has_news(&self, folder: &Folder) -> bool {
        match self {
            Self::Live(newest) => folder.is_older_than(&newest.borrow()),
            Self::Recorded(activations) => !is_loaded(folder) || due(activations, folder).is_some(),
        }
    }

    /// Returns the next step at this position. Live, it waits for definitions that are at least as new
    /// as those under which the partition was last folded: its previous owner may have read newer ones.
    pub(super) async fn next(&mut self, folder: &Folder) -> Result<Step, TaskExit> {
        let in_force = folder.definitions_version();
        match self {
            Self::Live(newest) => {
                let newest = wait_for(newest, in_force).await?;
                if !folder.is_older_than(&newest) {
                    return Ok(Step::Keep);
                }
                // No offboarding is passed over: what was folded before it must not be left.
                let offboarding = newest.next_offboarding(in_force);
                let earlier = offboarding.filter(|version| Some(*version) < newest.version);
                Ok(match (folder.before_activation(&newest), earlier) {
                    (Before::Nothing, None) => Step::Activate(newest),
                    (Before::Nothing, Some(version)) => Step::Load(version),
                    (Before::Timers, _) => Step::AwaitTimers,
                    (Before::Definitions, _) => Step::Load(in_force),
                    (Before::Erasure, _) => Step::Keep,
                })
            }
            Self::Recorded(activations) if !is_loaded(folder) => {
                let recorded = activations
                    .iter()
                    .find(|activation| activation.definitions.version == Some(in_force))
                    .ok_or_else(|| {
                        TaskExit::Failed(ProcessorError::Internal(format!(
                            "the history does not record definitions version {in_force}, which is \
                             in force"
                        )))
                    })?;
                Ok(Step::Activate(recorded.definitions.clone()))
            }
            Self::Recorded(activations) => Ok(match due(activations, folder) {
                None => Step::Keep,
                Some(_) if folder.is_erasing() => Step::Keep,
                Some(next) if next.clock > folder.clock() => Step::AdvanceTo(next.clock),
                Some(_) if folder.has_due_timers() => Step::AdvanceTo(folder.clock()),
                Some(next) => Step::Activate(next.definitions.clone()),
            }),
        }
    }

    /// Waits until there may be news; for ever where none can come.
    pub(super) async fn changed(&mut self) -> Result<(), TaskExit> {
        match self {
            Self::Live(newest) => newest.changed().await.map_err(|_| TaskExit::Stopped),
            Self::Recorded(_) => std::future::pending().await,
        }
    }

    /// Returns the offset at which a batch must end because other definitions come into force there.
    pub(super) fn next_activation(&self, folder: &Folder) -> Option<i64> {
        match self {
            Self::Live(_) => None,
            Self::Recorded(activations) => {
                later(activations, folder).map(|next| next.next_offset.max(folder.next_offset()))
            }
        }
    }
}

/// Waits for definitions at least as new as a version, and says so while it takes long.
async fn wait_for(
    newest: &mut watch::Receiver<Definitions>,
    version: i64,
) -> Result<Definitions, TaskExit> {
    let reached = |seen: &Definitions| seen.version.unwrap_or(-1) >= version;
    loop {
        match time::timeout(WAIT_SAID_EVERY, newest.wait_for(reached)).await {
            Ok(Ok(found)) => return Ok(found.clone()),
            Ok(Err(_)) => return Err(TaskExit::Stopped),
            Err(_) => {}
        }
        let read = newest.borrow().version;
        tracing::warn!(
            in_force = version,
            read,
            "a partition waits: its definitions in force were not read from the definitions topic yet"
        );
    }
}

/// Returns whether the definitions in force are loaded: not so just after a claim.
fn is_loaded(folder: &Folder) -> bool {
    folder.loaded_version() == folder.definitions_version()
}

/// Returns the first activation after the one in force.
fn later<'a>(activations: &'a [Activation], folder: &Folder) -> Option<&'a Activation> {
    let in_force = folder.definitions_version();
    activations
        .iter()
        .find(|activation| activation.definitions.version > Some(in_force))
}

/// Returns the next activation if the partition has reached its offset.
fn due<'a>(activations: &'a [Activation], folder: &Folder) -> Option<&'a Activation> {
    later(activations, folder).filter(|next| next.next_offset <= folder.next_offset())
}
