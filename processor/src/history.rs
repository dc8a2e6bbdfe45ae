//! The recorded history of a generation: where in each partition which definitions came into force.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::Definitions;
use tidemark_schemas::Instant;

use crate::store::{ActivationRow, Store, StoreError};

/// The activations of a generation's partitions. See [`Processor::with_history`](crate::Processor).
#[derive(Debug, Clone, Default)]
pub struct RecordedHistory {
    partitions: BTreeMap<i32, Vec<Activation>>,
}

/// Definitions that came into force in a partition.
#[derive(Debug, Clone)]
pub(crate) struct Activation {
    /// The offset of the first record under them.
    pub(crate) next_offset: i64,
    /// The partition's clock when they came into force.
    pub(crate) clock: Instant,
    pub(crate) definitions: Definitions,
}

impl RecordedHistory {
    /// Loads the activations of a generation, with the definitions that its database keeps.
    ///
    /// [`StoreError::Damaged`] where the database does not keep a version that was in force.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let bundles = store.database().load_bundles().await?;
        let mut versions = BTreeMap::new();
        let mut definitions = Definitions::default();
        for bundle in &bundles {
            definitions = bundle.apply_to(definitions)?;
            versions.insert(bundle.version, definitions.clone());
        }
        let mut partitions = BTreeMap::<i32, Vec<Activation>>::new();
        for row in store.load_activations().await? {
            let ActivationRow {
                partition,
                next_offset,
                version,
                clock,
            } = row;
            let definitions = versions.get(&version).cloned().ok_or_else(|| {
                StoreError::Damaged(format!(
                    "definitions version {version} was in force in partition {partition}, and is \
                     not kept"
                ))
            })?;
            partitions.entry(partition).or_default().push(Activation {
                next_offset,
                clock,
                definitions,
            });
        }
        Ok(Self { partitions })
    }

    /// Returns the activations of a partition before an offset, in the order of their versions.
    /// Definitions come into force before the record at their offset: those at the end belong to what
    /// follows.
    pub(crate) fn partition(&self, partition: i32, end: Option<i64>) -> Arc<[Activation]> {
        let all = self.partitions.get(&partition).into_iter().flatten();
        all.filter(|activation| end.is_none_or(|end| activation.next_offset < end))
            .cloned()
            .collect()
    }
}
