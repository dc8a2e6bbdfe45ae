//! A record's headers, whatever their names are.
//!
//! Kafka does not require a header's name to be UTF-8. rdkafka does, and panics where it is not;
//! without `unsafe` there is no other way to a header. Each header is therefore read by itself, the
//! panic is caught, and the header is kept as [`UNREADABLE`] without its value: the record is folded
//! or parked like any other. Two more limits are librdkafka's own: a name ends at its first NUL, and
//! of a record with more than 100,000 headers, or malformed ones, none are seen.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use rdkafka::message::Headers;

/// The name under which a header is kept whose name is not UTF-8: the replacement character.
pub const UNREADABLE: &str = "\u{fffd}";

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Copies a record's headers, in order.
pub fn read(headers: &impl Headers) -> Vec<(String, Option<Vec<u8>>)> {
    keep_quiet_while_reading();
    (0..headers.count())
        .map(|index| {
            READING.set(true);
            let header = catch_unwind(AssertUnwindSafe(|| {
                let header = headers.try_get(index)?;
                Some((header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            }));
            READING.set(false);
            let header = header.ok().flatten();
            header.unwrap_or_else(|| (UNREADABLE.to_owned(), None))
        })
        .collect()
}

/// Keeps a panic that is caught above out of the log: a producer could fill it.
fn keep_quiet_while_reading() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !READING.get() {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Header;

    use super::*;

    /// Headers of which the second panics, as rdkafka's do.
    struct Foreign;

    impl Headers for Foreign {
        fn count(&self) -> usize {
            3
        }

        fn try_get(&self, index: usize) -> Option<Header<'_, &[u8]>> {
            let name = [&b"a"[..], b"\xff", b"c"][index];
            Some(Header {
                key: std::str::from_utf8(name).expect("a name in UTF-8"),
                value: Some(b"1"),
            })
        }
    }

    #[test]
    fn header_with_an_unreadable_name_leaves_the_others_whole() {
        let value = || Some(b"1".to_vec());
        let expected = [("a", value()), (UNREADABLE, None), ("c", value())];
        assert_eq!(
            read(&Foreign),
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }
}
