//! Tests of the harness itself.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::guarded::Signal;
use crate::support::kafka::Kafka;
use crate::support::wait::wait_until;

async fn publish(kafka: &Kafka, topic: &str, value: &str) {
    let producer: FutureProducer = kafka
        .client()
        .set("acks", "all")
        .set("message.timeout.ms", "60000")
        .create()
        .unwrap();
    let record = FutureRecord::to(topic).key("key").payload(value);
    producer
        .send(record, Duration::from_secs(30))
        .await
        .unwrap();
}

fn read_first(kafka: &Kafka, topic: &str) -> String {
    let consumer: BaseConsumer = kafka.client().set("group.id", "unused").create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    let mut value = None;
    wait_until(Duration::from_secs(30), "the first record", || {
        // A stopped broker shows as an error; the next poll asks another.
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else {
            return false;
        };
        value = message.payload().map(<[u8]>::to_vec);
        true
    });
    String::from_utf8(value.unwrap()).unwrap()
}

#[tokio::test]
async fn shared_broker_stores_and_returns_records() {
    let kafka = Kafka::shared();
    kafka
        .create_topic(
            "harness-echo",
            1,
            &[("message.timestamp.type", "LogAppendTime")],
        )
        .await;
    publish(kafka, "harness-echo", "hello").await;
    assert_eq!(read_first(kafka, "harness-echo"), "hello");
}

#[tokio::test]
async fn cluster_of_three_brokers_survives_the_loss_of_one() {
    let kafka = Kafka::start(3);
    kafka.create_topic("harness-failover", 1, &[]).await;
    publish(&kafka, "harness-failover", "before").await;
    kafka.stop_broker(0, Signal::Kill);
    publish(&kafka, "harness-failover", "after the kill").await;
    assert_eq!(read_first(&kafka, "harness-failover"), "before");
    kafka.start_broker(0);
    kafka.wait_until_ready();
}
