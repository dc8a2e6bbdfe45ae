//! Processors in the process of the test.

use std::collections::BTreeMap;

use tidemark_kafka::KafkaConfig;
use tidemark_processor::clock::WallClock;
use tidemark_processor::store::StoreConfig;
use tidemark_processor::{Config, Limits, Processor};
use tidemark_schemas::Partitioner;
use tidemark_schemas::registry::RegistryConfig;

use super::registry::Registry;
use super::site::Site;

/// The name of such a processor in its claims.
pub(crate) const NAME: &str = "in-process";

/// Returns the processor's configuration of a database.
pub(crate) fn store_config(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.to_owned(),
        role: Some("tidemark_processor".to_owned()),
        writers: 4,
        synchronous_commit: false,
    }
}

/// Starts a processor over the topics of a site and any database, in this process.
pub(crate) async fn start(site: &Site, url: &str) -> Processor {
    start_at(site, url, WallClock::System).await
}

/// Starts a processor with this clock.
pub(crate) async fn start_at(site: &Site, url: &str, clock: WallClock) -> Processor {
    let config = Config {
        kafka: KafkaConfig {
            bootstrap_servers: site.kafka.bootstrap_servers().clone(),
            topic: site.topic.clone(),
            definitions_topic: site.definitions_topic.clone(),
            group: site.topic.clone(),
            client_id: NAME.to_owned(),
            partitioner: Partitioner::Murmur2,
            properties: BTreeMap::new(),
        },
        registry: RegistryConfig {
            url: Registry::shared().url.clone(),
            username: None,
            password: None,
            ca_file: None,
        },
        store: store_config(url),
        clock,
        limits: Limits::default(),
    };
    Processor::start(config, &prometheus::Registry::new())
        .await
        .unwrap()
}
