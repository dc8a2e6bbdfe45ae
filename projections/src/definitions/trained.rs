//! Reading the `models:` block.

use super::problems::Problems;
use super::tree::Node;
use crate::models::TrainedModels;

/// Machines write models and machines read them: one place, that of the block, is enough.
pub(crate) fn models(node: &Node, problems: &mut Problems) -> Option<TrainedModels> {
    let read = serde_json::from_value::<TrainedModels>(node.to_json());
    let sound = read.map_err(|error| format!("not what `tidemark train` writes: {error}"));
    let sound = sound.and_then(|models| models.problem().map_or(Ok(models), Err));
    sound
        .map_err(|message| problems.add(&node.place, message))
        .ok()
}
