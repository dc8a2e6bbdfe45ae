//! Credentials that change while the processor runs.
//!
//! Postgres and the registry get the newest password with the next connection or request. Clients of
//! Kafka are replaced, once a broker accepts the new credentials: see [`tidemark_kafka::credentials`].

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidemark_kafka::KafkaConfig;
use tidemark_schemas::registry::RegistryClient;
use tokio::sync::watch;

use crate::store::Database;
use crate::threads;

/// The pause between two attempts: a broker may learn of a new password later than this process.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Passwords, certificates and keys as they are now. `None` leaves a password as it was.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The password of the login to Postgres.
    pub database_password: Option<String>,
    /// The password of basic authentication at the schema registry.
    pub registry_password: Option<String>,
    /// The credentials for Kafka.
    pub kafka: tidemark_kafka::Credentials,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The clients that use the credentials.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) kafka: watch::Sender<KafkaConfig>,
    pub(crate) database: Database,
    pub(crate) registry: Arc<RegistryClient>,
}

/// Applies changed credentials for as long as it is polled.
pub(crate) async fn follow(
    credentials: Option<watch::Receiver<Credentials>>,
    clients: &Clients,
) -> Infallible {
    let Some(mut credentials) = credentials else {
        return std::future::pending().await;
    };
    let mut in_use = credentials.borrow_and_update().clone();
    loop {
        let pause = if in_use == *credentials.borrow() {
            Duration::MAX
        } else {
            RETRY_EVERY
        };
        if let Ok(Err(_gone)) = tokio::time::timeout(pause, credentials.changed()).await {
            return std::future::pending().await;
        }
        let newest = credentials.borrow_and_update().clone();
        if let Some(password) = &newest.database_password {
            clients.database.set_password(password);
        }
        if let Some(password) = &newest.registry_password {
            clients.registry.set_password(password);
        }
        if newest.kafka == in_use.kafka || renew_kafka(&newest, &clients.kafka).await {
            in_use = newest;
        }
    }
}

/// Replaces the clients of Kafka if a broker accepts a client with the new credentials. Returns
/// whether it did.
async fn renew_kafka(newest: &Credentials, kafka: &watch::Sender<KafkaConfig>) -> bool {
    let (credentials, current) = (newest.kafka.clone(), kafka.borrow().clone());
    match threads::run(move || Ok(credentials.prove(&current)?)).await {
        Ok(changed) => {
            tracing::info!("Kafka accepts the new credentials: joining the group with them");
            kafka.send_replace(changed);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "Kafka refuses the new credentials; the clients keep the old ones");
            false
        }
    }
}
