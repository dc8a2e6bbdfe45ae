//! The partition in which an event belongs, and the reason why its producer chose another. Does no
//! I/O.

use tidemark_schemas::{CustomerEvent, Partitioner};

/// The longest part of a foreign key that a message quotes.
const QUOTED: usize = 100;

/// The partitions of a topic, and how keys are assigned to them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routing {
    pub(super) partitioner: Partitioner,
    pub(super) partitions: i32,
}

/// An event found in another partition than its expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misrouted {
    /// The key by which the event is routed.
    pub(super) key: String,
    /// The expected partition.
    pub(super) expected: i32,
    pub(super) cause: Cause,
    /// An explanation for people.
    pub(super) detail: String,
}

/// The cause of a misrouted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The producer seems to use this partitioner.
    Partitioner(Partitioner),
    /// The record has no key.
    NoKey,
    /// The record's key is not made of the event's tenant and customer.
    WrongKey,
    /// No partitioner known here assigns the key to this partition.
    Unknown,
}

impl Cause {
    /// Returns the name in metrics and counters.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Partitioner(partitioner) => partitioner.librdkafka_name(),
            Self::NoKey => "no_key",
            Self::WrongKey => "wrong_key",
            Self::Unknown => "unknown",
        }
    }
}

impl Routing {
    /// Returns where an event belongs, unless that is here. Its tenant and customer decide, whatever
    /// the key of its record says.
    pub(super) fn misrouted(
        self,
        event: &CustomerEvent,
        record_key: Option<&[u8]>,
        here: i32,
    ) -> Option<Misrouted> {
        let key = event.key().record_key();
        let expected = self.partition(self.partitioner, &key);
        if expected == here {
            return None;
        }
        let (cause, why) = self.cause(&key, record_key, here);
        let detail = format!(
            "{key} belongs in partition {expected} by {}; it was found in {here}: {why} (source {})",
            self.partitioner.librdkafka_name(),
            event.source,
        );
        Some(Misrouted {
            key,
            expected,
            cause,
            detail,
        })
    }

    fn partition(self, partitioner: Partitioner, key: &str) -> i32 {
        partitioner.partition(key.as_bytes(), self.partitions)
    }

    fn cause(self, key: &str, record_key: Option<&[u8]>, here: i32) -> (Cause, String) {
        let Some(found) = record_key else {
            return (Cause::NoKey, "its record has no key".to_owned());
        };
        if found != key.as_bytes() {
            let found: String = String::from_utf8_lossy(found)
                .chars()
                .take(QUOTED)
                .collect();
            let why = format!("the key of its record is {found:?}, not {key:?}");
            return (Cause::WrongKey, why);
        }
        let candidates: Vec<Partitioner> = Partitioner::ALL
            .iter()
            .copied()
            .filter(|other| self.partition(*other, key) == here)
            .collect();
        let Some(first) = candidates.first() else {
            let why = "its producer uses none of the partitioners known here".to_owned();
            return (Cause::Unknown, why);
        };
        let names: Vec<&str> = candidates.iter().map(|it| it.librdkafka_name()).collect();
        let why = format!("its producer seems to use {}", names.join(" or "));
        (Cause::Partitioner(*first), why)
    }
}

#[cfg(test)]
mod tests {
    use tidemark_schemas::event::OrderPlaced;
    use tidemark_schemas::{Currency, CustomerId, EventId, Instant, Payload, TenantId};
    use uuid::Uuid;

    use super::*;

    const ROUTING: Routing = Routing {
        partitioner: Partitioner::Murmur2,
        partitions: 64,
    };

    fn event(customer: &str) -> CustomerEvent {
        CustomerEvent {
            event_id: EventId(Uuid::from_u128(7)),
            tenant_id: TenantId::new("acme").expect("an id"),
            customer_id: CustomerId::new(customer).expect("an id"),
            source: "shop".into(),
            occurred_at: Instant::MIN,
            payload: Payload::OrderPlaced(OrderPlaced {
                order_id: "o-1".into(),
                amount_minor: 100,
                currency: Currency::new("EUR").expect("a currency"),
                items: None,
                channel: None,
            }),
        }
    }

    #[test]
    fn event_in_its_expected_partition_is_not_misrouted_whatever_its_key() {
        let event = event("ada");
        let here = Partitioner::Murmur2.partition(b"acme/ada", 64);
        for key in [None, Some(&b"acme/ada"[..]), Some(b"other")] {
            assert_eq!(ROUTING.misrouted(&event, key, here), None);
        }
    }

    #[test]
    fn misrouted_event_names_its_key_partition_and_the_partitioner_of_its_producer() {
        let event = event("ada");
        for other in [Partitioner::Crc32, Partitioner::Fnv1a] {
            let here = other.partition(b"acme/ada", 64);
            let found = ROUTING.misrouted(&event, Some(b"acme/ada"), here);
            let found = found.expect("the partitioners disagree about this key");
            assert_eq!(found.key, "acme/ada");
            let expected = Partitioner::Murmur2.partition(b"acme/ada", 64);
            assert_eq!(found.expected, expected);
            assert_eq!(found.cause, Cause::Partitioner(other));
            assert!(found.detail.contains(other.librdkafka_name()));
            assert!(found.detail.contains("source shop"), "{}", found.detail);
        }
    }

    #[test]
    fn missing_and_foreign_keys_are_named_and_do_not_decide_the_partition() {
        let (event, home) = (
            event("ada"),
            Partitioner::Murmur2.partition(b"acme/ada", 64),
        );
        let here = (home + 1) % 64;
        for (key, cause, part) in [
            (None, Cause::NoKey, "no key"),
            (Some(&b"acme/bob"[..]), Cause::WrongKey, "\"acme/bob\""),
            (Some(b"\xff\xff"), Cause::WrongKey, "not \"acme/ada\""),
        ] {
            let found = ROUTING.misrouted(&event, key, here).expect("misrouted");
            assert_eq!((found.expected, found.cause), (home, cause));
            assert_eq!(found.key, "acme/ada");
            assert!(found.detail.contains(part), "{}", found.detail);
        }
    }
}
