//! Forwarding: misrouted events are published again to their expected partitions, before a commit
//! passes them.
//!
//! A process that ends between the publication and the commit publishes again: the expected
//! partition recognises the event by its id. What earlier databases forwarded is found in the topic,
//! so that folding the same log again does not make it longer.

use std::sync::Arc;
use std::time::Duration;

use tidemark_kafka::forwarded::{FORWARDED_FROM, mark};
use tidemark_kafka::forwarder::{Delivery, ForwardError, Forwarded};
use tokio_util::sync::CancellationToken;

use super::classification::{Classification, Item, Misplaced};
use super::context::{Context, TaskExit};
use super::park::Park;
use super::retry::Retry;
use crate::forwarder::{Connection, discard};
use crate::parking::Reason;

/// The interval at which the wait for a broker is logged, and a failed producer is noticed.
const NOTICE_EVERY: Duration = Duration::from_secs(2);
/// The pause while the producer's queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// Forwards the misrouted events of one partition.
#[derive(Debug)]
pub(super) struct PartitionForwarding {
    shared: Arc<Context>,
    partition: i32,
    /// Whether events are published; else they were forwarded by another processor, or are parked.
    publishes: bool,
    retry: Retry,
    stop: CancellationToken,
}

impl PartitionForwarding {
    pub(super) const fn new(
        shared: Arc<Context>,
        partition: i32,
        publishes: bool,
        retry: Retry,
        stop: CancellationToken,
    ) -> Self {
        Self {
            shared,
            partition,
            publishes,
            retry,
            stop,
        }
    }

    /// Publishes the misrouted events among these items, in order, and waits until the broker has
    /// them. Events that cannot be published are parked.
    pub(super) async fn forward(&self, items: Vec<&mut Item>) -> Result<(), TaskExit> {
        let mut left: Vec<&mut Item> = items
            .into_iter()
            .filter(|item| item.misplaced().is_some())
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        self.remove_earlier(&mut left).await?;
        while !left.is_empty() {
            let connection = match self.shared.forwarder.connection() {
                Ok(connection) => connection,
                Err(error) => {
                    left = self.resolve(left, &error).await?;
                    continue;
                }
            };
            let (undelivered, error) = self.publish(&connection, left).await?;
            left = undelivered;
            if let Some(error) = error {
                if !matches!(error, ForwardError::Refused(_)) {
                    self.shared.forwarder.replace(&connection, &error);
                }
                left = self.resolve(left, &error).await?;
            }
        }
        Ok(())
    }

    /// Leaves out the items of which the topic holds a copy already. Without publishing, parks the
    /// others.
    async fn remove_earlier(&self, items: &mut Vec<&mut Item>) -> Result<(), TaskExit> {
        let forwarder = &self.shared.forwarder;
        let is_candidate = |item: &Item| {
            !item.is_redriven && (!self.publishes || forwarder.may_be_earlier(item.appended_at))
        };
        if self.publishes && !items.iter().any(|item| is_candidate(item)) {
            return Ok(());
        }
        let earlier = loop {
            let found = self.retry.unless_stopped(forwarder.earlier(&self.stop));
            match found.await? {
                Ok(found) => break found,
                Err(error) => self.retry.pause("broker", &error).await?,
            }
        };
        items.retain_mut(|item| {
            let (offset, value) = (item.record.offset, item.record.value.as_deref());
            let is_forwarded =
                is_candidate(item) && earlier.contains(self.partition, offset, value);
            if !is_forwarded && !self.publishes {
                item.park(
                    "it was not forwarded, and a processor of fixed partitions forwards none",
                );
            }
            !is_forwarded && self.publishes
        });
        Ok(())
    }

