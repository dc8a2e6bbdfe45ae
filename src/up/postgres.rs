//! A private Postgres: its own cluster, on a free loopback port and a socket, with its own password.
//!
//! The server stops with this process, even if the process is killed: a guard (a small shell) holds the
//! other end of a pipe, waits until the pipe closes, then stops the server and removes temporary data.
//! Postgres refuses to run as root, so root runs it as another user.

mod account;
mod binaries;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use self::account::Account;
use self::binaries::Binaries;
use super::random_secret;

const SUPERUSER: &str = "tidemark";
const DATABASE: &str = "tidemark";
const START_TIMEOUT: Duration = Duration::from_mins(1);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest directory for a socket: its address also holds the file name that Postgres adds.
const LONGEST_SOCKET_DIRECTORY: usize = 80;
/// Another process may take a free port before Postgres binds it.
const PORT_ATTEMPTS: u32 = 5;

/// The guard, which runs the server and outlives this process long enough to stop it.
const GUARD: &str = include_str!("postgres/guard.sh");

/// The lifetime of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// An empty cluster, removed when it stops. Commits do not wait for disks.
    Nothing,
    /// The cluster of the last run, created if missing, with Postgres' own durability.
    Everything,
}

/// A running private Postgres.
#[derive(Debug)]
pub struct PrivatePostgres {
    guard: Child,
    /// The pipe to the guard; closing it stops the server.
    pipe: Option<ChildStdin>,
    url: String,
    directory: PathBuf,
    keep: Keep,
}

impl PrivatePostgres {
    /// Starts a server with an empty or kept database for `data_dir`. `settings` are Postgres' own, as
    /// `name=value`.
    pub async fn start(data_dir: &Path, keep: Keep, settings: &[&str]) -> anyhow::Result<Self> {
        let binaries = Binaries::find()?;
        let account = Account::for_postgres()?;
        let directory = prepare_directory(data_dir, keep, account.as_ref())?;
        let cluster = Cluster {
            binaries,
            account,
            directory,
            keep,
            settings: settings.iter().copied().map(str::to_owned).collect(),
        };
        cluster.initialise().await?;
        let mut problem = None;
        for _ in 0..PORT_ATTEMPTS {
            match cluster.run().await {
                Ok(running) => return Ok(running),
                Err(error) if error.to_string().contains("could not bind") => problem = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(problem.unwrap_or_else(|| anyhow!("no free port was found for Postgres")))
    }

    /// Returns the URL with the password. Its role is a superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the directory of the data and the log.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns when the server has ended by itself.
    pub async fn ended(&mut self) -> anyhow::Error {
        let status = self.guard.wait().await;
        let log = log_tail(&self.directory);
        anyhow!("the private Postgres ended ({}): {log}", describe(status))
    }

    /// Stops the server and waits until it is down.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.pipe.take());
        timeout(STOP_TIMEOUT, self.guard.wait())
            .await
            .map_err(|_| anyhow!("the private Postgres did not stop within {STOP_TIMEOUT:?}"))?
            .context("waiting for the private Postgres")?;
        if self.keep == Keep::Nothing {
            // The guard may lack the right to remove the directory itself.
            match fs::remove_dir_all(&self.directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).context("cannot remove the private Postgres");
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

struct Cluster {
    binaries: Binaries,
    account: Option<Account>,
    directory: PathBuf,
    keep: Keep,
    settings: Vec<String>,
}

impl Cluster {
    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn password_file(&self) -> PathBuf {
        self.directory.join("password")
    }

    /// Returns a command that runs as the user of Postgres.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = std::process::Command::new(program);
        // The working directory may be closed to that user. A process group of its own keeps Ctrl-C,
        // which a terminal sends to a whole group, from stopping Postgres before the drain.
        command.current_dir(&self.directory).process_group(0);
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        Command::from(command)
    }

    /// Creates the cluster, unless it exists.
    async fn initialise(&self) -> anyhow::Result<()> {
        if self.data().join("PG_VERSION").exists() {
            return self.check_version();
        }
        let password_file = self.password_file();
        crate::up_file::write_private(&password_file, random_secret().as_bytes())?;
        if let Some(account) = &self.account {
            chown(&password_file, Some(account.uid), Some(account.gid))
                .context("cannot change the owner of the password file")?;
        }
        let mut command = self.command(self.binaries.initdb());
        command
            .arg("--pgdata")
            .arg(self.data())
            .arg("--pwfile")
            .arg(&password_file)
            .args(["--username", SUPERUSER, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--locale", "C"])
            .env("LC_ALL", "C")
            .kill_on_drop(true);
        if self.keep == Keep::Nothing {
            command.arg("--no-sync");
        }
        let output = command.output().await.context("cannot run initdb")?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            bail!("initdb failed ({}): {}", output.status, reason.trim());
        }
        Ok(())
    }

    /// Checks that the data are of this major version: Postgres reads no other.
    fn check_version(&self) -> anyhow::Result<()> {
        let made_by = fs::read_to_string(self.data().join("PG_VERSION"))
            .context("cannot read PG_VERSION of the private Postgres")?;
        let found = &self.binaries.major_version;
        if made_by.trim() != found {
            bail!(
                "{} was created by Postgres {}, but Postgres {found} is installed: install the \
                 former, or remove the directory (the projections are rebuilt from the log)",
                self.directory.display(),
                made_by.trim(),
            );
        }
        Ok(())
    }

    async fn run(&self) -> anyhow::Result<PrivatePostgres> {
        let port = free_port()?;
        let mut guard = self.command("/bin/sh");
        guard.arg("-c").arg(GUARD).arg("tidemark-postgres-guard");
        guard.arg(match self.keep {
            Keep::Nothing => self.directory.as_os_str(),
            Keep::Everything => "".as_ref(),
        });
        guard
            .arg(self.binaries.postgres())
            .arg("-D")
            .arg(self.data());
        for setting in self.settings(port) {
            guard.arg("-c").arg(setting);
        }
        let log = fs::File::create(log_path(&self.directory)).context("cannot write a log")?;
        let mut child = guard
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start Postgres")?;
        let pipe = child.stdin.take();
        let password = fs::read_to_string(self.password_file())
            .context("cannot read the password of the private Postgres")?;
        let url = format!(
            "postgres://{SUPERUSER}:{}@127.0.0.1:{port}/{DATABASE}",
            password.trim()
        );
        let mut running = PrivatePostgres {
            guard: child,
            pipe,
            url,
            directory: self.directory.clone(),
            keep: self.keep,
        };
        running.wait_until_ready().await?;
        Ok(running)
    }

    fn settings(&self, port: u16) -> Vec<String> {
        let socket = self.directory.to_string_lossy();
        let socket = if socket.len() <= LONGEST_SOCKET_DIRECTORY {
            &*socket
        } else {
            ""
        };
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={socket}"),
            "max_connections=200".to_owned(),
            "shared_buffers=128MB".to_owned(),
        ];
        if self.keep == Keep::Nothing {
            // Temporary data need not survive a crash of the machine.
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        // Postgres uses the last value of a setting given twice.
        settings.extend(self.settings.iter().cloned());
        settings
    }
}

impl PrivatePostgres {
    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let options: PgConnectOptions = self.url.parse()?;
        let options = options.database("postgres").disable_statement_logging();
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = self.guard.try_wait()? {
                bail!(
                    "Postgres did not start ({status}): {}",
                    log_tail(&self.directory)
                );
            }
            match options.connect().await {
                Ok(connection) => return make_database(connection).await,
                Err(error) if is_starting(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => {
                    bail!(
                        "Postgres does not answer ({error}): {}",
                        log_tail(&self.directory)
                    );
                }
            }
        }
    }
}

/// Whether the server does not listen yet, or refuses connections for now (`cannot_connect_now`).
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(refused) => refused.code().as_deref() == Some("57P03"),
        _ => false,
    }
}

async fn make_database(mut connection: PgConnection) -> anyhow::Result<()> {
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = 'tidemark')")
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        connection.execute("create database tidemark").await?;
    }
    Ok(connection.close().await?)
}

