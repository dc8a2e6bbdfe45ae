//! The faults after which nothing can be folded on: partitions added to the topic, and a topic that is created
//! again. The processors end and say why; what they tell the operator to do works.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tidemark_schemas::Partitioner;

use super::world::{RECOVERED_WITHIN, World};
use crate::support::postgres::Database;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Running};
use crate::support::wait::wait_until;

const EVENTS: usize = 2_000;

impl World {
    /// Ends the world whose tables were compared.
    pub(super) async fn last_acts(&mut self) {
        self.add_partitions().await;
        self.create_again().await;
    }

    /// Adds partitions to the topic of running processes: each ends, and names them.
    async fn add_partitions(&mut self) {
        self.join();
        self.join();
        self.all_joined().await;
        let more = usize::try_from(PARTITIONS).unwrap() * 2;
        let topic = self.site.topic.clone();
        self.site.kafka.add_partitions(&topic, more).await;
        for member in self.members.drain(..) {
            assert_ends(member.running, &["partitions or more", "tidemark migrate"]);
        }
    }

    /// Creates the topic again, with the partitions that it should have, and publishes other events to it: a
    /// processor refuses it, and a new database is filled from it.
    async fn create_again(&mut self) {
        let (kafka, topic) = (self.site.kafka, self.site.topic.clone());
        kafka.delete_topic(&topic).await;
        let config = [
            ("retention.ms", "-1"),
            ("message.timestamp.type", "LogAppendTime"),
        ];
        kafka.create_topic(&topic, PARTITIONS, &config).await;
        let publisher = self.site.publisher().await;
        let mut random = StdRng::seed_from_u64(self.random.random());
        let sent = self.quiet();
        sent.publisher = publisher;
        sent.burst(EVENTS, &mut VecDeque::new(), &mut random);
        sent.publisher.flush();
        assert_ends(self.site.process(&[]), &["tidemark migrate"]);

        let database = Database::fresh().await;
        self.site.use_database(database);
        let migrated = self.site.run(&["migrate"]);
        assert!(migrated.status.success(), "{migrated:?}");
        self.join();
        self.site.wait_until_folded(RECOVERED_WITHIN).await;
        for member in self.members.drain(..) {
            member.running.terminate();
        }
        let definitions = &self.site.definitions_topic;
        let expected =
            Reference::from_topic(kafka, &topic, definitions, Partitioner::Murmur2).await;
        let projections = self.site.projections().await;
        projections.assert_equal(&expected).await;
        projections.assert_consistent().await;
    }
}

/// Waits until a process has ended, and asserts that its log says all of this.
#[track_caller]
fn assert_ends(mut process: Running, words: &[&str]) {
    let what = "the processor to end";
    wait_until(RECOVERED_WITHIN, what, || !process.is_running());
    let log = process.log();
    for word in words {
        assert!(log.contains(word), "without {word:?}:\n{log}");
    }
}
