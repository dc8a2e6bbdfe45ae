//! The classification of a record before any state is read: an event to fold or to forward, or a
//! record to park.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidemark_kafka::forwarded::forwarded_from;
use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::{CustomerEvent, CustomerKey, Instant};

use super::context::{Context, TaskExit};
use super::park::Park;
use super::retry::Retry;
use super::routing::{Misrouted, Routing};
use crate::parking::Reason;
use crate::record::Record;

/// The time by which an event may be dated after its append time, because clocks of CRMs differ.
pub(super) const FUTURE_TOLERANCE_MICROS: i64 = 5 * 60 * 1_000_000;

/// A classified record.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) record: Record,
    pub(super) appended_at: Instant,
    /// Whether the record was parked before.
    pub(super) is_redriven: bool,
    pub(super) classification: Classification,
}

/// The classification of a record.
#[derive(Debug)]
pub(super) enum Classification {
    /// The event is folded.
    Fold(Box<CustomerEvent>),
    /// The event is published again to its expected partition, and folded there.
    Forward(Box<Misplaced>),
    /// The record is parked.
    Park(Park),
}

/// An event in another partition than its expected one.
#[derive(Debug)]
pub(super) struct Misplaced {
    pub(super) event: CustomerEvent,
    pub(super) misrouted: Misrouted,
}

impl Item {
    /// Returns the customer of the event, if the record is folded.
    pub(super) fn customer(&self) -> Option<CustomerKey> {
        match &self.classification {
            Classification::Fold(event) => Some(event.key()),
            Classification::Forward(_) | Classification::Park(_) => None,
        }
    }
}

/// Classifies the records of one partition.
#[derive(Debug)]
pub(super) struct Classifier {
    shared: Arc<Context>,
    partition: i32,
    /// The offsets at which folding panicked.
    poisoned: BTreeSet<i64>,
    retry: Retry,
}

impl Classifier {
    /// Returns the classifier of a partition. `poisoned` are offsets at which folding panicked.
    pub(super) fn new(
        shared: Arc<Context>,
        partition: i32,
        poisoned: BTreeSet<i64>,
        retry: Retry,
    ) -> Self {
        Self {
            shared,
            partition,
            poisoned,
            retry,
        }
    }

    /// Classifies a record that was appended at an instant; requests its schema where it is missing.
    pub(super) async fn classify(
        &self,
        record: Record,
        appended_at: Instant,
    ) -> Result<Item, TaskExit> {
        let classification = self.event(&record, appended_at).await?;
        let classification = self.park_second_forward(&record, classification);
        Ok(Item {
            record,
            appended_at,
            is_redriven: false,
            classification,
        })
    }

    /// Classifies a record with the cached schemas alone; `Err` names the schema that is missing.
    pub(super) fn classify_cached(
        &self,
        record: &Record,
        appended_at: Instant,
    ) -> Result<Classification, u32> {
        let classification = self.cached(record, appended_at)?;
        Ok(self.park_second_forward(record, classification))
    }

    /// Parks a record that would be forwarded a second time.
    fn park_second_forward(&self, record: &Record, found: Classification) -> Classification {
        let is_forwarded = || forwarded_from(&self.shared.topic, &record.headers).is_some();
        let misplaced = match found {
            Classification::Forward(misplaced) if is_forwarded() => misplaced,
            other => return other,
        };
        let Misplaced { event, misrouted } = &*misplaced;
        let detail = format!(
            "{}; it was forwarded once already, so the number of partitions or the partitioner \
             seems to have changed",
            misrouted.detail
        );
        Classification::Park(Park::event(event, Reason::Misrouted, detail))
    }

    /// Classifies a parked record again. A copy in a wrong partition is forwarded again.
    pub(super) async fn reclassify(
        &self,
        record: Record,
        appended_at: Instant,
    ) -> Result<Item, TaskExit> {
        let classification = self.event(&record, appended_at).await?;
        Ok(Item {
            record,
            appended_at,
            is_redriven: true,
            classification,
        })
    }

    /// Classifies a parked record again with the cached schemas alone; `Err` names the schema that is
    /// missing.
    pub(super) fn reclassify_cached(
        &self,
        record: Record,
        appended_at: Instant,
    ) -> Result<Item, u32> {
        let classification = self.cached(&record, appended_at)?;
        Ok(Item {
            record,
            appended_at,
            is_redriven: true,
            classification,
        })
    }

