//! Secret files, read again while a service runs.
//!
//! They are read every second, and what is new counts once it was read twice the same, so that a
//! file half written does not. One that is empty or cannot be read leaves its secret as it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tidemark_processor::Credentials;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Config, Secret};
use crate::failure::Usage;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The secrets of a configuration, kept up to date. See the module.
#[derive(Debug)]
pub(crate) struct Secrets {
    config: Config,
    in_force: Credentials,
    /// The credentials last read; they take effect if the next read finds the same.
    last: Credentials,
    /// The problems reported last, so that each is reported once.
    complaints: Vec<String>,
}

impl Secrets {
    /// Returns the secrets that the configuration was just read with.
    pub(crate) fn from_config(config: &Config) -> Self {
        let revealed =
            |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
        let credentials = Credentials {
            database_password: revealed(&config.database.password),
            registry_password: revealed(&config.registry.password),
            kafka: tidemark_kafka::Credentials {
                properties: config.kafka.properties.clone(),
                files: BTreeMap::new(),
            },
        };
        let mut secrets = Self {
            config: config.clone(),
            last: credentials.clone(),
            in_force: credentials,
            complaints: Vec::new(),
        };
        let mut files = BTreeMap::new();
        secrets.read_kafka_files(&mut files, &mut Vec::new());
        secrets.in_force.kafka.files.clone_from(&files);
        secrets.last.kafka.files = files;
        secrets
    }

    /// Returns the credentials in force.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.in_force
    }

    /// Looks at the files until told to stop, and tells what has changed.
    pub(crate) async fn keep(
        mut self,
        shutdown: CancellationToken,
        tell: impl Fn(&Credentials),
    ) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let looked = spawn_blocking(move || {
                let is_news = self.look();
                (self, is_news)
            });
            let (secrets, is_news) = looked.await.context("reading secret files")?;
            self = secrets;
            if is_news {
                tell(&self.in_force);
            }
        }
    }

    /// Reads the files; whether anything new is in force.
    fn look(&mut self) -> bool {
        let mut complaints = Vec::new();
        let found = self.read(&mut complaints);
        if complaints != self.complaints {
            for complaint in &complaints {
                tracing::warn!("{complaint}; the secret stays as it was");
            }
            self.complaints = complaints;
        }
        let is_news = found != self.in_force && found == self.last;
        self.last = found;
        if is_news {
            tracing::info!("secret files have changed");
            self.in_force = self.last.clone();
        }
        is_news
    }

    fn read(&self, complaints: &mut Vec<String>) -> Credentials {
        let mut found = self.in_force.clone();
        let config = &self.config;
        let database = config.database.password_file.as_deref();
        let registry = config.registry.password_file.as_deref();
        if let Some(password) = secret(database, complaints) {
            found.database_password = Some(password);
        }
        if let Some(password) = secret(registry, complaints) {
            found.registry_password = Some(password);
        }
        for (property, path) in &config.kafka.property_files {
            if let Some(value) = secret(Some(path), complaints) {
                found.kafka.properties.insert(property.clone(), value);
            }
        }
        self.read_kafka_files(&mut found.kafka.files, complaints);
        found
    }

    /// Certificates and keys, which librdkafka reads itself from the files that properties name.
    fn read_kafka_files(&self, found: &mut BTreeMap<String, u64>, complaints: &mut Vec<String>) {
        for (property, path) in &self.config.kafka.properties {
            let path = Path::new(path);
            // A folder of authorities, or a word such as `probe`, is no file.
            if !property.ends_with(".location") || path.is_dir() {
                continue;
            }
            match std::fs::read(path) {
                Ok(bytes) if !bytes.is_empty() => {
                    found.insert(property.clone(), xxh3_64(&bytes));
                }
                Ok(_) => complaints.push(format!("{} is empty", path.display())),
                Err(_) if !found.contains_key(property) => {}
                Err(error) => complaints.push(format!("cannot read {}: {error}", path.display())),
            }
        }
    }
}

fn secret(path: Option<&Path>, complaints: &mut Vec<String>) -> Option<String> {
    let read: Result<Secret, Usage> = Secret::read(path?);
    match read {
        Ok(secret) => Some(secret.reveal().to_owned()),
        Err(error) => {
            complaints.push(error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn given(folder: &TempDir) -> Secrets {
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let mut config = Config::default();
        config.database.password_file = Some(file("database", "old\n"));
        config.database.password = Some(Secret::new("old"));
        let key = file("key.pem", "old key");
        let properties = &mut config.kafka.properties;
        properties.insert("ssl.key.location".to_owned(), key.display().to_string());
        properties.insert("ssl.ca.location".to_owned(), "probe".to_owned());
        Secrets::from_config(&config)
    }

    #[test]
    fn what_is_read_twice_the_same_counts() {
        let folder = TempDir::new().unwrap();
        let mut secrets = given(&folder);
        assert!(!secrets.look(), "nothing has changed");
        fs::write(folder.path().join("database"), "ne").unwrap();
        assert!(!secrets.look(), "it may be half written");
        fs::write(folder.path().join("database"), "new\n").unwrap();
        assert!(!secrets.look());
        assert!(secrets.look());
        let credentials = secrets.credentials().clone();
        assert_eq!(credentials.database_password.as_deref(), Some("new"));
        assert!(!secrets.look(), "it is told once");
    }

    #[test]
    fn an_empty_file_and_one_that_is_gone_leave_the_secret_as_it_was() {
        let folder = TempDir::new().unwrap();
        let mut secrets = given(&folder);
        let before = secrets.credentials().clone();
        for change in ["empty", "gone"] {
            for name in ["database", "key.pem"] {
                let path = folder.path().join(name);
                match change {
                    "empty" => fs::write(path, "").unwrap(),
                    _ => fs::remove_file(path).unwrap(),
                }
            }
            assert!(!secrets.look() && !secrets.look(), "{change}");
            assert_eq!(secrets.credentials(), &before);
            assert_eq!(secrets.complaints.len(), 2, "{:?}", secrets.complaints);
        }
    }

    #[test]
    fn another_key_in_the_same_file_is_seen() {
        let folder = TempDir::new().unwrap();
        let mut secrets = given(&folder);
        fs::write(folder.path().join("key.pem"), "new key").unwrap();
        assert!(!secrets.look() && secrets.look());
    }
}
