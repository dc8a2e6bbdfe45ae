//! A database filled with projections: definitions and events go in, rows come out, through the
//! folds and statements of the processor. Without Kafka, which other tests cover.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemark_processor::migrate::{GenerationSpec, ensure_generation};
use tidemark_processor::parking::Reason;
use tidemark_processor::store::{
    Batch, BundleEffect, BundleRow, ChangeSet, Committed, CustomerRow, Heartbeat, Owner, ParkedRow,
    Reevaluation, Store, StoreConfig, TenantDigest,
};
use tidemark_projections::counter::CounterKind;
use tidemark_projections::customer::{Customer, InForce, Tracking};
use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_projections::digest::state_hash;
use tidemark_projections::evaluated::{Change, ChangeKind, Delta, EvaluatedState};
use tidemark_projections::rollups::Rollups;
use tidemark_projections::state::Folded;
use tidemark_schemas::{CustomerEvent, CustomerKey, Instant, Partitioner, TenantId};

use crate::support::postgres::Database;

pub(crate) const TOPIC: &str = "customer-events";
pub(crate) const PARTITIONS: i32 = 3;

/// A migrated database, the definitions in force, and folded events that are not yet committed.
pub(crate) struct World {
    pub(crate) database: Database,
    store: Store,
    definitions: Definitions,
    partitions: Vec<Partition>,
}

/// The position of one partition.
struct Partition {
    /// The batch that the next one follows.
    last: Batch,
    commits: i64,
    customers: BTreeMap<CustomerKey, Folding>,
    digests: BTreeMap<TenantId, TenantDigest>,
    parked: Vec<ParkedRow>,
    rollups: BTreeMap<TenantId, Rollups>,
}

/// A customer, and what is not committed of it.
struct Folding {
    customer: Customer,
    committed: Option<EvaluatedState>,
    changes: Vec<Change>,
    new_events: i64,
}

impl World {
    /// Creates a world with every partition claimed and nothing folded.
    pub(crate) async fn new() -> Self {
        Self::over(Database::fresh().await).await
    }

    /// Creates a world in a migrated database.
    pub(crate) async fn over(database: Database) -> Self {
        let spec = GenerationSpec {
            topic: TOPIC.to_owned(),
            partitions: PARTITIONS,
            partitioner: Partitioner::Murmur2,
        };
        ensure_generation(&database.url, &spec).await.unwrap();
        let config = StoreConfig {
            url: database.url.clone(),
            role: Some("tidemark_processor".to_owned()),
            writers: 1,
            synchronous_commit: false,
        };
        let shared = tidemark_processor::store::Database::connect(&config)
            .await
            .unwrap();
        let generation = shared.active_generation().await.unwrap();
        let store = Store::open(&shared, generation).unwrap();
        let mut partitions = Vec::new();
        for partition in 0..PARTITIONS {
            let claim = store.claim(TOPIC, partition, "a test").await.unwrap();
            let last = Batch {
                partition,
                epoch: claim.epoch,
                nonce: claim.nonce,
                new_next_offset: claim.next_offset,
                clock: claim.clock.micros(),
                fired_to: claim.fired_to.micros(),
                definitions: claim.definitions,
                ..Batch::default()
            };
            partitions.push(Partition::new(last, claim.commits));
        }
        Self {
            database,
            store,
            definitions: Definitions::default(),
            partitions,
        }
    }

    /// Applies definitions (YAML) in every partition, without re-evaluation of existing customers.
    pub(crate) async fn define(&mut self, version: i64, yaml: &str) {
        self.record_definitions(version, yaml).await;
        for partition in &mut self.partitions {
            partition.last.definitions = version;
        }
    }

    /// Records definitions without applying them, as the processor does before any partition acts
    /// on them.
    pub(crate) async fn record_definitions(&mut self, version: i64, yaml: &str) {
        let files = [("test.yaml".to_owned(), yaml.to_owned())];
        let mut bundle = Bundle::from_files(&files, "a test").unwrap();
        bundle.based_on = self.definitions.version;
        let record = serde_json::to_string(&bundle).unwrap();
        let appended_at = at("2024-01-01T00:00:00Z");
        self.definitions = self
            .definitions
            .apply(version, appended_at, record.as_bytes())
            .unwrap();
        let mut effect = BundleEffect::default();
        for source in &bundle.tenants {
            let definition = serde_json::to_string(source).unwrap();
            effect.tenants.push((tenant(&source.tenant.id), definition));
        }
        let row = BundleRow {
            version,
            appended_at,
            bundle: record,
            format: bundle.format,
            rejected: None,
        };
        self.store
            .database()
            .record_bundle(&row, &effect)
            .await
            .unwrap();
    }