    async fn event(
        &self,
        record: &Record,
        appended_at: Instant,
    ) -> Result<Classification, TaskExit> {
        let decoder = &self.shared.decoder;
        loop {
            let id = match self.cached(record, appended_at) {
                Ok(classification) => return Ok(classification),
                Err(id) => id,
            };
            match self.retry.unless_stopped(decoder.fetch(id)).await? {
                Ok(()) => {}
                Err(unavailable @ DecodeError::RegistryUnavailable(_)) => {
                    self.retry.pause("registry", &unavailable).await?;
                }
                Err(unusable) => return Ok(Classification::Park(park_undecoded(unusable))),
            }
        }
    }

    /// Returns the classification; `Err` names the schema that is not cached.
    fn cached(&self, record: &Record, appended_at: Instant) -> Result<Classification, u32> {
        let Some(value) = &record.value else {
            let park = Park::unread(Reason::Undecodable, "the record has no value");
            return Ok(Classification::Park(park));
        };
        match decode(&self.shared.decoder, value) {
            Ok(event) => Ok(self.check(event, record, appended_at)),
            Err(NotDecoded::NeedsSchema(id)) => Err(id),
            Err(NotDecoded::Park(park)) => Ok(Classification::Park(park)),
        }
    }

    /// Checks what only the place and the time of a record tell of its event. A misrouted event has
    /// the time of its copy.
    fn check(&self, event: CustomerEvent, record: &Record, appended_at: Instant) -> Classification {
        let routing = Routing {
            partitioner: self.shared.partitioner,
            partitions: self.shared.partitions,
        };
        if let Some(misrouted) = routing.misrouted(&event, record.key.as_deref(), self.partition) {
            return Classification::Forward(Box::new(Misplaced { event, misrouted }));
        }
        if self.poisoned.contains(&record.offset) {
            let detail = "folding this event panicked; the processor's log has the message";
            return Classification::Park(Park::event(&event, Reason::Panic, detail));
        }
        if event.occurred_at > appended_at.plus_micros(FUTURE_TOLERANCE_MICROS) {
            let detail = format!(
                "occurred_at {} is more than 5 minutes after the record was appended at \
                 {appended_at}",
                event.occurred_at
            );
            let park = Park::event(&event, Reason::Invalid, detail);
            return Classification::Park(Park {
                field: Some("occurred_at".to_owned()),
                ..park
            });
        }
        Classification::Fold(Box::new(event))
    }
}

/// The reason why a record's value is no event yet.
enum NotDecoded {
    /// The schema must be requested from the registry first.
    NeedsSchema(u32),
    /// The record is parked.
    Park(Park),
}

fn decode(decoder: &Decoder, value: &[u8]) -> Result<CustomerEvent, NotDecoded> {
    // The bytes are not trusted, and decoding has no side effects that a panic could leave half done:
    // one record must not end the process each time it is read.
    match catch_unwind(AssertUnwindSafe(|| decoder.decode(value))) {
        Ok(Ok(event)) => Ok(event),
        Ok(Err(DecodeError::SchemaNeeded { id })) => Err(NotDecoded::NeedsSchema(id)),
        Ok(Err(error)) => Err(NotDecoded::Park(park_undecoded(error))),
        Err(_) => {
            let detail = "decoding this record panicked; the processor's log has the message";
            Err(NotDecoded::Park(Park::unread(Reason::Panic, detail)))
        }
    }
}

/// Parks what the registry says does not exist, or what cannot be read.
pub(super) fn park_undecoded(error: DecodeError) -> Park {
    let text = error.to_string();
    match error {
        DecodeError::UnknownSchema { .. } => Park::unread(Reason::UnknownSchema, text),
        DecodeError::Incompatible { .. } => Park::unread(Reason::Incompatible, text),
        DecodeError::Invalid(invalid) => Park {
            reason: Reason::Invalid,
            detail: text,
            field: Some(invalid.field.to_owned()),
            tenant: invalid.tenant.clone(),
            customer: invalid.customer.as_ref().map(ToString::to_string),
            source: invalid.sent_by.clone(),
        },
        // The caller has fetched or waited: these two do not arrive here.
        DecodeError::SchemaNeeded { .. }
        | DecodeError::RegistryUnavailable(_)
        | DecodeError::Undecodable(_) => Park::unread(Reason::Undecodable, text),
    }
}
