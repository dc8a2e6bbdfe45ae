//! The lag of the partitions: where the brokers say that the log ends, less what is committed.
//!
//! The brokers are asked, not the tables: what a processor wrote is old when none runs. Where the
//! brokers do not answer, it is said how old the figures of the tables are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::consumer::BaseConsumer;
use serde::Serialize;
use tidemark_kafka::diagnostics::LastError;
use tidemark_kafka::{KafkaConfig, log_ends};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::Instant as Moment;

use crate::database::{PartitionProgress, Projections};

/// The time within which the brokers must answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The time within which records that arrived before a command must be folded.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The age of its last heartbeat from which a partition counts as unowned, in seconds: owners write
/// one every three seconds at least.
const SILENT_AFTER: f64 = 10.0;

/// The brokers, asked for the ends of a topic's partitions.
#[allow(
    missing_debug_implementations,
    reason = "the consumer is a foreign handle"
)]
pub(crate) struct Brokers {
    kafka: KafkaConfig,
    consumer: Arc<BaseConsumer<LastError>>,
}

/// The lag of every partition.
#[derive(Debug, Serialize)]
pub(crate) struct Lag {
    /// The sum over all partitions with a known end.
    #[serde(rename = "lag")]
    pub(crate) total: i64,
    /// The instant for which the lag holds; `None` unless the end of every partition is known.
    #[serde(rename = "lag_as_of")]
    pub(crate) as_of: Option<Moment>,
    /// The partitions, in order.
    pub(crate) partitions: Vec<PartitionLag>,
    /// The reason why the brokers did not answer.
    pub(crate) unanswered: Option<String>,
}

/// The lag of one partition.
#[derive(Debug, Serialize)]
pub(crate) struct PartitionLag {
    #[serde(flatten)]
    pub(crate) progress: PartitionProgress,
    /// The number of records that are not folded; `None` if the end of the log is not known.
    pub(crate) lag: Option<i64>,
    pub(crate) clock: Option<Moment>,
    /// The instant by which every timer due has fired; behind the clock while many are due at once.
    pub(crate) timers_fired_to: Option<Moment>,
    /// Whether a processor owns the partition and has shown so lately.
    pub(crate) is_owned: bool,
    /// The last sign of life of an owner; `None` if no processor has claimed the partition.
    pub(crate) seen_at: Option<Moment>,
}

impl Brokers {
    /// Creates the client; it connects when it is first asked.
    pub(crate) fn new(kafka: KafkaConfig) -> anyhow::Result<Self> {
        let consumer = Arc::new(kafka.lookup_consumer()?);
        Ok(Self { kafka, consumer })
    }

    /// Returns the topic of events.
    pub(crate) fn topic(&self) -> &str {
        &self.kafka.topic
    }

    /// Returns the first offset of each partition whose leader answers.
    pub(crate) async fn beginnings(
        &self,
        partitions: Vec<i32>,
    ) -> anyhow::Result<BTreeMap<i32, i64>> {
        let (kafka, consumer) = (self.kafka.clone(), Arc::clone(&self.consumer));
        let ask = move || {
            let beginnings = Mutex::new(BTreeMap::new());
            let collect = |answers| extend(&beginnings, answers);
            let (topic, within) = (&kafka.topic, ANSWER_WITHIN);
            let asked = log_ends::ask_beginnings(&consumer, topic, &partitions, within, collect);
            if let Err(error) = asked {
                tracing::debug!(%error, "the beginnings of the log are not known");
            }
            beginnings.into_inner().unwrap_or_default()
        };
        Ok(tokio::task::spawn_blocking(ask).await?)
    }

    /// Returns the last stable offset of each partition whose leader answers, or the reason why no
    /// broker does.
    async fn ends(
        &self,
        partitions: Vec<i32>,
    ) -> anyhow::Result<Result<BTreeMap<i32, i64>, String>> {
        let (kafka, consumer) = (self.kafka.clone(), Arc::clone(&self.consumer));
        let ask = move || {
            let ends = Mutex::new(BTreeMap::new());
            let collect = |answers| extend(&ends, answers);
            let topic = &kafka.topic;
            log_ends::ask(&consumer, topic, &partitions, ANSWER_WITHIN, collect)
                .map_err(|error| kafka.unreachable(&consumer, &error).to_string())?;
            Ok(ends.into_inner().unwrap_or_default())
        };
        Ok(tokio::task::spawn_blocking(ask).await?)
    }
}

