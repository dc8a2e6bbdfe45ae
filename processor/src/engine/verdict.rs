//! What a record is before any state is looked at: an event to fold, or one to park.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::{CustomerEvent, Instant, Partitioner};

use crate::parking::{Park, Reason};
use crate::record::Record;

/// How far ahead of its append time an event may be dated: clocks of CRMs differ a little.
pub(super) const FUTURE_TOLERANCE_MICROS: i64 = 5 * 60 * 1_000_000;

/// Where the records of a partition belong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    pub(crate) partition: i32,
    pub(crate) partitions: i32,
    pub(crate) partitioner: Partitioner,
}

/// A judgement, or what must be fetched before there can be one.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// To be folded.
    Event(Box<CustomerEvent>),
    /// To be parked.
    Park(Park),
    /// The registry has to be asked for this schema first.
    NeedsSchema(u32),
}

/// Judges a record that was appended at an instant.
pub(crate) fn judge(
    record: &Record,
    appended_at: Instant,
    home: Home,
    decoder: &Decoder,
    poisoned: &BTreeSet<i64>,
) -> Verdict {
    let Some(value) = &record.value else {
        return Verdict::Park(Park::unread(Reason::Undecodable, "the record has no value"));
    };
    // The bytes are anybody's, and reading them changes nothing of ours that a panic could leave
    // half done: one record must not end the process each time it is read.
    let event = match catch_unwind(AssertUnwindSafe(|| decoder.decode(value))) {
        Ok(Ok(event)) => event,
        Ok(Err(DecodeError::SchemaNeeded { id })) => return Verdict::NeedsSchema(id),
        Ok(Err(error)) => return Verdict::Park(park_undecoded(error)),
        Err(_) => {
            let detail = "decoding this record panicked; the processor's log has the message";
            return Verdict::Park(Park::unread(Reason::Panic, detail));
        }
    };
    if poisoned.contains(&record.offset) {
        let detail = "folding this event panicked; the processor's log has the message";
        return Verdict::Park(Park::event(&event, Reason::Panic, detail));
    }
    if event.occurred_at > appended_at.plus_micros(FUTURE_TOLERANCE_MICROS) {
        let detail = format!(
            "occurred_at {} is more than 5 minutes after the record was appended at {appended_at}",
            event.occurred_at
        );
        let park = Park::event(&event, Reason::Invalid, detail);
        return Verdict::Park(Park {
            field: Some("occurred_at".to_owned()),
            ..park
        });
    }
    let key = event.key().record_key();
    let expected = home.partitioner.partition(key.as_bytes(), home.partitions);
    if expected != home.partition {
        let detail = misrouted(&key, expected, home);
        return Verdict::Park(Park::event(&event, Reason::Misrouted, detail));
    }
    Verdict::Event(Box::new(event))
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

fn misrouted(key: &str, expected: i32, home: Home) -> String {
    let seems: Vec<&str> = Partitioner::ALL
        .iter()
        .filter(|other| other.partition(key.as_bytes(), home.partitions) == home.partition)
        .map(|other| other.librdkafka_name())
        .collect();
    let producer = if seems.is_empty() {
        "its producer uses none of the partitioners known here, or another key".to_owned()
    } else {
        format!("its producer seems to use {}", seems.join(" or "))
    };
    format!(
        "{key} belongs in partition {expected} by {}; it was found in {}: {producer}",
        home.partitioner.librdkafka_name(),
        home.partition
    )
}
