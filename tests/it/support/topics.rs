//! Changes of topics that exist.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::kafka::Kafka;
use super::wait::wait_until;

impl Kafka {
    /// Deletes a topic and waits until it is gone.
    pub(crate) async fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        for deleted in admin
            .delete_topics(&[name], &AdminOptions::new())
            .await
            .unwrap()
        {
            deleted.unwrap_or_else(|(topic, error)| panic!("deleting topic {topic}: {error}"));
        }
        let consumer: BaseConsumer = self.client().create().unwrap();
        wait_until(Duration::from_mins(1), "the topic to be deleted", || {
            consumer
                .fetch_metadata(None, Duration::from_secs(5))
                .is_ok_and(|all| all.topics().iter().all(|topic| topic.name() != name))
        });
    }

    /// Adds partitions to a topic, up to this number.
    pub(crate) async fn add_partitions(&self, name: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let added = NewPartitions::new(name, partitions);
        let results = admin
            .create_partitions([&added], &AdminOptions::new())
            .await;
        for result in results.unwrap() {
            result.unwrap_or_else(|(topic, error)| panic!("extending {topic}: {error}"));
        }
    }

    /// Deletes the records of a partition before an offset, as retention does.
    pub(crate) async fn trim(&self, name: &str, partition: i32, before: i64) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(name, partition, Offset::Offset(before))
            .unwrap();
        let trimmed = admin
            .delete_records(&list, &AdminOptions::new())
            .await
            .unwrap();
        for element in trimmed.elements() {
            element.error().unwrap();
        }
    }

    /// Changes a topic's configuration: these entries replace all that were set before.
    pub(crate) async fn alter_topic(&self, name: &str, config: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let altered = config.iter().fold(
            AlterConfig::new(ResourceSpecifier::Topic(name)),
            |all, (key, value)| all.set(key, value),
        );
        let results = admin.alter_configs([&altered], &AdminOptions::new()).await;
        for result in results.unwrap() {
            result.unwrap_or_else(|(topic, error)| panic!("altering {topic:?}: {error}"));
        }
    }
}
