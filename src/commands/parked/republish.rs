//! Misrouted events, published again to their home.
//!
//! The row goes only once the broker has the copy. Should this end in between, the event is published
//! once more next time, and that is harmless: its home knows it by its id, or, where it is too old for
//! that, parks it as late; it never counts twice.

use std::sync::Arc;

use tidemark_processor::store::ParkedEvent;
use tidemark_schemas::{CustomerId, CustomerKey, Partitioner};

use crate::config::{Config, Kafka};
use crate::kafka::producer::{Again, Publisher};
use crate::output;

/// Publishes misrouted events to where they belong.
pub(super) struct Republisher {
    kafka: Kafka,
    partitions: i32,
    partitioner: Partitioner,
    /// Made when the first event needs it.
    publisher: Option<Arc<Publisher>>,
    refused: i64,
}

impl Republisher {
    pub(super) fn new(config: &Config, partitions: i32) -> Self {
        Self {
            kafka: config.kafka.clone(),
            partitions,
            partitioner: config.kafka.partitioner,
            publisher: None,
            refused: 0,
        }
    }

    /// How many the broker did not take, or had no home to go to.
    pub(super) const fn refused(&self) -> i64 {
        self.refused
    }

    /// Publishes events and returns the old positions of those the broker has.
    pub(super) async fn publish(
        &mut self,
        strays: Vec<ParkedEvent>,
    ) -> anyhow::Result<Vec<(i32, i64)>> {
        if strays.is_empty() {
            return Ok(Vec::new());
        }
        let (kafka, partitioner, partitions) =
            (self.kafka.clone(), self.partitioner, self.partitions);
        let known = self.publisher.clone();
        let (publisher, delivered, refused) = tokio::task::spawn_blocking(move || {
            let publisher = match known {
                Some(publisher) => publisher,
                None => Arc::new(Publisher::connect(&kafka, &kafka.topic)?),
            };
            let home = |parked: &ParkedEvent| home(parked, partitioner, partitions);
            let (delivered, refused) = publish(&publisher, &strays, home);
            anyhow::Ok((publisher, delivered, refused))
        })
        .await??;
        self.publisher = Some(publisher);
        self.refused += refused;
        Ok(delivered)
    }
}

/// Where an event belongs by its own tenant and customer, whatever its key says.
fn home(parked: &ParkedEvent, partitioner: Partitioner, partitions: i32) -> Option<i32> {
    let key = CustomerKey {
        tenant: parked.event.tenant.clone()?,
        customer: CustomerId::new(parked.event.customer.as_deref()?).ok()?,
    };
    Some(partitioner.partition(key.record_key().as_bytes(), partitions))
}

fn publish(
    publisher: &Publisher,
    strays: &[ParkedEvent],
    home: impl Fn(&ParkedEvent) -> Option<i32>,
) -> (Vec<(i32, i64)>, i64) {
    let mut delivered = Vec::with_capacity(strays.len());
    let mut refused = 0;
    for (line, parked) in (0..).zip(strays) {
        let event = &parked.event;
        let sent = home(parked)
            .ok_or("its customer is not known".to_owned())
            .and_then(|partition| {
                let again = Again {
                    partition,
                    key: event.key.as_deref(),
                    value: event.value.as_deref(),
                    headers: &event.headers,
                };
                publisher
                    .send_again(line, &again)
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
    // All or none: which of them is missing does not matter, since doing it again is harmless.
    let fate = publisher.finish();
    if let Some(failed) = fate.undelivered.first() {
        output::note(format!(
            "the broker did not take every event: {}",
            failed.reason
        ));
        refused += i64::try_from(delivered.len()).unwrap_or(i64::MAX);
        delivered.clear();
    }
    (delivered, refused)
}
