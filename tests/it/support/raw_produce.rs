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
        let batch = batch(record);
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

/// A record batch (version 2) of one record.
fn batch(record: &RawRecord) -> Vec<u8> {
    let mut checked = Vec::new();
    checked.extend(0_i16.to_be_bytes()); // attributes
    checked.extend(0_i32.to_be_bytes()); // offset of the last record
    checked.extend(record.timestamp.to_be_bytes()); // of the first record
    checked.extend(record.timestamp.to_be_bytes()); // the greatest
    checked.extend((-1_i64).to_be_bytes()); // no producer id
    checked.extend((-1_i16).to_be_bytes()); // nor its epoch
    checked.extend((-1_i32).to_be_bytes()); // nor a sequence
    checked.extend(1_i32.to_be_bytes());
    let mut body = vec![0]; // attributes
    body.extend(varint(0)); // timestamp, from the first
    body.extend(varint(0)); // offset, from the first
    put(&mut body, record.key.as_deref());
    put(&mut body, record.value.as_deref());
    body.extend(varint(i64::try_from(record.headers.len()).unwrap()));
    for (name, value) in &record.headers {
        put(&mut body, Some(name));
        put(&mut body, value.as_deref());
    }
    checked.extend(varint(i64::try_from(body.len()).unwrap()));
    checked.extend(body);
    let mut rest = Vec::new();
    rest.extend((-1_i32).to_be_bytes()); // leader epoch
    rest.push(2); // version
    rest.extend(crc32c(&checked).to_be_bytes());
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

/// Zigzag, then seven bits a byte.
fn varint(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// CRC-32C (Castagnoli), bit by bit: tests send little.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, byte)
}

#[test]
fn crc32c_matches_the_published_check_value() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