    /// Folds one event with an id made from `number`.
    pub(crate) fn fold(
        &mut self,
        key: (&str, &str),
        number: u32,
        occurred_at: &str,
        payload: &serde_json::Value,
    ) {
        let event = serde_json::json!({
            "event_id": format!("00000000-0000-4000-8000-{number:012}"),
            "tenant_id": key.0,
            "customer_id": key.1,
            "source": "test",
            "occurred_at": occurred_at,
            "payload": payload,
        });
        let event = CustomerEvent::from_json(&event.to_string()).unwrap();
        let key = event.key();
        let definitions = self.definitions.tenant(&key.tenant).unwrap();
        let home = Partitioner::Murmur2.partition(key.record_key().as_bytes(), PARTITIONS);
        let partition = &mut self.partitions[usize::try_from(home).unwrap()];
        let folding = partition.customers.entry(key.clone());
        let folding = folding.or_insert_with(|| Folding::new(definitions.version));
        let in_force = InForce {
            definitions,
            tracking: &Tracking::new(),
        };
        let fold = folding.customer.fold(in_force, &event, Instant::MIN);
        assert_eq!(
            fold.outcome,
            Ok(Folded::New),
            "each event of a test has a number of its own"
        );
        folding.new_events += 1;
        folding.changes.extend(fold.effects.changes);
        let sums = partition.rollups.entry(key.tenant).or_default();
        sums.extend(fold.effects.rollups);
    }

    /// Parks an event of the tenant.
    pub(crate) fn park(&mut self, tenant_id: &str, partition: i32, offset: i64, reason: Reason) {
        self.partitions[usize::try_from(partition).unwrap()]
            .parked
            .push(ParkedRow {
                offset,
                tenant: Some(tenant(tenant_id)),
                customer: None,
                source: None,
                reason,
                detail: "a test".to_owned(),
                field: None,
                key: None,
                value: Some(b"what came".to_vec()),
                headers: Vec::new(),
                appended_at: at("2024-01-01T00:00:00Z"),
            });
    }

    /// Fires the timers due by `clock` and commits the folded events, with the clock of every
    /// partition at `clock`, ten offsets on, and a lag of one record each.
    pub(crate) async fn commit(&mut self, clock: &str) {
        let until = at(clock);
        for partition in &mut self.partitions {
            for (key, folding) in &mut partition.customers {
                let definitions = self.definitions.tenant(&key.tenant).unwrap();
                let effects = folding.customer.advance(definitions, until);
                folding.changes.extend(effects.changes);
                let sums = partition.rollups.entry(key.tenant.clone()).or_default();
                sums.extend(effects.rollups);
            }
        }
        self.commit_at(clock, clock).await;
    }

    /// Does the same as [`World::commit`] without firing timers: `fired_to` is what is said of them.
    pub(crate) async fn commit_at(&mut self, clock: &str, fired_to: &str) {
        for number in 0..self.partitions.len() {
            let here = &mut self.partitions[number];
            here.last.fired_to = at(fired_to).micros();
            let batch = here.batch(at(clock), here.last.definitions);
            self.write(number, batch).await;
        }
    }

    /// Commits a batch in which one partition applies `version` and begins to re-evaluate.
    pub(crate) async fn begin_reevaluation(
        &mut self,
        partition: usize,
        reevaluation: Reevaluation,
    ) {
        let here = &mut self.partitions[partition];
        let clock = Instant::from_micros(here.last.clock).unwrap();
        let mut batch = here.batch(clock, reevaluation.version);
        batch.rows.reevaluations.set(reevaluation);
        self.write(partition, batch).await;
    }

    async fn write(&mut self, partition: usize, batch: Batch) {
        let committed = self.store.commit(TOPIC, &batch).await.unwrap();
        assert_eq!(committed, Committed::Yes);
        let heartbeat = Heartbeat {
            partition: batch.partition,
            epoch: batch.epoch,
            log_end: Some(batch.new_next_offset + 1),
            age: Duration::ZERO,
        };
        let (owner, heartbeats) = (Owner::default(), [heartbeat]);
        let written = self.store.write_heartbeats(TOPIC, &owner, &heartbeats);
        written.await.unwrap();
        self.partitions[partition].last = batch;
        self.partitions[partition].commits += 1;
    }
}

impl Partition {
    fn new(last: Batch, commits: i64) -> Self {
        Self {
            last,
            commits,
            customers: BTreeMap::new(),
            digests: BTreeMap::new(),
            parked: Vec::new(),
            rollups: BTreeMap::new(),
        }
    }

