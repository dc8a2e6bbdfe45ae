//! The Kafka Streams application as a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::it::support::guarded::{Guarded, Signal};
use crate::measure::site::Place;

/// The smallest heap that costs no throughput; the cache of `RocksDB` is beside it. The parallel
/// collector has the highest throughput on two cores.
const JVM: [&str; 4] = [
    "-Xmx768m",
    "-XX:+UseParallelGC",
    "-Dorg.apache.avro.SERIALIZABLE_PACKAGES=tidemark.v1,tidemark.peer.avro",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];
const THREADS: &str = "2";

/// A running application.
pub(super) struct Streams {
    process: Guarded,
    /// The property that identifies the process.
    mark: String,
    _folder: TempDir,
}

impl Streams {
    pub(super) fn start(
        place: &Place,
        jars: &Path,
        application: &str,
        commit_interval_millis: u32,
    ) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mark = format!("-Dapplication={application}");
        let mut command = Command::new("java");
        command.args(JVM).arg(&mark).arg("-cp").arg(jars.join("*"));
        command.arg("tidemark.peer.stream.Main");
        command
            .env("PEER_BOOTSTRAP_SERVERS", &place.bootstrap_servers)
            .env("PEER_REGISTRY_URL", &place.registry_url)
            .env("PEER_DATABASE_URL", jdbc_url(&place.database_url))
            .env("PEER_TOPIC", &place.topic)
            .env("PEER_APPLICATION_ID", application)
            .env("PEER_STATE_FOLDER", folder.path().join("state"))
            .env("PEER_PARTITIONS", place.partitions.to_string())
            .env("PEER_THREADS", THREADS)
            .env(
                "PEER_COMMIT_INTERVAL_MILLIS",
                commit_interval_millis.to_string(),
            );
        let log = folder.path().join("streams.log");
        Self {
            process: Guarded::spawn(&command, &log, folder.path()),
            mark,
            _folder: folder,
        }
    }

    /// Fails with the end of the log if the process has ended.
    pub(super) fn assert_running(&mut self) {
        let running = self.process.is_running();
        assert!(running, "it ended:\n{}", self.process.log_tail());
    }

    /// Returns the maximum resident memory in bytes, with that of `RocksDB`.
    pub(super) fn peak_rss_bytes(&self) -> u64 {
        let status = fs::read_to_string(self.folder_of_process().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    fn folder_of_process(&self) -> PathBuf {
        let theirs = |folder: &PathBuf| {
            fs::read(folder.join("cmdline")).is_ok_and(|line| {
                let mut words = line.split(|byte| *byte == 0);
                words.next() == Some(b"java".as_slice())
                    && words.any(|word| word == self.mark.as_bytes())
            })
        };
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(theirs)
            .expect("the process runs")
    }

    /// Ends the process with SIGTERM.
    pub(super) fn stop(self) {
        self.process.end(Signal::Terminate);
    }
}

/// Converts `postgres://user:password@host:port/name` to the form of Java's driver.
fn jdbc_url(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    let (login, server) = rest.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    format!("jdbc:postgresql://{server}?user={user}&password={password}")
}
