//! `up.json`: the addresses and tokens of a running `tidemark up`, for scripts and other commands.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

const FILE: &str = "up.json";
const LOCK: &str = "up.lock";

/// The content of `up.json`. It holds secrets, so only its owner may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpFile {
    /// The URL of the read API.
    pub(crate) api_url: String,
    /// Whether the broker is the embedded one, which drops old records.
    pub(crate) embedded_broker: bool,
    /// The bootstrap servers of Kafka.
    pub(crate) kafka_bootstrap: String,
    /// The URL of the schema registry.
    pub(crate) registry_url: String,
    /// The URL of Postgres, with the password.
    pub(crate) database_url: String,
    /// The URL of the Prometheus metrics.
    pub(crate) metrics_url: String,
    /// The topic of customer events.
    pub(crate) topic: String,
    /// The topic of definitions.
    pub(crate) definitions_topic: String,
    /// The file of the key that signs development tokens.
    pub(crate) hs256_secret_file: String,
    /// The id of the process.
    pub(crate) pid: u32,
    /// Tokens by tenant and role.
    pub(crate) tokens: BTreeMap<String, BTreeMap<String, String>>,
}

impl UpFile {
    /// Returns the path of the file in a data directory.
    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// Reads the file, and checks that its `up` still runs.
    pub(crate) fn read_running(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read {}, which a running `tidemark up` writes: start one, or name its \
                     file with --up=FILE",
                path.display()
            )
        })?;
        let file = serde_json::from_str(&text)
            .with_context(|| format!("{} is not an up.json", path.display()))?;
        let lock = path.with_file_name(LOCK);
        let holder = File::open(&lock)
            .with_context(|| format!("{} has no {LOCK} beside it", path.display()))?;
        if holder.try_lock_shared().is_ok() {
            bail!(
                "{} is stale: the `tidemark up` that wrote it no longer runs; start it again",
                path.display()
            );
        }
        Ok(file)
    }

    /// Replaces the file in one step, so that no reader sees half of it.
    pub(crate) fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_private(&Self::path(data_dir), text.as_bytes())
    }

    /// Removes the file, if it exists.
    pub(crate) fn remove(data_dir: &Path) {
        remove_file(&Self::path(data_dir));
    }
}

/// Removes a file, if it exists. A failure is only logged.
pub(crate) fn remove_file(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "cannot remove {}", path.display());
    }
}

/// Replaces a file, readable only by its owner.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        // A killed process may have left it with other permissions.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(bytes)?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The lock that keeps a second `up` out of a data directory. The system releases it when the process
/// ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Locks the data directory; an error names the process that holds it.
    pub(crate) fn take(data_dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot create the data directory {}", data_dir.display()))?;
        let path = data_dir.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(already_running(data_dir)),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        if UpFile::path(data_dir).exists() {
            tracing::info!("the last `up` here did not end cleanly; its up.json is replaced");
            UpFile::remove(data_dir);
        }
        Ok(Self { _file: file })
    }
}

fn already_running(data_dir: &Path) -> String {
    let process = fs::read_to_string(UpFile::path(data_dir))
        .ok()
        .and_then(|text| serde_json::from_str::<UpFile>(&text).ok())
        .map_or_else(String::new, |up| {
            format!(" (process {}, {})", up.pid, up.api_url)
        });
    format!(
        "another `tidemark up`{process} runs in {}: stop it, or use another --data-dir",
        data_dir.display()
    )
}
