//! Credentials that change while clients run.
//!
//! librdkafka keeps what a client was created with, so its clients are replaced; but not before a
//! client with the new credentials was accepted. Until then the old clients go on: their connections
//! may well outlive their password.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::KafkaConfig;
use crate::error::ConnectError;
use crate::topics::require_partitions;

/// Passwords, certificates and keys for Kafka, as they are now.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Properties of librdkafka, all of them.
    pub properties: BTreeMap<String, String>,
    /// The digest of the file that a property names: it changes with the certificate or key in it.
    pub files: BTreeMap<String, u64>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Returns a configuration with these credentials, once a broker has accepted a client with
    /// them. Blocks.
    pub fn prove(&self, kafka: &KafkaConfig) -> Result<KafkaConfig, ConnectError> {
        let changed = KafkaConfig {
            properties: self.properties.clone(),
            ..kafka.clone()
        };
        require_partitions(&changed, &changed.topic)?;
        Ok(changed)
    }
}