    fn batch(&mut self, clock: Instant, definitions: i64) -> Batch {
        let last = &self.last;
        let mut batch = Batch {
            partition: last.partition,
            epoch: last.epoch,
            nonce: last.nonce,
            old_commits: self.commits,
            old_next_offset: last.new_next_offset,
            new_next_offset: last.new_next_offset + 10,
            clock: clock.micros(),
            fired_to: last.fired_to,
            change_seq: last.change_seq,
            definitions,
            ..Batch::default()
        };
        for (key, folding) in &mut self.customers {
            let counts = self.digests.entry(key.tenant.clone()).or_default();
            folding.write(key, counts, &mut batch);
        }
        batch.rows.counts.digests = self
            .digests
            .iter()
            .map(|(tenant, counts)| (tenant.clone(), *counts))
            .collect();
        for row in &self.parked {
            let tenant = row.tenant.clone().unwrap();
            let reason = row.reason.to_string();
            batch
                .rows
                .counts
                .add(&tenant, CounterKind::Parked, reason, 1);
        }
        for (tenant, rollups) in std::mem::take(&mut self.rollups) {
            batch.rows.rollups.add(&tenant, rollups);
        }
        batch.rows.parked.parked = std::mem::take(&mut self.parked);
        batch
    }
}

impl Folding {
    fn new(version: i64) -> Self {
        Self {
            customer: Customer::new(version),
            committed: None,
            changes: Vec::new(),
            new_events: 0,
        }
    }

    fn write(&mut self, key: &CustomerKey, counts: &mut TenantDigest, batch: &mut Batch) {
        let evaluated = self.customer.evaluated().clone();
        if self.new_events == 0 && self.committed.as_ref() == Some(&evaluated) {
            return;
        }
        let encoded = self.customer.encode();
        let tenant = &key.tenant;
        if self.committed.is_none() {
            counts.customers += 1;
            counts.digest.replace(
                None,
                Some(state_hash(tenant, &key.customer, &encoded.state)),
            );
            batch
                .rows
                .counts
                .add(tenant, CounterKind::Customers, String::new(), 1);
        }
        counts.events += std::mem::take(&mut self.new_events);
        let delta = Delta::between(self.committed.as_ref(), &evaluated);
        batch.rows.rollups.add(tenant, delta.rollups);
        for (kind, name, by) in delta.offers {
            batch.rows.counts.add(tenant, kind, name, by);
        }
        for (segment, since) in delta.memberships {
            let entered = (key.clone(), segment, since);
            batch.rows.memberships.entered.push(entered);
        }
        for (journey, stage, since) in delta.positions {
            let entered = (key.clone(), journey, stage, since);
            batch.rows.positions.entered.push(entered);
        }
        let changes = std::mem::take(&mut self.changes);
        for change in &changes {
            count(tenant, change, batch);
        }
        if !changes.is_empty() {
            batch.change_seq += 1;
            batch.rows.changes.push(ChangeSet {
                seq: batch.change_seq,
                key: key.clone(),
                definition_version: evaluated.definition_version,
                changes,
            });
        }
        batch.rows.customers.push(CustomerRow {
            key: key.clone(),
            state: encoded.state,
            tracked: encoded.tracked,
            evaluated: encoded.evaluated,
            evaluated_at: evaluated.evaluated_at,
            definition_version: evaluated.definition_version,
            first_seen_at: self.customer.state().first_seen_at().unwrap(),
            last_seen_at: self.customer.state().last_seen_at().unwrap(),
            band: evaluated.band.map(|band| i16::from(band.code())),
            value_minor: evaluated.discrete_scores.value_minor,
        });
        self.committed = Some(evaluated);
    }
}

fn count(tenant: &TenantId, change: &Change, batch: &mut Batch) {
    for (value, delta) in [(&change.from, -1), (&change.to, 1)] {
        let Some(value) = value else { continue };
        let (kind, name) = match change.kind {
            ChangeKind::Segment => (CounterKind::Segment, change.name.to_string()),
            ChangeKind::Stage => (CounterKind::Stage, format!("{}/{value}", change.name)),
            ChangeKind::Trigger => continue,
            ChangeKind::Band => (CounterKind::Band, value.to_string()),
            ChangeKind::Rfm => (CounterKind::Rfm, value.to_string()),
            ChangeKind::Cluster => (CounterKind::Cluster, value.to_string()),
            ChangeKind::RenewalBand => (CounterKind::RenewalBand, value.to_string()),
        };
        batch.rows.counts.add(tenant, kind, name, delta);
    }
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(crate) fn at(text: &str) -> Instant {
    text.parse().unwrap()
}
