//! A producer that writes Produce requests byte by byte, for records that no client library sends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const PRODUCE: i16 = 0;
/// The newest version without tagged fields that every broker since 2.1 takes.
const VERSION: i16 = 7;
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A record with bytes where client libraries take text. `None` is Kafka's null.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawRecord {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A connection to the one broker of a cluster.
pub(crate) struct RawProducer {
    stream: TcpStream,
}

impl RawProducer {
    pub(crate) fn connect(bootstrap_servers: &str) -> Self {
        let stream = TcpStream::connect(bootstrap_servers).unwrap();
        stream.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        Self { stream }
    }

    /// Appends one record and returns its offset, or the error code with which the broker refuses
    /// it.
    pub(crate) fn send(
        &mut self,
        topic: &str,
        partition: i32,
        record: &RawRecord,
    ) -> Result<i64, i16> {
        let framed = framed(&record.body());
        self.send_batch(topic, partition, record.timestamp, &framed, false)
    }

    /// Appends a batch that claims to hold one record: these bytes, as they are or compressed.
    pub(crate) fn send_batch(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        record: &[u8],
        is_compressed: bool,
    ) -> Result<i64, i16> {
        let batch = if is_compressed {
            batch(timestamp, &gzip(record), 1)
        } else {
            batch(timestamp, record, 0)
        };
        let mut request = Vec::new();
        request.extend(PRODUCE.to_be_bytes());
        request.extend(VERSION.to_be_bytes());
        request.extend(1_i32.to_be_bytes()); // correlation id
        request.extend((-1_i16).to_be_bytes()); // no client id
        request.extend((-1_i16).to_be_bytes()); // no transaction
        request.extend((-1_i16).to_be_bytes()); // acknowledged by every replica
        request.extend(30_000_i32.to_be_bytes()); // within milliseconds
        request.extend(1_i32.to_be_bytes());
        request.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
        request.extend(topic.as_bytes());
        request.extend(1_i32.to_be_bytes());
        request.extend(partition.to_be_bytes());
        request.extend(length(&batch).to_be_bytes());
        request.extend(batch);
        self.stream
            .write_all(&length(&request).to_be_bytes())
            .unwrap();
        self.stream.write_all(&request).unwrap();
        let answer = self.answer();
        // Correlation id, one topic with its name, one partition with its number.
        let at = 4 + 4 + 2 + topic.len() + 4 + 4;
        match i16::from_be_bytes(answer[at..at + 2].try_into().unwrap()) {
            0 => Ok(i64::from_be_bytes(
                answer[at + 2..at + 10].try_into().unwrap(),
            )),
            code => Err(code),
        }
    }

    fn answer(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap();
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).unwrap();
        answer
    }
}

impl RawRecord {
    /// Returns the record without its length.
    fn body(&self) -> Vec<u8> {
        let mut body = vec![0]; // attributes
        body.extend(varint(0)); // timestamp, from the first
        body.extend(varint(0)); // offset, from the first
        put(&mut body, self.key.as_deref());
        put(&mut body, self.value.as_deref());
        body.extend(varint(i64::try_from(self.headers.len()).unwrap()));
        for (name, value) in &self.headers {
            put(&mut body, Some(name));
            put(&mut body, value.as_deref());
        }
        body
    }
}

/// Returns a record after its length.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let mut framed = varint(i64::try_from(body.len()).unwrap());
    framed.extend(body);
    framed
}

/// Returns a batch (version 2) that claims to hold one record.
fn batch(timestamp: i64, records: &[u8], compression: i16) -> Vec<u8> {
    let mut checked = Vec::new();
    checked.extend(compression.to_be_bytes()); // attributes
    checked.extend(0_i32.to_be_bytes()); // offset of the last record
    checked.extend(timestamp.to_be_bytes()); // of the first record
    checked.extend(timestamp.to_be_bytes()); // the greatest
    checked.extend((-1_i64).to_be_bytes()); // no producer id
    checked.extend((-1_i16).to_be_bytes()); // nor its epoch
    checked.extend((-1_i32).to_be_bytes()); // nor a sequence
    checked.extend(1_i32.to_be_bytes());
    checked.extend(records);
    let mut rest = Vec::new();
    rest.extend((-1_i32).to_be_bytes()); // leader epoch
    rest.push(2); // version
    rest.extend(crc(CASTAGNOLI, &checked).to_be_bytes());
    rest.extend(checked);
    let mut batch = 0_i64.to_be_bytes().to_vec();
    batch.extend(length(&rest).to_be_bytes());
    batch.extend(rest);
    batch
}

fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap()
}

fn put(into: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => into.extend(varint(-1)),
        Some(bytes) => {
            into.extend(varint(i64::try_from(bytes.len()).unwrap()));
            into.extend(bytes);
        }
    }
}

/// Returns a number in zigzag encoding, seven bits a byte.
pub(crate) fn varint(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// Returns a gzip file with one stored block of at most 65,535 bytes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.push(1); // the last block, stored
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(bytes);
    file.extend(crc(IEEE, bytes).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

/// The reversed polynomial of Kafka's checksum, CRC-32C.
const CASTAGNOLI: u32 = 0x82f6_3b78;
/// The reversed polynomial of gzip's checksum, CRC-32.
const IEEE: u32 = 0xedb8_8320;

/// Returns a checksum, computed bit by bit: tests send little.
fn crc(polynomial: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ if crc & 1 == 1 { polynomial } else { 0 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, byte)
}

#[test]
fn checksums_match_the_published_check_values() {
    assert_eq!(crc(CASTAGNOLI, b"123456789"), 0xe306_9283);
    assert_eq!(crc(IEEE, b"123456789"), 0xcbf4_3926);
}
