//! The definitions topic for its authors: read to the end, append one record, read its outcome.
//!
//! Folding the topic from its beginning always gives the same definitions, so this reader knows
//! whether a record was accepted without a question to the processor.

use std::time::{Duration, Instant as Deadline};

use anyhow::{Context as _, anyhow, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use tidemark_kafka::config::ANSWER_WITHIN;
use tidemark_kafka::diagnostics::LastError;
use tidemark_kafka::topics::require_partitions;
use tidemark_kafka::{ConnectError, KafkaConfig};
use tidemark_projections::definitions::{
    Bundle, Definitions, MAX_BUNDLE_BYTES, NotApplied, Rejected, UnknownFormat,
};
use tidemark_schemas::Instant;

/// The topic has one partition.
const PARTITION: i32 = 0;
/// The time limit of reading without a record.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The definitions topic, read up to some offset.
#[derive(Debug, Clone)]
pub(crate) struct DefinitionsLog {
    kafka: KafkaConfig,
    /// The definitions after its records.
    pub(crate) definitions: Definitions,
    next_offset: i64,
}

/// A record that was read.
struct Record {
    offset: i64,
    appended_at: Instant,
    value: Vec<u8>,
}

impl DefinitionsLog {
    /// Reads the topic from its beginning to its end. Blocks.
    pub(crate) fn read(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let partitions = require_partitions(kafka, &kafka.definitions_topic)?;
        if partitions != 1 {
            bail!(
                "topic {} must have one partition, not {partitions}",
                kafka.definitions_topic
            );
        }
        let mut log = Self {
            kafka: kafka.clone(),
            definitions: Definitions::default(),
            next_offset: 0,
        };
        // What was rejected is in the log as well, and changes nothing.
        log.advance(|_, _| {})?;
        Ok(log)
    }

    /// Returns the first record from an offset on that only a newer version of Tidemark can read: `definitions` are
    /// those before it. Blocks.
    pub(crate) fn find_unknown_format(
        kafka: &KafkaConfig,
        definitions: Definitions,
        next_offset: i64,
    ) -> anyhow::Result<Option<UnknownFormat>> {
        let mut log = Self {
            kafka: kafka.clone(),
            definitions,
            next_offset,
        };
        match log.advance(|_, _| {}) {
            Ok(()) => Ok(None),
            Err(error) => error.downcast::<UnknownFormat>().map(Some),
        }
    }

    /// Returns the definitions after this bundle, if no other bundle is applied in between.
    pub(crate) fn try_apply(
        &self,
        bundle: &Bundle,
        at: Instant,
    ) -> Result<Definitions, NotApplied> {
        let record = bundle.to_record();
        self.definitions.apply(self.next_offset, at, &record)
    }

    /// Appends one record and reads on until it is known what became of it: its version.
    pub(crate) async fn append(mut self, bundle: &Bundle) -> anyhow::Result<(Self, i64)> {
        let record = serde_json::to_vec(bundle)?;
        if record.len() > MAX_BUNDLE_BYTES {
            bail!(
                "the definitions are {} bytes and one record holds {MAX_BUNDLE_BYTES}: apply \
                 fewer tenants at once",
                record.len()
            );
        }
        let offset = publish(&self.kafka, &record).await?;
        let read = tokio::task::spawn_blocking(move || {
            let mut rejection = None;
            self.advance(|found, rejected| {
                if found == offset {
                    rejection = Some(rejected.cloned());
                }
            })?;
            anyhow::Ok((self, rejection))
        });
        match read.await?? {
            (log, Some(None)) => Ok((log, offset)),
            (_, Some(Some(Rejected::Conflict { .. }))) => bail!(
                "another author applied definitions at the same moment, so these were not \
                 accepted: read the others with `tidemark define list`, then apply again"
            ),
            (_, Some(Some(rejected))) => bail!("the definitions were not accepted: {rejected}"),
            (_, None) => bail!("the record at offset {offset} cannot be read back"),
        }
    }

    /// Reads what was appended since, telling of each record whether it was rejected. An error where
    /// only a newer version of Tidemark can tell.
    fn advance(&mut self, mut tell: impl FnMut(i64, Option<&Rejected>)) -> anyhow::Result<()> {
        for record in self.read_on()? {
            let applied = self
                .definitions
                .apply(record.offset, record.appended_at, &record.value);
            match applied {
                Ok(definitions) => {
                    tell(record.offset, None);
                    self.definitions = definitions;
                }
                Err(NotApplied::Rejected(rejected)) => tell(record.offset, Some(&rejected)),
                Err(NotApplied::UnknownFormat(unknown)) => bail!(unknown),
            }
            self.next_offset = record.offset + 1;
        }
        Ok(())
    }

    fn read_on(&self) -> anyhow::Result<Vec<Record>> {
        let topic = &self.kafka.definitions_topic;
        let consumer = self.kafka.lookup_consumer()?;
        let (low, high) = consumer
            .fetch_watermarks(topic, PARTITION, ANSWER_WITHIN)
            .map_err(|error| self.kafka.unreachable(&consumer, &error))?;
        if low > self.next_offset {
            bail!(
                "topic {topic} begins at offset {low}: its first records are gone, and with them \
                 the definitions (it needs cleanup.policy=delete and retention.ms=-1)"
            );
        }
        if high <= self.next_offset {
            return Ok(Vec::new());
        }
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, PARTITION, Offset::Offset(self.next_offset))?;
        consumer.assign(&assignment)?;
        read_to_end(&consumer, topic)
    }
}

fn read_to_end(consumer: &BaseConsumer<LastError>, topic: &str) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut deadline = Deadline::now() + READ_TIMEOUT;
    while Deadline::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                records.push(record(&message));
                deadline = Deadline::now() + READ_TIMEOUT;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            Some(Err(error)) => {
                tracing::debug!(%error, topic, "while reading definitions");
            }
        }
    }
    Err(anyhow!(
        "topic {topic} could not be read to its end within {READ_TIMEOUT:?}"
    ))
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    Record {
        offset: message.offset(),
        appended_at: Instant::from_millis_clamped(
            message.timestamp().to_millis().unwrap_or_default(),
        ),
        value: message.payload().unwrap_or_default().to_vec(),
    }
}

/// Appends a record and returns its offset.
async fn publish(kafka: &KafkaConfig, record: &[u8]) -> anyhow::Result<i64> {
    let producer: FutureProducer = kafka
        .client()
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "30000")
        .set("message.max.bytes", "2097152")
        .create()
        .map_err(ConnectError::from_creation)?;
    let message = FutureRecord::<(), [u8]>::to(&kafka.definitions_topic)
        .partition(PARTITION)
        .payload(record);
    let delivery = producer
        .send(message, ANSWER_WITHIN)
        .await
        .map_err(|(error, _): (KafkaError, OwnedMessage)| error)
        .with_context(|| format!("cannot publish to {}", kafka.definitions_topic))?;
    Ok(delivery.offset)
}

#[cfg(test)]
mod tests;