fn extend(offsets: &Mutex<BTreeMap<i32, i64>>, answers: Vec<(i32, i64)>) {
    let mut offsets = offsets
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    offsets.extend(answers);
}

/// Waits a moment until every partition has folded what the log holds now. Fails otherwise, and says what
/// follows from it: `unknown` if the brokers do not answer, `behind` if partitions are behind.
pub(crate) async fn require_folded(
    brokers: &Brokers,
    projections: &Projections,
    unknown: &str,
    behind: &str,
) -> anyhow::Result<()> {
    let begun = Lag::read(brokers, projections).await?;
    if let Some(reason) = &begun.unanswered {
        bail!("whether everything is folded is not known ({reason}): {unknown}");
    }
    let ends: BTreeMap<i32, i64> = begun
        .partitions
        .iter()
        .filter_map(|found| {
            let position = &found.progress;
            Some((position.partition, position.next_offset + found.lag?))
        })
        .collect();
    let deadline = Instant::now() + CATCH_UP_WITHIN;
    loop {
        let positions = projections.positions(brokers.topic()).await?;
        let late = ends.iter().filter_map(|(partition, end)| {
            let lag = end - positions.get(partition).copied().unwrap_or(0);
            (lag > 0).then(|| format!("partition {partition} by {lag} records"))
        });
        let late: Vec<_> = late.collect();
        if late.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "partitions are behind the log: {}. {behind}",
                late.join(", ")
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Lag {
    /// Asks the brokers, then reads what is committed.
    pub(crate) async fn read(brokers: &Brokers, projections: &Projections) -> anyhow::Result<Self> {
        let now = WallClock::System.now();
        let numbers = (0..projections.partition_count()).collect();
        let (ends, unanswered) = match brokers.ends(numbers).await? {
            Ok(ends) => (ends, None),
            Err(reason) => (BTreeMap::new(), Some(reason)),
        };
        let progress = projections.partitions(&brokers.kafka.topic).await?;
        let mut as_of = Some(now);
        let partitions: Vec<PartitionLag> = progress
            .into_iter()
            .map(|progress| {
                let seen = ends.get(&progress.partition).map(|end| (*end, now));
                let end = seen.or_else(|| progress.stored_end());
                as_of = as_of.min(end.map(|(_, at)| at));
                PartitionLag::new(progress, end.map(|(end, _)| end))
            })
            .collect();
        let missing = partitions.len() - ends.len().min(partitions.len());
        let unanswered = unanswered.or_else(|| {
            (missing > 0).then(|| format!("the leaders of {missing} partitions do not answer"))
        });
        Ok(Self {
            total: partitions
                .iter()
                .filter_map(|partition| partition.lag)
                .sum(),
            as_of,
            partitions,
            unanswered,
        })
    }

    /// Returns the partitions without an owner, those with the greatest lag first.
    pub(crate) fn unowned(&self) -> Vec<&PartitionLag> {
        let partitions = self.partitions.iter();
        let mut unowned: Vec<_> = partitions.filter(|found| !found.is_owned).collect();
        unowned.sort_by_key(|partition| std::cmp::Reverse(partition.lag));
        unowned
    }
}

impl PartitionLag {
    fn new(progress: PartitionProgress, end: Option<i64>) -> Self {
        Self {
            lag: end.map(|end| (end - progress.next_offset).max(0)),
            clock: progress.clock(),
            timers_fired_to: progress.timers_fired_to(),
            is_owned: progress
                .silent_seconds
                .is_some_and(|seconds| seconds < SILENT_AFTER),
            seen_at: progress.seen_at.and_then(Moment::from_micros),
            progress,
        }
    }
}
