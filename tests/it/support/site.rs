//! The environment of one test: topics, a database, and the processes between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tidemark_processor::migrate::{GenerationSpec, ensure_generation};
use tidemark_schemas::Partitioner;
use uuid::Uuid;

use super::api::{Api, SECRET};
use super::compare::Projections;
use super::guarded::{Guarded, Signal};
use super::kafka::Kafka;
use super::logs;
use super::ports::free_port;
use super::postgres::Database;
use super::publish::Publisher;
use super::quiet::{self, Load};
use super::read;
use super::registry::Registry;
use super::wait::wait_for;

pub(crate) const PARTITIONS: i32 = 4;

/// The topics, the database and the folder of one test. Its `drop`, after that of its processes,
/// asserts that none of them panicked, but where a test caused it.
pub(crate) struct Site {
    pub(crate) kafka: &'static Kafka,
    pub(crate) database: Database,
    pub(crate) topic: String,
    pub(crate) definitions_topic: String,
    pub(crate) folder: TempDir,
    _load: Load,
}

impl Site {
    /// Creates topics and a migrated database; nothing is running yet. A test has one site: it waits
    /// for tests that measure time.
    pub(crate) async fn new() -> Self {
        Self::on(Kafka::shared(), Database::fresh().await).await
    }

    /// Creates topics and the generation on these servers.
    pub(crate) async fn on(kafka: &'static Kafka, database: Database) -> Self {
        let name = Uuid::new_v4().simple().to_string();
        let site = Self {
            _load: quiet::load().await,
            kafka,
            database,
            topic: format!("customer-events-{name}"),
            definitions_topic: format!("definitions-{name}"),
            folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        };
        let forever = ("retention.ms", "-1");
        let broker_time = ("message.timestamp.type", "LogAppendTime");
        kafka
            .create_topic(&site.topic, PARTITIONS, &[forever, broker_time])
            .await;
        let large_bundles = ("max.message.bytes", "1114112");
        kafka
            .create_topic(
                &site.definitions_topic,
                1,
                &[forever, broker_time, large_bundles],
            )
            .await;
        let spec = GenerationSpec {
            topic: site.topic.clone(),
            partitions: PARTITIONS,
            partitioner: Partitioner::Murmur2,
        };
        ensure_generation(&site.database.url, &spec).await.unwrap();
        fs::write(site.config(), site.configuration()).unwrap();
        site
    }

    /// Lets all that starts from now on use another database.
    pub(crate) fn use_database(&mut self, database: Database) {
        self.database = database;
        fs::write(self.config(), self.configuration()).unwrap();
    }

    /// Returns a producer with the partitioner of the generation.
    pub(crate) async fn publisher(&self) -> Publisher {
        self.publisher_with(Partitioner::Murmur2).await
    }

    pub(crate) async fn publisher_with(&self, partitioner: Partitioner) -> Publisher {
        let encoder = Registry::shared().encoder(&self.topic).await;
        Publisher::new(self.kafka, &self.topic, partitioner, encoder)
    }

    /// Applies definitions (YAML) with the command line.
    pub(crate) fn define(&self, definitions: &str) {
        let output = self.apply(definitions);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Tries to apply definitions (YAML) with the command line.
    pub(crate) fn apply(&self, definitions: &str) -> Output {
        let file = self.folder.path().join("definitions.yaml");
        fs::write(&file, definitions).unwrap();
        self.run(&["define", "apply", file.to_str().unwrap()])
    }

    /// Runs a command and waits for its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Returns what `deferred list` prints.
    pub(crate) fn deferred(&self) -> Vec<Value> {
        let listed = self.run(&["deferred", "list", "--json"]);
        serde_json::from_slice(&listed.stdout).unwrap()
    }

    /// Starts a command, whose output is read at its end.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Starts `tidemark process`.
    pub(crate) fn process(&self, flags: &[&str]) -> Running {
        // All settings before the command: those after it would replace those before it.
        let mut arguments = vec!["process", "--set", "processor.metrics_listen=127.0.0.1:0"];
        arguments.extend(flags);
        self.start("process", &arguments)
    }

    /// Starts `tidemark process` under a name that Kafka, Postgres and `progress.owner` show, with
    /// its metrics on this port.
    pub(crate) fn member(&self, name: &str, metrics_port: u16, flags: &[&str]) -> Running {
        let (listen, client) = (
            format!("processor.metrics_listen=127.0.0.1:{metrics_port}"),
            format!("kafka.client_id={name}"),
        );
        let mut arguments = vec!["--set", &listen, "--set", &client];
        arguments.extend(flags);
        arguments.push("process");
        let mut command = self.command(&arguments);
        command.env("PGAPPNAME", name);
        let log = self.folder.path().join(format!("{name}.log"));
        Running {
            process: Guarded::spawn(&command, &log, self.folder.path()),
        }
    }

    /// Starts `tidemark serve` and waits until it is ready.
    pub(crate) async fn serve(&self) -> Api {
        let address = format!("127.0.0.1:{}", free_port());
        let listen = format!("api.listen={address}");
        let metrics = "api.metrics_listen=127.0.0.1:0";
        let process = self.start("serve", &["--set", &listen, "--set", metrics, "serve"]);
        Api::new(process, &address).await
    }

    fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let log = self
            .folder
            .path()
            .join(format!("{name}-{}.log", Uuid::new_v4().simple()));
        Running {
            process: Guarded::spawn(&self.command(arguments), &log, self.folder.path()),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
        command.arg("--config").arg(self.config()).args(arguments);
        // The developer's variables do not affect the tests.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEMARK_")) {
            command.env_remove(name);
        }
        command
            .env("RUST_BACKTRACE", "1")
            .env("TEST_FAULTS", self.faults())
            .current_dir(self.folder.path());
        command
    }

