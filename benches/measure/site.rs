//! The site of a measurement: a broker, a database, a filled topic, and Tidemark's processes on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use tidemark::up::postgres::{Keep, PrivatePostgres};
use tidemark_processor::migrate::{GenerationSpec, ensure_generation};
use tidemark_schemas::Partitioner;
use uuid::Uuid;

use super::events;
use crate::it::support::guarded::Guarded;
use crate::it::support::kafka::Kafka;
use crate::it::support::registry::Registry;

pub(crate) const PARTITIONS: i32 = 4;
/// The settings that docs/OPERATIONS.md recommends. Postgres' defaults are for small machines, where
/// the pages of random customers are read and written repeatedly.
const POSTGRES: &[&str] = &[
    "shared_buffers=2GB",
    "max_wal_size=8GB",
    "checkpoint_timeout=15min",
    "wal_compression=lz4",
];
/// The key that signs tokens, unless a bench has its own.
pub(crate) const SECRET: &str = "a secret for benches, long enough for HS256";

/// The addresses of the servers, and the content of the topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) bootstrap_servers: String,
    pub(crate) registry_url: String,
    pub(crate) topic: String,
    pub(crate) definitions_topic: String,
    pub(crate) database_url: String,
    pub(crate) partitions: i32,
    pub(crate) customers: u32,
    pub(crate) load_events: u64,
    pub(crate) live_events: u64,
    /// The first offset after the customers' histories, by partition.
    pub(crate) load_ends_at: Vec<i64>,
    /// The first offset after all events, by partition.
    pub(crate) ends_at: Vec<i64>,
}

/// The servers of a run, stopped with it.
pub(crate) struct Servers {
    pub(crate) kafka: &'static Kafka,
    postgres: Option<PrivatePostgres>,
    postgres_folder: PathBuf,
}

impl Servers {
    /// Postgres with its default durability.
    pub(crate) async fn start() -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-postgres");
        fs::create_dir_all(&data).unwrap();
        let kafka = tokio::task::spawn_blocking(Kafka::shared).await.unwrap();
        let postgres = PrivatePostgres::start(&data, Keep::Everything, POSTGRES).await;
        let postgres = postgres.unwrap();
        Self {
            kafka,
            postgres_folder: postgres.directory().to_owned(),
            postgres: Some(postgres),
        }
    }

    /// Returns the URL of a database on the server.
    pub(crate) fn url(&self, database: &str) -> String {
        let (server, _) = self
            .postgres
            .as_ref()
            .unwrap()
            .url()
            .rsplit_once('/')
            .unwrap();
        format!("{server}/{database}")
    }

    /// Copies a database without connections, page by page.
    pub(crate) async fn copy_database(&self, from: &str, to: &str) -> String {
        self.drop_database(to).await;
        self.execute(&format!(
            "create database {to} template {from} strategy file_copy"
        ))
        .await;
        self.url(to)
    }

    /// Drops a database, including one that a killed run has left.
    pub(crate) async fn drop_database(&self, name: &str) {
        self.execute(&format!("drop database if exists {name} with (force)"))
            .await;
    }

    /// Executes one statement on the server's default database.
    pub(crate) async fn execute(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        connection
            .execute(AssertSqlSafe(statement.to_owned()))
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// Returns an empty site: topics, a migrated database and definitions.
    pub(crate) async fn site(&self, database: &str, customers: u32) -> Place {
        let definitions = events::definitions();
        self.site_of(database, customers, &definitions).await
    }

    /// Returns an empty site with the given definitions.
    pub(crate) async fn site_of(&self, database: &str, customers: u32, definitions: &str) -> Place {
        let name = Uuid::new_v4().simple().to_string();
        let topic = format!("customer-events-{name}");
        let definitions_topic = format!("definitions-{name}");
        for (topic, partitions) in [(&topic, PARTITIONS), (&definitions_topic, 1)] {
            let broker_time = ("message.timestamp.type", "LogAppendTime");
            let config = [("retention.ms", "-1"), broker_time];
            self.kafka.create_topic(topic, partitions, &config).await;
        }
        let database_url = self.empty_database(database, &topic).await;
        let place = Place {
            bootstrap_servers: self.kafka.bootstrap_servers(),
            registry_url: Registry::shared().url.clone(),
            topic,
            definitions_topic,
            database_url,
            partitions: PARTITIONS,
            customers,
            load_events: 0,
            live_events: 0,
            load_ends_at: Vec::new(),
            ends_at: Vec::new(),
        };
        place.define(definitions);
        place
    }

    /// Returns the same topics with another, empty database.
    pub(crate) async fn another_database(&self, place: &Place, database: &str) -> Place {
        Place {
            database_url: self.empty_database(database, &place.topic).await,
            ..place.clone()
        }
    }

    /// Creates a migrated database for a topic; returns its URL.
    async fn empty_database(&self, database: &str, topic: &str) -> String {
        self.drop_database(database).await;
        self.execute(&format!("create database {database}")).await;
        let database_url = self.url(database);
        tidemark_processor::migrate::migrate(&database_url)
            .await
            .unwrap();
        let spec = GenerationSpec {
            topic: topic.to_owned(),
            partitions: PARTITIONS,
            partitioner: Partitioner::Murmur2,
        };
        ensure_generation(&database_url, &spec).await.unwrap();
        database_url
    }

    /// Stops the servers and removes their data.
    pub(crate) async fn stop(mut self) {
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await.unwrap();
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Dropping it closes the pipe to the guard, which stops the server.
        drop(self.postgres.take());
        drop(fs::remove_dir_all(&self.postgres_folder));
    }
}

