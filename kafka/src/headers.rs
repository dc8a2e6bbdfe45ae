//! A record's headers, byte for byte.
//!
//! Kafka does not require a header's name to be UTF-8. rdkafka does, and panics where it is not, so
//! the headers are read with librdkafka's own calls. No other file of the project contains `unsafe`.
//! Two limits are librdkafka's: a name ends at its first NUL, and of a record with more than 100,000
//! headers, or malformed ones, none are seen.

use std::ffi::CStr;
use std::{ptr, slice};

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_message_headers};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;

/// A header of a record. A record may have several of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, not necessarily UTF-8.
    pub name: Vec<u8>,
    /// The value; `None` is Kafka's null.
    pub value: Option<Vec<u8>>,
}

impl Header {
    /// Returns the name as text, or `None` if it is not UTF-8.
    pub fn name_as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.name).ok()
    }

    /// Returns about how many bytes of memory the header holds.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Copies a message's headers, in order.
///
/// The borrow is mutable because librdkafka parses the headers at the first call and keeps them in
/// the message.
#[expect(
    unsafe_code,
    reason = "rdkafka's own way to headers panics at a name that is not UTF-8"
)]
pub fn read(message: &mut BorrowedMessage<'_>) -> Vec<Header> {
    let mut headers = ptr::null_mut();
    // SAFETY: `message.ptr()` points to a consumed message that is valid for as long as `message`
    // is borrowed. The call writes to that message and to `headers`, and both borrows are exclusive.
    let found = unsafe { rd_kafka_message_headers(message.ptr(), &raw mut headers) };
    let mut copies = Vec::new();
    if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return copies;
    }
    loop {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: `headers` was returned without an error above. It belongs to the message, and is
        // valid and unchanged for as long as that is borrowed. The call accepts any index: past the
        // last header it returns an error and writes nothing.
        let found = unsafe {
            rd_kafka_header_get_all(
                headers,
                copies.len(),
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return copies;
        }
        // SAFETY: the call returned no error, so `name` points to bytes that end with a NUL, and
        // `value` is null or points to `size` bytes. Both belong to the message, which outlives the
        // copies made here.
        let header = unsafe {
            Header {
                name: CStr::from_ptr(name).to_bytes().to_vec(),
                value: (!value.is_null())
                    .then(|| slice::from_raw_parts(value.cast::<u8>(), size).to_vec()),
            }
        };
        copies.push(header);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::time::{Duration, Instant};

    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::message::OwnedHeaders;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    use rdkafka::{ClientConfig, Offset, TopicPartitionList, message};

    use super::*;

    const TOPIC: &str = "events";
    const SOON: Duration = Duration::from_secs(30);

    /// Publishes a record and returns its headers as a consumer reads them.
    fn publish_and_read(headers: Option<OwnedHeaders>) -> Vec<Header> {
        let broker = MockCluster::new(1).unwrap();
        broker.create_topic(TOPIC, 1, 1).unwrap();
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", broker.bootstrap_servers());
        let producer: BaseProducer = client.create().unwrap();
        let mut record = BaseRecord::<[u8], [u8]>::to(TOPIC).payload(b"value");
        if let Some(headers) = headers {
            record = record.headers(headers);
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(SOON).unwrap();

        let consumer: BaseConsumer = client.set("group.id", "test").create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(TOPIC, 0, Offset::Beginning)
            .unwrap();
        consumer.assign(&list).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < SOON {
            if let Some(Ok(mut message)) = consumer.poll(Duration::from_millis(100)) {
                let first = read(&mut message);
                assert_eq!(read(&mut message), first, "a second read differs");
                return first;
            }
        }
        panic!("no record within {SOON:?}");
    }

    #[test]
    fn headers_are_read_in_order_with_null_empty_and_binary_values() {
        let sent: [(&str, Option<&[u8]>); 5] = [
            ("twice", Some(b"\0\xff\0")),
            ("twice", None),
            ("", Some(b"")),
            ("ü\u{10ffff}", Some(b"1")),
            ("last", None),
        ];
        let mut headers = OwnedHeaders::new();
        for (key, value) in sent {
            headers = headers.insert(message::Header { key, value });
        }
        let expected = sent.map(|(name, value)| Header {
            name: name.as_bytes().to_vec(),
            value: value.map(<[u8]>::to_vec),
        });
        assert_eq!(publish_and_read(Some(headers)), expected);
    }

    #[test]
    fn record_without_headers_has_none() {
        assert_eq!(publish_and_read(None), []);
    }

    #[test]
    fn name_is_text_only_if_it_is_utf8() {
        let header = |name: &[u8]| Header {
            name: name.to_vec(),
            value: None,
        };
        assert_eq!(header("ü".as_bytes()).name_as_text(), Some("ü"));
        assert_eq!(header(b"\xff").name_as_text(), None);
    }
}