    /// Publishes items; returns those that were not delivered, in order, and the first error.
    async fn publish<'a>(
        &self,
        connection: &Connection,
        items: Vec<&'a mut Item>,
    ) -> Result<(Vec<&'a mut Item>, Option<ForwardError>), TaskExit> {
        let mut queued = Vec::with_capacity(items.len());
        for item in items {
            match self.queue(connection, item).await? {
                Ok(Some(delivery)) => queued.push((item, Ok(delivery))),
                Ok(None) => {}
                Err(error) => queued.push((item, Err(error))),
            }
        }
        let (mut undelivered, mut first) = (Vec::new(), None);
        for (item, delivery) in queued {
            let result = match delivery {
                Ok(delivery) => self.delivered(connection, delivery).await?,
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                undelivered.push(item);
                first.get_or_insert(error);
            }
        }
        Ok((undelivered, first))
    }

    /// Queues one item; `None` if it is parked, because it cannot be published unchanged.
    async fn queue(
        &self,
        connection: &Connection,
        item: &mut Item,
    ) -> Result<Result<Option<Delivery>, ForwardError>, TaskExit> {
        loop {
            let topic = &self.shared.topic;
            let position = mark(topic, self.partition, item.record.offset);
            let Some(record) = forwarded(item, &position) else {
                let position = format!("{}@{}", self.partition, item.record.offset);
                item.park(&format!(
                    "the name of a header is not UTF-8, so it cannot be published unchanged. \
                     `tidemark parked show {position}` prints its bytes: publish them there with \
                     another client, then run `tidemark parked discard {position} --reason \
                     'published by hand' --apply`"
                ));
                return Ok(Ok(None));
            };
            match connection.forwarder.queue(&record) {
                Err(ForwardError::QueueFull) => {
                    let pause = tokio::time::sleep(FULL_PAUSE);
                    self.retry.unless_stopped(pause).await?;
                }
                queued => return Ok(queued.map(Some)),
            }
        }
    }

    /// Waits for the result of one record, for as long as the producer retries.
    async fn delivered(
        &self,
        connection: &Connection,
        mut delivery: Delivery,
    ) -> Result<Result<(), ForwardError>, TaskExit> {
        loop {
            // A producer that has failed resolves some deliveries at once, and others never.
            let fatal = connection.forwarder.fatal_error();
            let bound = if fatal.is_some() {
                Duration::ZERO
            } else {
                NOTICE_EVERY
            };
            let result = tokio::time::timeout(bound, delivery.result());
            if let Ok(result) = self.retry.unless_stopped(result).await? {
                let fatal = result
                    .is_err()
                    .then(|| connection.forwarder.fatal_error())
                    .flatten();
                return Ok(fatal.map_or(result, Err));
            }
            if let Some(error) = fatal {
                return Ok(Err(error));
            }
            if connection.is_outdated() {
                let reason = "the producer was replaced".to_owned();
                return Ok(Err(ForwardError::Failed(reason)));
            }
            let waits = &self.shared.metrics.waits;
            waits.with_label_values(&["broker"]).inc();
            let partition = self.partition;
            tracing::warn!(partition, "waiting for the broker to take misrouted events");
        }
    }

    /// Parks the items that no retry delivers; waits before the others are retried, and returns them.
    async fn resolve<'a>(
        &self,
        mut items: Vec<&'a mut Item>,
        error: &ForwardError,
    ) -> Result<Vec<&'a mut Item>, TaskExit> {
        match error {
            ForwardError::Unauthorized(reason) => {
                for item in &mut items {
                    item.park(&format!(
                        "the processor may not publish it there: {reason}. Allow it to write to \
                         the topic, then redrive"
                    ));
                }
                Ok(Vec::new())
            }
            // The broker refuses a request as a whole, with the records of other partitions in it.
            ForwardError::Refused(_) => self.one_by_one(items).await,
            ForwardError::QueueFull | ForwardError::Failed(_) => {
                self.retry.pause("broker", error).await?;
                Ok(items)
            }
        }
    }

    /// Publishes items of which a broker has refused some, each in a request of its own and after the one
    /// before it.
    async fn one_by_one<'a>(
        &self,
        items: Vec<&'a mut Item>,
    ) -> Result<Vec<&'a mut Item>, TaskExit> {
        let connection = match self.shared.forwarder.connection_without_batches() {
            Ok(connection) => connection,
            Err(error) => {
                self.retry.pause("broker", &error).await?;
                return Ok(items);
            }
        };
        let mut items = items.into_iter();
        let mut left = Vec::new();
        while let Some(item) = items.next() {
            let (mut undelivered, error) = self.publish(&connection, vec![item]).await?;
            match error {
                None => {}
                Some(ForwardError::Refused(reason)) => {
                    for item in &mut undelivered {
                        item.park(&format!("the broker refuses it: {reason}"));
                    }
                }
                Some(_) => {
                    left = undelivered;
                    left.extend(items.by_ref());
                }
            }
        }
        discard(Some(connection));
        Ok(left)
    }
}

/// Returns the record to publish; `None` if the name of a header cannot be published.
fn forwarded<'a>(item: &'a Item, position: &'a str) -> Option<Forwarded<'a>> {
    let Misplaced { misrouted, .. } = item.misplaced()?;
    let headers = item.record.headers.iter();
    let kept = headers.filter(|header| header.name != FORWARDED_FROM.as_bytes());
    let mut headers = kept
        .map(|header| Some((header.name_as_text()?, header.value.as_deref())))
        .collect::<Option<Vec<_>>>()?;
    headers.push((FORWARDED_FROM, Some(position.as_bytes())));
    Some(Forwarded {
        partition: misrouted.expected,
        timestamp: {
            let own = item.record.timestamp.to_millis();
            own.or(Some(item.appended_at.micros() / 1_000))
        },
        key: misrouted.key.as_bytes(),
        value: item.record.value.as_deref().unwrap_or_default(),
        headers,
    })
}

impl Item {
    /// Returns the event to be forwarded, if it is one.
    fn misplaced(&self) -> Option<&Misplaced> {
        match &self.classification {
            Classification::Forward(misplaced) => Some(misplaced),
            Classification::Fold(_) | Classification::Park(_) => None,
        }
    }

    /// Parks an event that cannot be forwarded.
    fn park(&mut self, why: &str) {
        if let Some(Misplaced { event, misrouted }) = self.misplaced() {
            let detail = format!("{}; {why}", misrouted.detail);
            let park = Park::event(event, Reason::Misrouted, detail);
            self.classification = Classification::Park(park);
        }
    }
}
