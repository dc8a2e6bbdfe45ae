//! Publishing misrouted events to their expected partition.
//!
//! The parked row is removed only once the broker has the copy. If the command ends in between, the
//! next one publishes the event again. That is harmless: the expected partition recognises the
//! duplicate by its id or, if it is too old for that, parks it as late; it never counts twice.

use std::sync::Arc;

use tidemark_kafka::KafkaConfig;
use tidemark_kafka::producer::{Publisher, Republished};
use tidemark_processor::store::ParkedEvent;
use tidemark_schemas::{CustomerId, CustomerKey, Partitioner};

use crate::config::Config;
use crate::output;

/// Publishes misrouted events to their expected partitions.
pub(super) struct Republisher {
    kafka: KafkaConfig,
    partitions: i32,
    partitioner: Partitioner,
    /// Connected when the first event needs it.
    publisher: Option<Arc<Publisher>>,
    refused: i64,
}

impl Republisher {
    pub(super) fn new(config: &Config, partitions: i32) -> Self {
        Self {
            kafka: config.kafka.connection(),
            partitions,
            partitioner: config.kafka.partitioner,
            publisher: None,
            refused: 0,
        }
    }

    /// Returns how many events the broker did not accept, or had no expected partition.
    pub(super) const fn refused(&self) -> i64 {
        self.refused
    }

    /// Publishes events and returns the old positions of those the broker has.
    pub(super) async fn publish(
        &mut self,
        misrouted: Vec<ParkedEvent>,
    ) -> anyhow::Result<Vec<(i32, i64)>> {
        if misrouted.is_empty() {
            return Ok(Vec::new());
        }
        let (kafka, partitioner, partitions) =
            (self.kafka.clone(), self.partitioner, self.partitions);
        let connected = self.publisher.clone();
        let (publisher, delivered, refused) = tokio::task::spawn_blocking(move || {
            let publisher = match connected {
                Some(publisher) => publisher,
                None => Arc::new(Publisher::connect(&kafka, &kafka.topic)?),
            };
            let expected = |parked: &ParkedEvent| expected(parked, partitioner, partitions);
            let (delivered, refused) = publish(&publisher, &misrouted, expected);
            anyhow::Ok((publisher, delivered, refused))
        })
        .await??;
        self.publisher = Some(publisher);
        self.refused += refused;
        Ok(delivered)
    }
}

/// Returns the partition of an event's own tenant and customer, whatever its key says.
fn expected(parked: &ParkedEvent, partitioner: Partitioner, partitions: i32) -> Option<i32> {
    let key = CustomerKey {
        tenant: parked.event.tenant.clone()?,
        customer: CustomerId::new(parked.event.customer.as_deref()?).ok()?,
    };
    Some(partitioner.partition(key.record_key().as_bytes(), partitions))
}

fn publish(
    publisher: &Publisher,
    misrouted: &[ParkedEvent],
    expected: impl Fn(&ParkedEvent) -> Option<i32>,
) -> (Vec<(i32, i64)>, i64) {
    let mut delivered = Vec::with_capacity(misrouted.len());
    let mut refused = 0;
    for (line, parked) in (0..).zip(misrouted) {
        let event = &parked.event;
        let sent = expected(parked)
            .ok_or("the event names no valid tenant and customer".to_owned())
            .and_then(|partition| {
                let record = Republished {
                    partition,
                    key: event.key.as_deref(),
                    value: event.value.as_deref(),
                    headers: &event.headers,
                };
                publisher
                    .republish(line, &record)
                    .map_err(|failed| failed.reason)
            });
        match sent {
            Ok(()) => delivered.push((parked.partition, event.offset)),
            Err(reason) => {
                refused += 1;
                output::note(format!("{}@{}: {reason}", parked.partition, event.offset));
            }
        }
    }
    // All or none: publishing the delivered ones again is harmless.
    let deliveries = publisher.finish();
    if let Some(failed) = deliveries.undelivered.first() {
        output::note(format!(
            "the broker did not accept every event, so all of this page stay parked: {}",
            failed.reason
        ));
        refused += i64::try_from(delivered.len()).unwrap_or(i64::MAX);
        delivered.clear();
    }
    (delivered, refused)
}
