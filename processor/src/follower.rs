//! The follower of the definitions topic: stores its records in the database, and hands the definitions
//! that they amount to to the partitions' tasks.

use std::thread;
use std::time::{Duration, Instant as Elapsed};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tidemark_kafka::KafkaConfig;
use tidemark_projections::definitions::{
    Definitions, NotApplied, Rejected, TenantDefinitions, UnknownFormat,
};
use tidemark_schemas::{Instant, TenantId};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::WallClock;
use crate::error::ProcessorError;
use crate::intake::{has_changed, log_error};
use crate::log_identity;
use crate::metrics::Metrics;
use crate::store::{BundleEffect, BundleRow, Database, KeptDefinitions, StoreError};

const POLL: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_millis(250);
/// The longest time that the start waits for the definitions applied so far. Events of tenants unknown by
/// then are parked, and redriven without a command.
const FIRST_READ: Duration = Duration::from_secs(10);
/// The interval at which a follower that cannot go on looks whether a newer binary did.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// The interval at which it repeats why it cannot go on.
const REPEAT_EVERY: Duration = Duration::from_mins(1);

/// The context of the consumer; it logs errors as the intake does.
struct FollowerContext;

impl ClientContext for FollowerContext {
    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl ConsumerContext for FollowerContext {}

/// See the module.
pub(crate) struct Follower {
    database: Database,
    kafka: watch::Receiver<KafkaConfig>,
    consumer: BaseConsumer<FollowerContext>,
    /// The offset of the first record not stored.
    next: i64,
    /// The last record stored before the start.
    last: Option<(i64, String)>,
    clock: WallClock,
    metrics: Metrics,
    runtime: Handle,
    shutdown: CancellationToken,
    definitions: Definitions,
    newest: NewestDefinitions,
    /// The record at which this binary cannot go on, and when that was last said.
    unknown: Option<(UnknownFormat, Elapsed)>,
}

/// What a follower tells the partitions.
#[derive(Debug, Clone)]
pub(crate) struct NewestDefinitions {
    /// The newest definitions that this binary knows.
    pub(crate) definitions: watch::Sender<Definitions>,
    /// Whether a newer binary has put definitions in force that this one does not know: it must leave
    /// the partitions to it.
    pub(crate) stands_by: watch::Sender<bool>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("version", &self.definitions.version)
            .finish_non_exhaustive()
    }
}

