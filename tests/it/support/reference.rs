//! The reference for the tables: a fold in memory that uses `tidemark-projections` alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::Definitions;
use tidemark_projections::digest::{Digest, state_hash};
use tidemark_projections::rollups::Before;
use tidemark_projections::state::{CustomerState, Folded, Late};
use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::registry::RegistryClient;
use tidemark_schemas::{CustomerEvent, CustomerKey, Partitioner, TenantId};

use super::kafka::Kafka;
use super::read;
use super::registry::Registry;
use super::rollups::{Naive, Sums, add_journeys};

/// States by customer, and what is counted of them.
pub(crate) struct Reference {
    definitions: Definitions,
    partitions: i32,
    partitioner: Partitioner,
    states: BTreeMap<CustomerKey, CustomerState>,
    /// The number of events that changed a state. Depends on their order, unlike the states.
    folded: BTreeMap<(TenantId, i32), i64>,
    rollups: Naive,
}

/// The number of customers and the digest of one tenant in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) customers: i64,
    pub(crate) digest: Digest,
}

impl Reference {
    pub(crate) fn new(definitions: Definitions, partitions: i32, partitioner: Partitioner) -> Self {
        let (states, folded) = (BTreeMap::new(), BTreeMap::new());
        Self {
            definitions,
            partitions,
            partitioner,
            states,
            folded,
            rollups: Naive::default(),
        }
    }

    /// Reads both topics from the beginning and folds the events in the order of the log, except
    /// those that are misrouted, late, undecodable or of an undefined tenant.
    pub(crate) async fn from_topic(
        kafka: &Kafka,
        topic: &str,
        definitions_topic: &str,
        partitioner: Partitioner,
    ) -> Self {
        let registry = Registry::shared().client();
        Self::with_registry(registry, kafka, topic, definitions_topic, partitioner).await
    }

    /// Does the same as [`Reference::from_topic`] with the schemas of another registry.
    pub(crate) async fn with_registry(
        registry: Arc<RegistryClient>,
        kafka: &Kafka,
        topic: &str,
        definitions_topic: &str,
        partitioner: Partitioner,
    ) -> Self {
        let definitions = read::definitions(kafka, definitions_topic);
        let partitions = i32::try_from(read::ends(kafka, topic).len()).unwrap();
        let mut reference = Self::new(definitions, partitions, partitioner);
        let decoder = Decoder::new(registry);
        for record in read::records(kafka, topic) {
            let Some(event) = decode(&decoder, &record.value).await else {
                continue;
            };
            let dated_ahead =
                event.occurred_at > record.appended_at.plus_micros(5 * 60 * 1_000_000);
            if reference.partition_of(&event.key()) == record.partition && !dated_ahead {
                reference.fold(&event);
            }
        }
        reference
    }

    /// Folds one event. Returns `None` for a tenant without a definition.
    pub(crate) fn fold(&mut self, event: &CustomerEvent) -> Option<Result<Folded, Late>> {
        let key = event.key();
        let partition = self
            .partitioner
            .partition(key.record_key().as_bytes(), self.partitions);
        let mut state = self.states.get(&key).cloned().unwrap_or_default();
        let definitions = self.definitions.tenant(&key.tenant)?;
        let accepted = self.definitions.accepts_late(&key.tenant, event.event_id);
        let mut window = definitions.attribution_days;
        let before = Before::fold(event, accepted, &state, window, definitions);
        let folded = self.definitions.fold(&mut state, event)?;
        if folded == Ok(Folded::New) {
            let sums = before.folded(&state, &mut window, definitions);
            self.rollups.note_credits(&key.tenant, partition, &sums);
        }
        if let Ok(folded) = folded {
            self.rollups.note(event, folded);
            self.states.insert(key, state);
        }
        if folded == Ok(Folded::New) {
            *self
                .folded
                .entry((event.tenant_id.clone(), partition))
                .or_default() += 1;
        }
        Some(folded)
    }

    /// Returns the definitions that the events are folded with.
    pub(crate) const fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Returns the partition of a customer.
    pub(crate) fn partition_of(&self, key: &CustomerKey) -> i32 {
        self.partitioner
            .partition(key.record_key().as_bytes(), self.partitions)
    }

    /// Returns the rollups that follow from events and last states alone.
    pub(crate) fn rollups(&self) -> Sums {
        let partition_of = |key: &CustomerKey| self.partition_of(key);
        let mut sums = self.rollups.sums(&self.definitions, partition_of);
        add_journeys(&self.states, &self.definitions, partition_of, &mut sums);
        sums
    }

    /// Returns canonical bytes by customer.
    pub(crate) fn states(&self) -> BTreeMap<CustomerKey, Vec<u8>> {
        self.states
            .iter()
            .map(|(key, state)| (key.clone(), state.encode()))
            .collect()
    }

    /// Returns the number of customers and the digest by tenant and partition, computed from the
    /// states.
    pub(crate) fn sums(&self) -> BTreeMap<(TenantId, i32), Sum> {
        let mut sums = BTreeMap::<_, Sum>::new();
        for (key, state) in &self.states {
            let sum = sums
                .entry((key.tenant.clone(), self.partition_of(key)))
                .or_default();
            let hash = state_hash(&key.tenant, &key.customer, &state.encode());
            sum.customers += 1;
            sum.digest.replace(None, Some(hash));
        }
        sums
    }

    /// Returns the number of events that changed a state, by tenant and partition.
    pub(crate) fn folded(&self) -> &BTreeMap<(TenantId, i32), i64> {
        &self.folded
    }
}

async fn decode(decoder: &Decoder, value: &[u8]) -> Option<CustomerEvent> {
    let event = match decoder.decode(value) {
        Err(DecodeError::SchemaNeeded { id }) => {
            decoder.fetch(id).await.ok()?;
            decoder.decode(value)
        }
        settled => settled,
    };
    let event = event.ok()?;
    event.validate().is_ok().then_some(event)
}
