//! The programs of Postgres, found on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::config::search_path;

/// Directories of distributions that hold several versions, each with a `bin` below its number.
const VERSIONED: &[&str] = &["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];
/// Directories of distributions that hold one version.
const PLAIN: &[&str] = &["/usr/local/pgsql/bin", "/usr/libexec/postgresql"];

/// `initdb` and `postgres` of one version.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    directory: PathBuf,
    /// The major version, for example `15`.
    pub(super) major_version: String,
}

impl Binaries {
    /// Finds the programs on the PATH, else the newest version of the distribution.
    pub(super) fn find() -> anyhow::Result<Self> {
        let mut places = search_path();
        places.extend(versioned());
        places.extend(PLAIN.iter().map(PathBuf::from));
        let Some(directory) = places.into_iter().find(|place| is_complete(place)) else {
            bail!(
                "no PostgreSQL server found (initdb and postgres, on the PATH or below {}): \
                 install it, on Debian and Ubuntu with `apt-get install postgresql`, on Fedora \
                 with `dnf install postgresql-server`, on macOS with `brew install postgresql`",
                VERSIONED.join(", ")
            );
        };
        let major_version = version(&directory.join("postgres"))?;
        Ok(Self {
            directory,
            major_version,
        })
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }
}

fn is_complete(directory: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| directory.join(program).is_file())
}

/// Returns the `bin` directories of every version, the newest first.
fn versioned() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = VERSIONED
        .iter()
        .filter_map(|place| std::fs::read_dir(place).ok())
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name
                .strip_prefix("postgresql@")
                .unwrap_or(&name)
                .parse()
                .ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

/// Returns the major version: of `postgres (PostgreSQL) 15.13 (Debian …)` that is `15`.
fn version(postgres: &Path) -> anyhow::Result<String> {
    let output = Command::new(postgres)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", postgres.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split_whitespace().nth(2).unwrap_or_default();
    let major: String = number.chars().take_while(char::is_ascii_digit).collect();
    if major.is_empty() {
        bail!(
            "{} does not print its version: {}",
            postgres.display(),
            text.trim()
        );
    }
    Ok(major)
}