impl Follower {
    /// Loads the definitions that the database holds, and connects at the record after them.
    pub(crate) async fn start(
        mut kafka: watch::Receiver<KafkaConfig>,
        database: Database,
        clock: WallClock,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Result<(Self, NewestDefinitions), ProcessorError> {
        let KeptDefinitions {
            definitions,
            next_offset: next,
            last_record: last,
            unknown,
        } = database.load_definitions().await?;
        let consumer = consumer_from(&kafka.borrow_and_update(), next)?;
        metrics
            .definitions_version
            .set(definitions.version.unwrap_or(-1));
        if let Some(unknown) = &unknown {
            say_stands_by(unknown);
            metrics.definitions_unknown_format.set(1);
        }
        let newest = NewestDefinitions {
            definitions: watch::Sender::new(definitions.clone()),
            stands_by: watch::Sender::new(unknown.is_some()),
        };
        let runtime = Handle::current();
        let follower = Self {
            database,
            kafka,
            consumer,
            next,
            last,
            clock,
            metrics,
            runtime,
            shutdown,
            definitions,
            newest: newest.clone(),
            unknown: None,
        };
        Ok((follower, newest))
    }

    /// Reads the topic to its end, for ten seconds at most. Blocks its thread.
    pub(crate) fn catch_up(&mut self) -> Result<(), ProcessorError> {
        self.check_log()?;
        let started = Elapsed::now();
        while started.elapsed() < FIRST_READ && !self.shutdown.is_cancelled() {
            if self.poll()? {
                return Ok(());
            }
        }
        tracing::warn!("the definitions topic was not read to its end yet; going on without");
        Ok(())
    }

    /// Checks that the topic is the one of which the database keeps the records.
    fn check_log(&self) -> Result<(), ProcessorError> {
        let kafka = self.kafka.borrow().clone();
        let position = log_identity::Position {
            topic: &kafka.definitions_topic,
            partition: 0,
            next_offset: self.next,
            last_offset: self.last.as_ref().map(|(offset, _)| *offset),
        };
        log_identity::check_topic(&kafka, &position, &self.shutdown, |record| {
            let bytes = record.value.as_deref().unwrap_or_default();
            let last = self.last.as_ref().map(|(_, text)| text);
            last == Some(&kept_text(bytes))
        })
    }

    /// Follows the topic until told to stop. Blocks its thread.
    pub(crate) fn run(&mut self) -> Result<(), ProcessorError> {
        while !self.shutdown.is_cancelled() {
            self.poll()?;
        }
        Ok(())
    }

    /// Polls once; returns `true` at the end of what can be read of the topic.
    fn poll(&mut self) -> Result<bool, ProcessorError> {
        if self.unknown.is_some() {
            self.stand()?;
            return Ok(true);
        }
        if has_changed(&self.kafka) {
            self.reconnect();
        }
        let (version, appended_at, record) = match self.consumer.poll(POLL) {
            None => return Ok(false),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(true),
            Some(Err(error)) => return Self::tolerate(&error).map(|()| false),
            Some(Ok(message)) => (
                message.offset(),
                self.clock.time_of(message.timestamp()),
                message.payload().unwrap_or_default().to_vec(),
            ),
        };
        match self.definitions.apply(version, appended_at, &record) {
            Err(NotApplied::UnknownFormat(unknown)) => {
                tracing::error!(in_force = self.definitions.version, "{unknown}");
                self.metrics.definitions_unknown_format.set(1);
                self.unknown = Some((unknown, Elapsed::now()));
                return Ok(true);
            }
            Err(NotApplied::Rejected(rejected)) => {
                self.take(version, appended_at, &record, Err(rejected))?;
            }
            Ok(definitions) => self.take(version, appended_at, &record, Ok(definitions))?,
        }
        self.next = version + 1;
        Ok(false)
    }

    /// Waits at a record of an unknown format. Folding continues with the definitions before it, until a
    /// newer binary has put the record in force.
    fn stand(&mut self) -> Result<(), ProcessorError> {
        let Some((unknown, said)) = &mut self.unknown else {
            return Ok(());
        };
        if said.elapsed() > REPEAT_EVERY {
            tracing::error!(in_force = self.definitions.version, "{unknown}");
            *said = Elapsed::now();
        }
        match self.runtime.block_on(self.database.unknown_format()) {
            Ok(None) | Err(StoreError::Unavailable(_)) => {}
            Ok(Some(unknown)) => {
                if !self.newest.stands_by.send_replace(true) {
                    say_stands_by(&unknown);
                }
            }
            Err(error) => return Err(error.into()),
        }
        let until = Elapsed::now() + CHECK_EVERY;
        while Elapsed::now() < until && !self.shutdown.is_cancelled() {
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Continues at the same position with a consumer that has the changed credentials.
    fn reconnect(&mut self) {
        let made = consumer_from(&self.kafka.borrow_and_update(), self.next);
        match made {
            Ok(consumer) => self.consumer = consumer,
            Err(error) => {
                tracing::warn!(%error, "the definitions are followed as before");
                self.kafka.mark_changed();
                thread::sleep(RETRY);
            }
        }
    }

    fn tolerate(error: &KafkaError) -> Result<(), ProcessorError> {
        match error {
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
            )
            | KafkaError::MessageConsumptionFatal(_) => Err(ProcessorError::Topic {
                topic: "definitions".to_owned(),
                reason: format!("records that were not read yet are gone from it ({error})"),
            }),
            // Brokers that are away come back, and the context has logged it with the reason.
            _ => Ok(()),
        }
    }

    fn take(
        &mut self,
        version: i64,
        appended_at: Instant,
        record: &[u8],
        applied: Result<Definitions, Rejected>,
    ) -> Result<(), ProcessorError> {
        let mut row = BundleRow {
            version,
            appended_at,
            bundle: kept_text(record),
            format: 1,
            rejected: None,
        };
        match applied {
            Err(rejected) => {
                tracing::warn!(version, %rejected, "definitions not applied");
                row.rejected = Some(rejected.to_string().replace('\0', "\u{fffd}"));
                self.record(&row, &BundleEffect::default())
            }
            Ok(definitions) => {
                let read = UnknownFormat::of_record(version, record);
                row.format = read.map_or(row.format, |read| read.format);
                let effect = BundleEffect {
                    tenants: tenants_of(&definitions, version)?,
                    renamed: renamed(&definitions, &self.definitions)?,
                    accepted_late: definitions.newly_accepted(&self.definitions),
                    offboarded: offboarded(&definitions, &self.definitions),
                };
                self.record(&row, &effect)?;
                tracing::info!(version, "definitions applied");
                self.metrics.definitions_version.set(version);
                self.definitions = definitions;
                self.newest
                    .definitions
                    .send_replace(self.definitions.clone());
                Ok(())
            }
        }
    }

    fn record(&self, row: &BundleRow, effect: &BundleEffect) -> Result<(), ProcessorError> {
        while !self.shutdown.is_cancelled() {
            match self
                .runtime
                .block_on(self.database.record_bundle(row, effect))
            {
                Err(StoreError::Unavailable(error)) => {
                    tracing::warn!(%error, "waiting for the database to keep definitions");
                    thread::sleep(RETRY);
                }
                kept => return Ok(kept?),
            }
        }
        Ok(())
    }
}

fn say_stands_by(unknown: &UnknownFormat) {
    tracing::error!(
        "{unknown}. A newer processor has put them in force: this one leaves the partitions to it and \
         stands by"
    );
}

/// Returns a record as the database keeps it: Postgres text holds no NUL, and a record may be anything.
fn kept_text(record: &[u8]) -> String {
    String::from_utf8_lossy(record).replace('\0', "\u{fffd}")
}

/// Returns a consumer of the definitions that begins at an offset.
fn consumer_from(
    kafka: &KafkaConfig,
    next: i64,
) -> Result<BaseConsumer<FollowerContext>, KafkaError> {
    let consumer: BaseConsumer<FollowerContext> = kafka
        .consumer()
        .set("group.id", format!("{}-definitions", kafka.group))
        .create_with_context(FollowerContext)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&kafka.definitions_topic, 0, Offset::Offset(next))?;
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Returns the tenants that a bundle defined, each as the JSON that the API reads.
fn tenants_of(
    definitions: &Definitions,
    version: i64,
) -> Result<Vec<(TenantId, String)>, ProcessorError> {
    definitions
        .tenants
        .values()
        .filter(|tenant| tenant.version == version)
        .map(|tenant| Ok((tenant.id.clone(), json(tenant)?)))
        .collect()
}

/// Returns the tenants that a bundle only renamed, with the version under which they are evaluated.
fn renamed(
    definitions: &Definitions,
    before: &Definitions,
) -> Result<Vec<(TenantId, String, i64)>, ProcessorError> {
    let renamed = definitions.renamed(before);
    renamed
        .map(|tenant| Ok((tenant.id.clone(), json(tenant)?, tenant.version)))
        .collect()
}

/// Returns the tenants that a bundle offboarded.
fn offboarded(definitions: &Definitions, before: &Definitions) -> Vec<TenantId> {
    let offboarded = definitions.offboarded_after(before.version.unwrap_or(-1));
    offboarded.cloned().collect()
}

fn json(tenant: &TenantDefinitions) -> Result<String, ProcessorError> {
    let json = serde_json::to_string(&tenant.source);
    json.map_err(|error| ProcessorError::Internal(error.to_string()))
}