impl Place {
    /// Applies definitions.
    pub(crate) fn define(&self, definitions: &str) {
        let folder = self.folder(512);
        let file = folder.path().join("definitions.yaml");
        fs::write(&file, definitions).unwrap();
        self.run(&["define", "apply", file.to_str().unwrap()]);
    }

    /// Runs a command, which must succeed.
    pub(crate) fn run(&self, arguments: &[&str]) {
        let output = self.try_run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
    }

    /// Runs a command.
    pub(crate) fn try_run(&self, arguments: &[&str]) -> Output {
        let folder = self.folder(512);
        command(&folder, arguments).output().unwrap()
    }

    /// Connects to the database.
    pub(crate) async fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .connect(&self.database_url)
            .await
            .unwrap()
    }

    /// Returns a folder with the configuration of Tidemark's commands.
    pub(crate) fn folder(&self, memory_mib: u64) -> TempDir {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let text = format!(
            r#"[kafka]
bootstrap_servers = "{bootstrap}"
topic = "{topic}"
definitions_topic = "{definitions}"
group = "{topic}"
partitioner = "murmur2"

[registry]
url = "{registry}"

[database]
url = "{database}"

[processor]
memory_mib = {memory_mib}
metrics_listen = "127.0.0.1:0"

[api.auth]
hs256_secret = "{SECRET}"

# Rate limits are not measured.
[api.limits]
tenant_per_second = 0
token_per_second = 0
"#,
            bootstrap = self.bootstrap_servers,
            topic = self.topic,
            definitions = self.definitions_topic,
            registry = self.registry_url,
            database = self.database_url,
        );
        fs::write(folder.path().join("tidemark.toml"), text).unwrap();
        folder
    }
}

/// Makes Postgres and the disk write everything that is pending.
pub(crate) async fn quiesce(pool: &PgPool) {
    sqlx::query("checkpoint").execute(pool).await.unwrap();
    let synced = Command::new("sync").status().unwrap();
    assert!(synced.success(), "{synced}");
}

/// Returns the command of the binary with the configuration of a folder.
fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    let config = folder.path().join("tidemark.toml");
    command.arg("--config").arg(config).args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEMARK_")) {
        command.env_remove(name);
    }
    command.current_dir(folder.path());
    command
}

/// A process of Tidemark.
pub(crate) struct Child {
    process: Guarded,
    config: PathBuf,
    _folder: TempDir,
}

impl Child {
    pub(crate) fn start(place: &Place, memory_mib: u64, arguments: &[&str]) -> Self {
        let folder = place.folder(memory_mib);
        let log = folder.path().join("child.log");
        Self {
            process: Guarded::spawn(&command(&folder, arguments), &log, folder.path()),
            config: folder.path().join("tidemark.toml"),
            _folder: folder,
        }
    }

    /// Fails with the end of the log if the process has ended.
    pub(crate) fn assert_running(&mut self) {
        let running = self.process.is_running();
        assert!(running, "it ended:\n{}", self.process.log_tail());
    }

    /// Returns the maximum resident memory in bytes.
    pub(crate) fn peak_rss_bytes(&self) -> u64 {
        let status = fs::read_to_string(self.folder_of_process().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    /// Returns the id of the process that runs the binary with this configuration: a child of the guard.
    fn folder_of_process(&self) -> PathBuf {
        let config = self.config.to_str().unwrap();
        let ours = |folder: &PathBuf| {
            fs::read(folder.join("cmdline")).is_ok_and(|line| {
                let mut words = line.split(|byte| *byte == 0);
                words.next() == Some(env!("CARGO_BIN_EXE_tidemark").as_bytes())
                    && words.any(|word| word == config.as_bytes())
            })
        };
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(ours)
            .expect("the process runs")
    }

    /// Ends the process with SIGTERM.
    pub(crate) fn terminate(self) {
        let tail = self.process.log_tail();
        let status = self
            .process
            .end(crate::it::support::guarded::Signal::Terminate);
        assert!(status.success(), "ended with {status}:\n{tail}");
    }
}
