//! The configuration of consumers.

use rdkafka::ClientConfig;
use tidemark_kafka::KafkaConfig;
use tokio::sync::watch;

use crate::config::Limits;
use crate::memory::prefetch_bytes;

/// Whether the configuration has changed: clients made with the last one are to be replaced.
pub(crate) fn has_changed(kafka: &watch::Receiver<KafkaConfig>) -> bool {
    // Without its sender it never changes.
    kafka.has_changed().unwrap_or(false)
}

/// Returns the properties of the consumer of events. What it fetches ahead has its part of the
/// memory budget.
pub(super) fn intake_config(kafka: &KafkaConfig, limits: &Limits) -> ClientConfig {
    let mut config = kafka.consumer();
    let prefetch = prefetch_bytes(limits.memory_bytes);
    for (property, value) in [
        ("queued.max.messages.kbytes", prefetch / 1024),
        ("fetch.max.bytes", prefetch),
        ("queued.min.messages", 10_000),
        // A full queue would else be looked at once a second: 10,000 records a second is all that
        // a partition could give.
        ("fetch.queue.backoff.ms", 20),
        // An answer for each handful of records would cost the broker and us more than folding them;
        // they linger in any case.
        ("fetch.min.bytes", 16 * 1024),
        ("fetch.wait.max.ms", 20),
    ] {
        if !kafka.properties.contains_key(property) {
            config.set(property, value.to_string());
        }
    }
    config
}
