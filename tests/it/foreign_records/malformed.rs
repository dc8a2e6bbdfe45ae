//! Records with lengths and counts that do not fit their bytes. A broker refuses most of them.

use tidemark_schemas::CustomerEvent;

use super::{DEFINITIONS, REFUSED, SOON, event, expected_partition};
use crate::support::raw_produce::{RawProducer, framed, varint};
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::wait_for;

/// The number of a record that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    KeyLength,
    ValueLength,
    HeaderCount,
    NameLength,
    HeaderValueLength,
    /// The length of the record, wrong by this much.
    RecordLength,
}

use Wrong::{HeaderCount, HeaderValueLength, KeyLength, NameLength, RecordLength, ValueLength};

const ALL: [Wrong; 6] = [
    KeyLength,
    ValueLength,
    HeaderCount,
    NameLength,
    HeaderValueLength,
    RecordLength,
];

/// Wrong numbers: null or negative, too small or too large, and beyond 32 bits.
const NUMBERS: [i64; 9] = [
    -1,
    -2,
    i32::MIN as i64,
    0,
    2,
    1_000,
    i32::MAX as i64,
    1 << 32,
    i64::MIN,
];

/// The code with which a broker refuses a length that its parser does not expect.
const UNKNOWN_SERVER_ERROR: i16 = -1;

/// A record with one wrong number.
#[derive(Debug, Clone, Copy)]
struct Malformed {
    wrong: Wrong,
    number: i64,
    /// Whether the bytes that the number counts are there.
    has_bytes: bool,
    is_compressed: bool,
}

impl Malformed {
    /// Returns the record after its length.
    fn bytes(self) -> Vec<u8> {
        let mut body = vec![0, 0, 0]; // attributes, and the differences of timestamp and offset
        let mut put = |part: Wrong, bytes: &[u8]| {
            let is_wrong = part == self.wrong;
            body.extend(varint(if is_wrong { self.number } else { 1 }));
            if self.has_bytes || !is_wrong {
                body.extend(bytes);
            }
            self.has_bytes || !is_wrong
        };
        put(KeyLength, b"k");
        put(ValueLength, b"v");
        if put(HeaderCount, b"") {
            put(NameLength, b"n");
            put(HeaderValueLength, b"h");
        }
        if self.wrong != RecordLength {
            return framed(&body);
        }
        let length = i64::try_from(body.len()).unwrap();
        [varint(length.wrapping_add(self.number)), body].concat()
    }

    fn send(self, site: &Site, producer: &mut RawProducer, partition: i32) -> Result<i64, i16> {
        let (now, bytes) = (event("ada").occurred_at.micros() / 1_000, self.bytes());
        producer.send_batch(&site.topic, partition, now, &bytes, self.is_compressed)
    }

    /// Returns whether librdkafka cannot read on from this record, although a broker accepts it.
    fn is_unreadable(self) -> bool {
        match self.wrong {
            KeyLength | ValueLength => self.number < -1 && !self.has_bytes,
            RecordLength => self.number > 0 && self.is_compressed,
            _ => false,
        }
    }
}

fn all() -> Vec<Malformed> {
    let mut all = Vec::new();
    for wrong in ALL {
        for number in NUMBERS {
            for (has_bytes, is_compressed) in
                [(true, false), (true, true), (false, false), (false, true)]
            {
                all.push(Malformed {
                    wrong,
                    number,
                    has_bytes,
                    is_compressed,
                });
            }
        }
    }
    all
}

#[tokio::test]
async fn malformed_records_are_refused_by_the_broker_or_folded_or_parked() {
    // Given records with a wrong number each, and an event after those that the broker accepts
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let last: CustomerEvent = event("ada");
    let partition = expected_partition(&last);
    let (mut accepted, mut refused) = (0, 0);
    for record in all().into_iter().filter(|record| !record.is_unreadable()) {
        match record.send(&site, &mut producer, partition) {
            Ok(_) => accepted += 1,
            Err(code) => {
                let is_expected = code == UNKNOWN_SERVER_ERROR || REFUSED.contains(&code);
                assert!(is_expected, "refused with {code}: {record:?}");
                refused += 1;
            }
        }
    }
    assert!(
        accepted > 0 && refused > 0,
        "{accepted} accepted, {refused} refused"
    );
    let publisher = site.publisher().await;
    publisher.event(&last);
    publisher.flush();

    // When they are processed
    let processor = site.process(&["--set", "processor.halt_share=1"]);
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // Then the records are parked, and the event is folded
    let projections = site.projections().await;
    let parked = projections.number("select count(*) from $gen.parked").await;
    assert_eq!(parked, accepted);
    assert_eq!(projections.folded().await.values().sum::<i64>(), 1);
}

/// librdkafka hands over neither such a record nor those behind it, and reports no error.
#[tokio::test]
async fn record_that_the_client_library_cannot_read_stops_its_partition_alone_and_is_not_skipped() {
    // Given a record of each kind at the head of a partition, and an event in another partition
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let last: CustomerEvent = event("ada");
    let free = expected_partition(&last);
    let others = (0..PARTITIONS).filter(|partition| *partition != free);
    for (wrong, partition) in [KeyLength, ValueLength, RecordLength]
        .into_iter()
        .zip(others)
    {
        let mut unreadable = all().into_iter().filter(|record| record.is_unreadable());
        let record = unreadable.find(|record| record.wrong == wrong).unwrap();
        assert_eq!(record.send(&site, &mut producer, partition), Ok(0));
    }
    let publisher = site.publisher().await;
    publisher.event(&last);
    publisher.flush();

    // When a process has folded the event, and the clock of its partition has moved on
    let mut processor = site.process(&[]);
    let projections = site.projections().await;
    let later = last.occurred_at.plus_micros(15_000_000).micros();
    let query =
        format!("select count(*) from $gen.progress where next_offset = 1 and clock > {later}");
    wait_for(
        SOON,
        "the clock of one partition to move on",
        async || match projections.number(&query).await {
            1 => Ok(()),
            count => Err(format!("{count} partitions")),
        },
    )
    .await;

    // Then the process runs, and stands before these records
    assert!(processor.is_running());
    let query = "select count(*) from $gen.progress where next_offset = 0";
    let stopped = projections.number(query).await;
    processor.terminate();
    assert_eq!(stopped, 3);
    assert_eq!(projections.folded().await.values().sum::<i64>(), 1);
}
