//! The producer of misrouted events, which all partitions of a process share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use tidemark_kafka::KafkaConfig;
use tidemark_kafka::forwarded::{ForwardedPositions, find_forwarded};
use tidemark_kafka::forwarder::{ForwardError, Forwarder};
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
    /// The producer, and the properties with which it was created.
    current: Option<(Arc<Forwarder>, KafkaConfig)>,
    /// The last refusal of a broker to let the processor publish.
    refused: Option<(Moment, String)>,
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
    pub(crate) fn producer(&self) -> Result<Arc<Forwarder>, ForwardError> {
        let mut producer = self.lock();
        if let Some((at, reason)) = &producer.refused {
            if at.elapsed() < REFUSED_FOR {
                return Err(ForwardError::Unauthorized(reason.clone()));
            }
            producer.refused = None;
        }
        let kafka = self.kafka.borrow().clone();
        match &producer.current {
            Some((current, made_with)) if made_with.properties == kafka.properties => {
                Ok(Arc::clone(current))
            }
            _ => {
                let made = Forwarder::new(&kafka)
                    .map_err(|error| ForwardError::Failed(error.to_string()))?;
                let made = Arc::new(made);
                let before = producer.current.replace((Arc::clone(&made), kafka));
                discard(before.map(|(before, _)| before));
                Ok(made)
            }
        }
    }

    /// Replaces a producer that has failed, when it is next needed.
    pub(crate) fn replace(&self, failed: &Arc<Forwarder>, error: &ForwardError) {
        let mut producer = self.lock();
        if let ForwardError::Unauthorized(reason) = error {
            producer.refused = Some((Moment::now(), reason.clone()));
        }
        let is_current =
            |(current, _): &mut (Arc<Forwarder>, KafkaConfig)| Arc::ptr_eq(current, failed);
        let before = producer.current.take_if(is_current);
        discard(before.map(|(before, _)| before));
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
fn discard(producer: Option<Arc<Forwarder>>) {
    if let Some(producer) = producer {
        drop(threads::spawn("tidemark-kafka", move || drop(producer)));
    }
}