    /// Lets the processing of a customer panic in these steps, each "step of tenant/customer", until the next
    /// call.
    pub(crate) fn inject(&self, steps: &[String]) {
        let written = self.folder.path().join("faults.new");
        fs::write(&written, steps.join("\n")).unwrap();
        fs::rename(written, self.faults()).unwrap();
    }

    fn faults(&self) -> PathBuf {
        self.folder.path().join("faults")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("tidemark.toml")
    }

    fn configuration(&self) -> String {
        format!(
            r#"[kafka]
bootstrap_servers = "{bootstrap}"
topic = "{topic}"
definitions_topic = "{definitions}"
group = "{topic}"
partitioner = "murmur2"

[kafka.properties]
"session.timeout.ms" = "2000"
"heartbeat.interval.ms" = "300"

[registry]
url = "{registry}"

[database]
url = "{database}"

[api.auth]
hs256_secret = "{SECRET}"

# A test asks as fast as it can; the test of floods sets limits of its own.
[api.limits]
tenant_per_second = 0
token_per_second = 0
"#,
            bootstrap = self.kafka.bootstrap_servers(),
            topic = self.topic,
            definitions = self.definitions_topic,
            registry = Registry::shared().url,
            database = self.database.url,
        )
    }

    /// Returns the projections of the active generation.
    pub(crate) async fn projections(&self) -> Projections {
        Projections::active(&self.database.pool).await
    }

    /// Waits until every record that is now on the topic is folded, forwarded or parked, and so are
    /// the copies of forwarded ones.
    pub(crate) async fn wait_until_folded(&self, deadline: Duration) {
        // A copy is on the topic before the position passes the record that it repeats, and is not
        // forwarded again.
        for _ in ["records", "copies"] {
            let ends = read::ends(self.kafka, &self.topic);
            self.wait_for_positions(&ends, deadline).await;
        }
    }

    async fn wait_for_positions(&self, ends: &[(i32, i64)], deadline: Duration) {
        let projections = self.projections().await;
        wait_for(deadline, "all records to be folded", async || {
            let at: Vec<(i32, i64)> = projections
                .rows("select partition, next_offset from $gen.progress order by partition")
                .await;
            let reached = |&(partition, end): &(i32, i64)| {
                end == 0 || at.iter().any(|&(at, next)| at == partition && next >= end)
            };
            if ends.iter().all(reached) {
                Ok(())
            } else {
                Err(format!("{at:?} of {ends:?}"))
            }
        })
        .await;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let mut logs: Vec<PathBuf> = fs::read_dir(self.folder.path())
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        logs.sort();
        if std::thread::panicking() {
            for log in &logs {
                println!("--- {}\n{}", name(log), logs::tail(log));
            }
            return;
        }
        for log in &logs {
            let text = fs::read_to_string(log).unwrap_or_default();
            let caused = "panicked at processor/src/engine/step.rs";
            assert!(
                !text.replace(caused, "").contains("panicked at"),
                "{} panicked:\n{}",
                name(log),
                logs::tail(log)
            );
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A process of a test.
pub(crate) struct Running {
    process: Guarded,
}

impl Running {
    /// Wraps a process of no site.
    pub(crate) fn new(process: Guarded) -> Self {
        Self { process }
    }

    /// Kills the process, as a crash does.
    pub(crate) fn kill(self) {
        self.process.end(Signal::Kill);
    }

    /// Terminates the process and asserts that it shuts down gracefully.
    pub(crate) fn terminate(self) {
        let tail = self.process.log_tail();
        let status = self.process.end(Signal::Terminate);
        assert!(status.success(), "ended with {status}:\n{tail}");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Pauses the process until [`Running::resume`].
    pub(crate) fn pause(&mut self) {
        self.process.pause();
    }

    /// Resumes a paused process.
    pub(crate) fn resume(&mut self) {
        self.process.resume();
    }

    /// Returns all output of the process so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Returns the anonymous resident memory of the process in bytes.
    pub(crate) fn anonymous_bytes(&self) -> u64 {
        self.process.anonymous_bytes()
    }
}
