//! Publishing events: Avro, the customer's key, the configured partitioner.

use tidemark_kafka::producer::{Deliveries, Publisher, Undelivered};
use tidemark_schemas::CustomerEvent;
use tidemark_schemas::codec::{Encoder, SCHEMA};
use tidemark_schemas::registry::{RegistryClient, RegistryConfig};

use super::pace::Pace;
use crate::config::{Config, Registry};
use crate::database::Projections;

/// Publishes events, each with the line of its file.
#[allow(
    missing_debug_implementations,
    reason = "the producer is a foreign handle"
)]
pub struct EventSink {
    encoder: Encoder,
    publisher: Publisher,
    pace: Pace,
    value: Vec<u8>,
}

impl EventSink {
    /// Registers the schema and connects to the broker. `embedded`: the broker is that of a `tidemark up`,
    /// with a log that drops records that are not folded in time.
    pub async fn connect(config: &Config, embedded: bool) -> anyhow::Result<Self> {
        let schema_id = register_schema(&config.registry, &config.kafka.topic).await?;
        let pace = if embedded {
            Pace::behind(
                Projections::connect(&config.database).await?,
                &config.kafka.topic,
            )
        } else {
            Pace::Free
        };
        let kafka = config.kafka.connection();
        let publisher =
            tokio::task::spawn_blocking(move || Publisher::connect(&kafka, &kafka.topic)).await??;
        Ok(Self {
            encoder: Encoder::new(schema_id),
            publisher,
            pace,
            value: Vec::new(),
        })
    }

    /// Publishes one event. The outer error ends publishing, the inner concerns this event alone. Blocks.
    pub fn publish(
        &mut self,
        line: u64,
        event: &CustomerEvent,
    ) -> anyhow::Result<Result<(), Undelivered>> {
        self.value.clear();
        self.encoder.encode_into(event, &mut self.value);
        let key = event.key().record_key();
        let sent = self.publisher.send(line, &key, &self.value);
        if sent.is_ok() {
            self.pace
                .sent(&self.publisher, key.len() + self.value.len())?;
        }
        Ok(sent)
    }

    /// Waits for the result of every event. Blocks.
    pub fn finish(&self) -> Deliveries {
        self.publisher.finish()
    }
}

/// Returns the registry's configuration.
pub fn registry_config(registry: &Registry) -> RegistryConfig {
    RegistryConfig {
        url: registry.url.clone(),
        username: registry.username.clone(),
        password: registry
            .password
            .as_ref()
            .map(|password| password.reveal().to_owned()),
        ca_file: registry.ca_file.clone(),
    }
}

/// Registers the current schema for the values of a topic and returns its id. Idempotent.
pub async fn register_schema(registry: &Registry, topic: &str) -> anyhow::Result<u32> {
    let client = RegistryClient::new(&registry_config(registry))?;
    Ok(client.register(&format!("{topic}-value"), SCHEMA).await?)
}
