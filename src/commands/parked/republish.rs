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

use super::selection::Position;
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

    /// Returns how many events the broker did not accept or could not be published: they have no
    /// expected partition, or a header name that is not UTF-8.
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

/// Returns the record to publish, or why the event must stay parked.
fn record(parked: &ParkedEvent, expected: Option<i32>) -> Result<Republished<'_>, String> {
    let event = &parked.event;
    let partition = expected.ok_or("the event names no valid tenant and customer")?;
    let headers = event.headers.iter().map(|header| {
        let name = header.name_as_text()?;
        Some((name, header.value.as_deref()))
    });
    Ok(Republished {
        partition,
        key: event.key.as_deref(),
        value: event.value.as_deref(),
        headers: headers.collect::<Option<_>>().ok_or_else(|| {
            let position = Position {
                partition: parked.partition,
                offset: event.offset,
            };
            format!(
                "the event stays parked, because the name of a header is not UTF-8 and this \
                 command publishes only names that are. `tidemark parked show {position}` prints \
                 its bytes: publish them to partition {partition} with another client, then run \
                 `tidemark parked discard {position} --reason 'published by hand' --apply`"
            )
        })?,
    })
}

fn publish(
    publisher: &Publisher,
    misrouted: &[ParkedEvent],
    expected: impl Fn(&ParkedEvent) -> Option<i32>,
) -> (Vec<(i32, i64)>, i64) {
    let mut delivered = Vec::with_capacity(misrouted.len());
    let mut refused = 0;
    for (line, parked) in (0..).zip(misrouted) {
        let position = (parked.partition, parked.event.offset);
        let sent = record(parked, expected(parked)).and_then(|record| {
            publisher
                .republish(line, &record)
                .map_err(|failed| failed.reason)
        });
        match sent {
            Ok(()) => delivered.push(position),
            Err(reason) => {
                refused += 1;
                output::note(format!("{}@{}: {reason}", position.0, position.1));
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
