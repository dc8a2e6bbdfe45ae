//! The retention of the topics, checked at the start and again and again: a topic that loses records
//! is said in the log and shown by a metric.

use std::convert::Infallible;
use std::time::Duration;

use tidemark_kafka::{KafkaConfig, retention};
use tokio::sync::watch;

use crate::engine::Context;

const CHECK_EVERY: Duration = Duration::from_mins(5);

/// Checks the retention for ever. Logs a finding once, until it changes.
pub(crate) async fn watch(kafka: watch::Receiver<KafkaConfig>, shared: &Context) -> Infallible {
    let mut said = Vec::new();
    loop {
        let config = kafka.borrow().clone();
        match retention::check(&config).await {
            Ok(Some(found)) => {
                for topic in &found {
                    if topic.topic == config.topic {
                        shared.progress.set_retention(topic.millis);
                    }
                    let limited = i64::from(topic.is_limited());
                    let gauge = shared
                        .metrics
                        .retention_limited
                        .with_label_values(&[&topic.topic]);
                    gauge.set(limited);
                    if topic.is_limited() && !said.contains(topic) {
                        tracing::warn!("{topic}");
                    }
                }
                said = found;
            }
            Ok(None) => {}
            Err(error) => tracing::info!(%error, "the retention of the topics is not known"),
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
}
