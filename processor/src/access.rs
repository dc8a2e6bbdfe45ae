//! What lets us in: passwords, certificates and keys, which change while we run.
//!
//! Postgres and the registry are told the newest password with the next connection or request.
//! librdkafka keeps what a client was made with, so its clients are made anew; but not before one
//! of them was let in with what changed. Until then the old ones, whose connections may well
//! outlive their password, go on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidemark_schemas::registry::RegistryClient;
use tokio::sync::watch;

use crate::config::KafkaConfig;
use crate::error::ProcessorError;
use crate::service::count_partitions;
use crate::store::Database;
use crate::threads;

/// A broker may hear of a new password after we did.
const PROVE_AGAIN: Duration = Duration::from_secs(1);

/// Passwords, certificates and keys as they are now. What is `None` stays as it was.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Of the login to Postgres.
    pub database_password: Option<String>,
    /// For basic authentication at the schema registry.
    pub registry_password: Option<String>,
    /// librdkafka's properties, all of them.
    pub kafka_properties: BTreeMap<String, String>,
    /// By property, a digest of the file it names: another certificate or key under the same name.
    pub kafka_files: BTreeMap<String, u64>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

/// Where to get in.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) kafka: watch::Sender<KafkaConfig>,
    pub(crate) database: Database,
    pub(crate) registry: Arc<RegistryClient>,
}

/// Takes up what changes, for as long as it is polled.
pub(crate) async fn keep(access: Option<watch::Receiver<Access>>, doors: &Doors) -> Infallible {
    let Some(mut access) = access else {
        return std::future::pending().await;
    };
    let mut in_use = access.borrow_and_update().clone();
    loop {
        let pause = if in_use == *access.borrow() {
            Duration::MAX
        } else {
            PROVE_AGAIN
        };
        if let Ok(Err(_gone)) = tokio::time::timeout(pause, access.changed()).await {
            return std::future::pending().await;
        }
        let newest = access.borrow_and_update().clone();
        if let Some(password) = &newest.database_password {
            doors.database.set_password(password);
        }
        if let Some(password) = &newest.registry_password {
            doors.registry.set_password(password);
        }
        let is_same_for_kafka = newest.kafka_properties == in_use.kafka_properties
            && newest.kafka_files == in_use.kafka_files;
        if is_same_for_kafka || renew_kafka(&newest, &doors.kafka).await {
            in_use = newest;
        }
    }
}

/// Whether the brokers let a client in that is made with what changed; if so, all are made so.
async fn renew_kafka(newest: &Access, kafka: &watch::Sender<KafkaConfig>) -> bool {
    let changed = KafkaConfig {
        properties: newest.kafka_properties.clone(),
        ..kafka.borrow().clone()
    };
    match prove(changed.clone()).await {
        Ok(()) => {
            tracing::info!("Kafka lets us in with what changed: joining anew");
            kafka.send_replace(changed);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "not let in with what changed; the clients stay as they are");
            false
        }
    }
}

async fn prove(kafka: KafkaConfig) -> Result<(), ProcessorError> {
    threads::run(move || count_partitions(&kafka))
        .await
        .map(drop)
}
