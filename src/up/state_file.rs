//! `up.json`: where a running `tidemark up` is, for people's scripts and our own commands.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

const FILE: &str = "up.json";
const LOCK: &str = "up.lock";

/// What `up.json` holds. It names secrets, so only its owner may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpFile {
    /// The read API.
    pub api_url: String,
    /// Whether that broker is the embedded one, whose log forgets.
    pub embedded_broker: bool,
    /// Bootstrap servers.
    pub kafka_bootstrap: String,
    /// The schema registry.
    pub registry_url: String,
    /// Postgres, with its password.
    pub database_url: String,
    /// Prometheus metrics.
    pub metrics_url: String,
    /// Customer events.
    pub topic: String,
    /// Definitions.
    pub definitions_topic: String,
    /// The key that signs development tokens.
    pub hs256_secret_file: String,
    /// The process.
    pub pid: u32,
    /// Tokens by tenant and role.
    pub tokens: BTreeMap<String, BTreeMap<String, String>>,
}

impl UpFile {
    /// Where the file is in a data directory.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// Reads the file of an `up` that still runs.
    pub fn read_running(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("no `tidemark up` to be found at {}", path.display()))?;
        let file = serde_json::from_str(&text)
            .with_context(|| format!("{} is not an up.json", path.display()))?;
        let lock = path.with_file_name(LOCK);
        let holder = File::open(&lock)
            .with_context(|| format!("{} has no {LOCK} beside it", path.display()))?;
        if holder.try_lock_shared().is_ok() {
            bail!(
                "{} is stale: the `tidemark up` that wrote it does not run any more",
                path.display()
            );
        }
        Ok(file)
    }

    /// Replaces the file in one step, so that no reader ever sees half of it.
    pub fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_private(&Self::path(data_dir), text.as_bytes())
    }

    /// Removes the file, if it is there.
    pub fn remove(data_dir: &Path) {
        remove_file(&Self::path(data_dir));
    }
}

/// Removes a file of ours, if it is there. Failing to tidy up fails nothing else.
pub(crate) fn remove_file(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "cannot remove {}", path.display());
    }
}

/// Replaces a file that only its owner may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        // Left over by a kill, perhaps with other permissions.
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

/// Keeps a second `up` out of a data directory for as long as it lives. The system lets go of it
/// when the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the data directory, or says who has it.
    pub fn take(data_dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot make the data directory {}", data_dir.display()))?;
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
    let who = fs::read_to_string(UpFile::path(data_dir))
        .ok()
        .and_then(|text| serde_json::from_str::<UpFile>(&text).ok())
        .map_or_else(String::new, |up| {
            format!(" (process {}, {})", up.pid, up.api_url)
        });
    format!(
        "another `tidemark up`{who} runs in {}: stop it, or name another place with --data-dir",
        data_dir.display()
    )
}
