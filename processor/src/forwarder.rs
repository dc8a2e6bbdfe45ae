//! The producer of misrouted events, which all partitions of a process share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use tidemark_kafka::forwarded::{ForwardedPositions, find_forwarded};
use tidemark_kafka::forwarder::{ForwardError, Forwarder};
use tidemark_kafka::{ConnectError, KafkaConfig};
use tidemark_schemas::Instant;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

use crate::error::ProcessorError;
use crate::threads;

/// The time for which a broker's refusal to let the processor publish is remembered.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// A record may have been forwarded before the generation existed if it was appended earlier than
/// this long after, in microseconds: the clocks of the brokers and of the database may differ.
const EARLIER_MARGIN: i64 = 10 * 60 * 1_000_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct SharedForwarder {
    kafka: watch::Receiver<KafkaConfig>,
    /// The instant at which the generation was created.
    created_at: Instant,
    producer: Mutex<Producer>,
    earlier: OnceCell<ForwardedPositions>,
}

#[derive(Default)]
struct Producer {
    current: Option<Connection>,
    /// The last refusal of a broker to let the processor publish.
    refused: Option<(Moment, String)>,
}

/// A producer, and the configuration with which it was created.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) forwarder: Arc<Forwarder>,
    made_with: watch::Receiver<KafkaConfig>,
}

impl Connection {
    fn new(
        kafka: &watch::Receiver<KafkaConfig>,
        create: impl FnOnce(&KafkaConfig) -> Result<Forwarder, ConnectError>,
    ) -> Result<Self, ForwardError> {
        let mut made_with = kafka.clone();
        let config = made_with.borrow_and_update().clone();
        let made = create(&config).map_err(|error| ForwardError::Failed(error.to_string()))?;
        Ok(Self {
            forwarder: Arc::new(made),
            made_with,
        })
    }

    /// Returns whether credentials have changed since the producer was created.
    pub(crate) fn is_outdated(&self) -> bool {
        // Without a sender there is no change.
        self.made_with.has_changed().unwrap_or_default()
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

impl SharedForwarder {
    /// Returns the forwarding of a process; its clients have the configuration that `kafka` shows.
    pub(crate) fn new(kafka: watch::Receiver<KafkaConfig>, created_at: Instant) -> Self {
        Self {
            kafka,
            created_at,
            producer: Mutex::default(),
            earlier: OnceCell::new(),
        }
    }

    /// Returns the producer with the newest credentials, or why no broker lets it publish.
    pub(crate) fn connection(&self) -> Result<Connection, ForwardError> {
        let mut producer = self.lock();
        if let Some((at, reason)) = &producer.refused {
            if at.elapsed() < REFUSED_FOR {
                return Err(ForwardError::Unauthorized(reason.clone()));
            }
            producer.refused = None;
        }
        if let Some(current) = &producer.current
            && !current.is_outdated()
        {
            return Ok(current.clone());
        }
        let made = Connection::new(&self.kafka, Forwarder::new)?;
        discard(producer.current.replace(made.clone()));
        Ok(made)
    }

    /// Returns a producer of the caller's own, which sends each record in a request of its own.
    pub(crate) fn connection_without_batches(&self) -> Result<Connection, ForwardError> {
        Connection::new(&self.kafka, Forwarder::without_batches)
    }

    /// Replaces a producer that has failed, when it is next needed.
    pub(crate) fn replace(&self, failed: &Connection, error: &ForwardError) {
        let mut producer = self.lock();
        if let ForwardError::Unauthorized(reason) = error {
            producer.refused = Some((Moment::now(), reason.clone()));
        }
        let is_failed =
            |current: &mut Connection| Arc::ptr_eq(&current.forwarder, &failed.forwarder);
        discard(producer.current.take_if(is_failed));
    }

    fn lock(&self) -> MutexGuard<'_, Producer> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a record may have been forwarded before the generation existed.
    pub(crate) fn may_be_earlier(&self, appended_at: Instant) -> bool {
        appended_at < self.created_at.plus_micros(EARLIER_MARGIN)
    }

    /// Returns the positions whose records were forwarded before; reads the topic the first time.
    pub(crate) async fn earlier(
        &self,
        stop: &CancellationToken,
    ) -> Result<&ForwardedPositions, ProcessorError> {
        let find = async || {
            let (kafka, stop) = (self.kafka.borrow().clone(), stop.clone());
            tracing::info!("reading the topic for events that were forwarded before");
            let found = threads::run(move || Ok(find_forwarded(&kafka, || stop.is_cancelled())?));
            let found = found.await?;
            let found = found.ok_or_else(|| ProcessorError::Internal("stopped".to_owned()))?;
            tracing::info!(found = found.len(), "read the topic");
            Ok(found)
        };
        self.earlier.get_or_try_init(find).await
    }
}

/// Drops a producer on a thread of its own, because that may block.
pub(crate) fn discard(connection: Option<Connection>) {
    if let Some(connection) = connection {
        drop(threads::spawn("tidemark-kafka", move || drop(connection)));
    }
}