/// Finds or creates the directory of the cluster, which the user of Postgres must be able to enter.
fn prepare_directory(
    data_dir: &Path,
    keep: Keep,
    account: Option<&Account>,
) -> anyhow::Result<PathBuf> {
    let data_dir = fs::canonicalize(data_dir)
        .with_context(|| format!("cannot find the data directory {}", data_dir.display()))?;
    let inside = data_dir.join("postgres");
    let directory = match account {
        Some(_) if !others_may_enter(&data_dir) => {
            // The name follows from the data directory, so that the next `up` finds it again.
            let name = Uuid::new_v5(
                &Uuid::NAMESPACE_URL,
                data_dir.as_os_str().as_encoded_bytes(),
            );
            std::env::temp_dir().join(format!("tidemark-{}", name.simple()))
        }
        _ => inside,
    };
    if keep == Keep::Nothing && directory.exists() {
        check_owner(&directory, account)?;
        // Left by a killed `up`. Its server has stopped: this process holds the lock.
        fs::remove_dir_all(&directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    if directory.exists() {
        check_owner(&directory, account)?;
        return Ok(directory);
    }
    DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    if let Some(account) = account {
        chown(&directory, Some(account.uid), Some(account.gid))
            .with_context(|| format!("cannot change the owner of {}", directory.display()))?;
    }
    Ok(directory)
}

/// Checks the owner: in a directory open to all users, another user may have created it.
fn check_owner(directory: &Path, account: Option<&Account>) -> anyhow::Result<()> {
    let metadata = fs::symlink_metadata(directory)?;
    let expected = account.map(|account| account.uid);
    if !metadata.is_dir() || expected.is_some_and(|uid| uid != metadata.uid()) {
        bail!(
            "{} belongs to another user: remove it, or use another --data-dir",
            directory.display()
        );
    }
    Ok(())
}

/// Whether users that are neither owner nor in the group may enter this directory.
fn others_may_enter(directory: &Path) -> bool {
    directory
        .ancestors()
        .all(|part| fs::metadata(part).is_ok_and(|found| found.mode() & 0o001 != 0))
}

fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("postgres.log")
}

fn log_tail(directory: &Path) -> String {
    let text = fs::read_to_string(log_path(directory)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(5)..)
        .unwrap_or_default()
        .join("; ")
}

fn describe(status: std::io::Result<std::process::ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}
