//! A running `tidemark up` or `tidemark demo`, and commands against it.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::guarded::Guarded;
use super::wait::wait_until;

pub(crate) const READY_WITHIN: Duration = Duration::from_secs(90);
const CLOCK: &str = "1997-09-30T00:00:00Z";
const CDNOW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cdnow");

#[allow(
    clippy::disallowed_methods,
    reason = "the developer's variables do not affect the tests"
)]
pub(crate) fn tidemark(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDEMARK_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder);
    command
}

/// A running `tidemark up`.
pub(crate) struct Up {
    pub(crate) process: Guarded,
    pub(crate) folder: TempDir,
}

impl Up {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_as(&[&["up"], flags].concat())
    }

    /// Starts `up`, or a command that includes it.
    pub(crate) fn start_as(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let arguments = [arguments, &["--port", "0"]].concat();
        let command = tidemark(folder.path(), &arguments);
        let process = Guarded::spawn(&command, &folder.path().join("up.log"), folder.path());
        let mut up = Self { process, folder };
        wait_until(READY_WITHIN, "up.json", || {
            assert!(up.process.is_running(), "{}", up.process.log_tail());
            up.file().exists()
        });
        up
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join(".tidemark/up.json")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_reader(File::open(self.file()).unwrap()).unwrap()
    }

    /// Runs a command against the running `up`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        tidemark(self.folder.path(), &[&["--up"], arguments].concat())
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed and returns its last line, which is JSON.
    #[track_caller]
    pub(crate) fn answer(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{arguments:?}: {errors}\n{}",
            self.process.log_tail()
        );
        last_line(&output)
    }

    /// Returns the answer of `status`, which fails until the processor has claimed every partition.
    pub(crate) fn status(&self) -> Value {
        last_line(&self.run(&["status", "--json"]))
    }

    pub(crate) fn import(&self) -> Value {
        let (log, mapping) = (
            format!("{CDNOW}/CDNOW_sample.txt"),
            format!("{CDNOW}/mapping.toml"),
        );
        self.answer(&["import", &log, "--mapping", &mapping, "--until", CLOCK])
    }

    /// Waits until this many records are folded or parked.
    pub(crate) fn wait_until_folded(&self, records: i64) {
        wait_until(READY_WITHIN, "all records to be folded", || {
            let status = self.status();
            let partitions = status["partitions"].as_array().unwrap();
            let folded: i64 = partitions
                .iter()
                .map(|at| at["next_offset"].as_i64().unwrap())
                .sum();
            folded == records
        });
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.json()["api_url"].as_str().unwrap());
        reqwest::Client::new()
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }
}

pub(crate) fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// Returns whether a server listens at the address of a URL.
pub(crate) fn is_listening(url: &Value) -> bool {
    let url = reqwest::Url::parse(url.as_str().unwrap()).unwrap();
    let port = url.port_or_known_default().unwrap();
    std::net::TcpStream::connect((url.host_str().unwrap(), port)).is_ok()
}
