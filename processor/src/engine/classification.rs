//! The classification of a record before any state is read: an event to fold, or a record to park.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::{CustomerEvent, Instant, Partitioner};

use super::park::Park;
use crate::parking::Reason;
use crate::record::Record;

/// The time by which an event may be dated after its append time, because clocks of CRMs differ.
pub(super) const FUTURE_TOLERANCE_MICROS: i64 = 5 * 60 * 1_000_000;

/// The partition that a task owns, and the rule that assigns records to partitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpectedPartition {
    pub(crate) partition: i32,
    pub(crate) partitions: i32,
    pub(crate) partitioner: Partitioner,
}

/// The classification of a record, or the schema that it needs first.
#[derive(Debug)]
pub(crate) enum Classification {
    /// The event is folded.
    Event(Box<CustomerEvent>),
    /// The record is parked.
    Park(Park),
    /// The schema must be requested from the registry first.
    NeedsSchema(u32),
}

/// Classifies a record that was appended at an instant.
pub(crate) fn classify(
    record: &Record,
    appended_at: Instant,
    expected_partition: ExpectedPartition,
    decoder: &Decoder,
    poisoned: &BTreeSet<i64>,
) -> Classification {
    let Some(value) = &record.value else {
        return Classification::Park(Park::unread(Reason::Undecodable, "the record has no value"));
    };
    // The bytes are not trusted, and decoding has no side effects that a panic could leave half done:
    // one record must not end the process each time it is read.
    let event = match catch_unwind(AssertUnwindSafe(|| decoder.decode(value))) {
        Ok(Ok(event)) => event,
        Ok(Err(DecodeError::SchemaNeeded { id })) => return Classification::NeedsSchema(id),
        Ok(Err(error)) => return Classification::Park(park_undecoded(error)),
        Err(_) => {
            let detail = "decoding this record panicked; the processor's log has the message";
            return Classification::Park(Park::unread(Reason::Panic, detail));
        }
    };
    if poisoned.contains(&record.offset) {
        let detail = "folding this event panicked; the processor's log has the message";
        return Classification::Park(Park::event(&event, Reason::Panic, detail));
    }
    if event.occurred_at > appended_at.plus_micros(FUTURE_TOLERANCE_MICROS) {
        let detail = format!(
            "occurred_at {} is more than 5 minutes after the record was appended at {appended_at}",
            event.occurred_at
        );
        let park = Park::event(&event, Reason::Invalid, detail);
        return Classification::Park(Park {
            field: Some("occurred_at".to_owned()),
            ..park
        });
    }
    let key = event.key().record_key();
    let expected = expected_partition
        .partitioner
        .partition(key.as_bytes(), expected_partition.partitions);
    if expected != expected_partition.partition {
        let detail = misrouted(&key, expected, expected_partition);
        return Classification::Park(Park::event(&event, Reason::Misrouted, detail));
    }
    Classification::Event(Box::new(event))
}

/// Parks what the registry says does not exist, or what cannot be read.
pub(crate) fn park_undecoded(error: DecodeError) -> Park {
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
        },
        // The caller has fetched or waited: these two do not arrive here.
        DecodeError::SchemaNeeded { .. }
        | DecodeError::RegistryUnavailable(_)
        | DecodeError::Undecodable(_) => Park::unread(Reason::Undecodable, text),
    }
}

fn misrouted(key: &str, expected: i32, expected_partition: ExpectedPartition) -> String {
    let seems: Vec<&str> = Partitioner::ALL
        .iter()
        .filter(|other| {
            other.partition(key.as_bytes(), expected_partition.partitions)
                == expected_partition.partition
        })
        .map(|other| other.librdkafka_name())
        .collect();
    let producer = if seems.is_empty() {
        "its producer uses none of the partitioners known here, or another key".to_owned()
    } else {
        format!("its producer seems to use {}", seems.join(" or "))
    };
    format!(
        "{key} belongs in partition {expected} by {}; it was found in {}: {producer}",
        expected_partition.partitioner.librdkafka_name(),
        expected_partition.partition
    )
}
