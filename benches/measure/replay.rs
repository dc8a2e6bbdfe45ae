//! Yardstick (b): Postgres writes the same rows without a processor in front.
//!
//! A run of the processor in this process keeps its batches. They are then committed to a copy of the
//! database from before that run, by the same statements over as many connections.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidemark_kafka::KafkaConfig;
use tidemark_processor::clock::WallClock;
use tidemark_processor::store::{Batch, Committed, Database, Store, StoreConfig};
use tidemark_processor::{Config, Limits, Processor};
use tidemark_schemas::Partitioner;
use tidemark_schemas::registry::RegistryConfig;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::live;
use super::site::Place;

/// The batches of a run, and its rate.
pub(crate) struct Captured {
    pub(crate) events_per_second: f64,
    batches: BTreeMap<i32, Vec<Batch>>,
}

impl Captured {
    /// The mean number of customer rows of a batch.
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    pub(crate) fn rows_per_batch(&self) -> f64 {
        let batches: usize = self.batches.values().map(Vec::len).sum();
        self.rows() as f64 / batches.max(1) as f64
    }

    fn rows(&self) -> usize {
        let all = self.batches.values().flatten();
        all.map(|batch| batch.rows.customers.len()).sum()
    }
}

/// Runs the processor over the rest of the topic, and keeps its batches.
pub(crate) async fn capture(place: &Place, memory_mib: u64) -> Captured {
    let limits = Limits {
        memory_bytes: usize::try_from(memory_mib).unwrap() * 1024 * 1024,
        ..Limits::default()
    };
    let config = Config {
        kafka: KafkaConfig {
            bootstrap_servers: place.bootstrap_servers.clone(),
            topic: place.topic.clone(),
            definitions_topic: place.definitions_topic.clone(),
            group: format!("{}-capture", place.topic),
            client_id: "bench".to_owned(),
            partitioner: Partitioner::Murmur2,
            properties: BTreeMap::new(),
        },
        registry: RegistryConfig {
            url: place.registry_url.clone(),
            username: None,
            password: None,
            ca_file: None,
        },
        store: store_config(place),
        clock: WallClock::System,
        limits,
    };
    let registry = prometheus::Registry::new();
    let processor = Processor::start(config, &registry).await.unwrap();
    let kept = processor.keep_batches();
    let stop = CancellationToken::new();
    let running = tokio::spawn(processor.run(stop.clone()));
    let pool = place.pool().await;
    let ended = || assert!(!running.is_finished(), "the processor ended");
    let events_per_second = live::rate(&pool, &place.ends_at, ended).await;
    pool.close().await;
    stop.cancel();
    running.await.unwrap().unwrap();
    let mut batches = BTreeMap::<i32, Vec<Batch>>::new();
    for batch in kept.take() {
        batches.entry(batch.partition).or_default().push(batch);
    }
    Captured {
        events_per_second,
        batches,
    }
}

fn store_config(place: &Place) -> StoreConfig {
    StoreConfig {
        url: place.database_url.clone(),
        role: Some("tidemark_processor".to_owned()),
        writers: 4,
        synchronous_commit: false,
    }
}

/// Commits the batches to a copy of the database from before them; returns customer rows per second.
pub(crate) async fn rows_per_second(place: &Place, captured: Captured) -> f64 {
    let database = Database::connect(&store_config(place)).await.unwrap();
    let generation = database.active_generation().await.unwrap();
    let store = Store::open(&database, generation).unwrap();
    let rows = captured.rows();
    let mut partitions = JoinSet::new();
    let mut claimed = Vec::new();
    for (partition, mut batches) in captured.batches {
        let claim = store
            .claim(&place.topic, partition, "replay")
            .await
            .unwrap();
        for batch in &mut batches {
            (batch.epoch, batch.nonce) = (claim.epoch, claim.nonce);
        }
        claimed.push(batches);
    }
    let begun = Instant::now();
    for batches in claimed {
        let (store, topic) = (store.clone(), place.topic.clone());
        partitions.spawn(async move {
            for batch in batches {
                let committed = store.commit(&topic, &batch).await.unwrap();
                assert_eq!(
                    committed,
                    Committed::Yes,
                    "the copy is not the database before the run"
                );
            }
        });
    }
    while let Some(ended) = partitions.join_next().await {
        ended.unwrap();
    }
    per_second(rows, begun.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "a few million")]
fn per_second(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}
