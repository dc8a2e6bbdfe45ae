//! A registry of another vendor with Confluent's interface: Apicurio, in memory, started once for
//! the whole run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tidemark_schemas::codec::SCHEMA;
use tidemark_schemas::registry::{RegistryClient, RegistryConfig};
use uuid::Uuid;

use crate::support::guarded::Guarded;
use crate::support::ports::free_port;
use crate::support::wait::wait_for;

const READY_WITHIN: Duration = Duration::from_mins(3);

/// A running Apicurio.
pub(super) struct Apicurio {
    port: u16,
    process: Mutex<Guarded>,
}

impl Apicurio {
    /// Returns the registry of all tests of this run, when it is ready.
    pub(super) async fn shared() -> &'static Self {
        static SHARED: OnceLock<Apicurio> = OnceLock::new();
        let apicurio = SHARED.get_or_init(Self::start);
        let client = apicurio.client();
        wait_for(READY_WITHIN, "Apicurio to be ready", async || {
            apicurio.assert_running();
            let found = client.find("nobody-value", SCHEMA).await;
            found.map_err(|error| error.to_string())
        })
        .await;
        apicurio
    }

    fn start() -> Self {
        let libs = libs("tests/interop/registry");
        let folder = std::env::temp_dir().join(format!("tidemark-registry-{}", Uuid::new_v4()));
        fs::create_dir_all(&folder).unwrap();
        let port = free_port();
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dquarkus.http.host=127.0.0.1")
            .arg(format!("-Dquarkus.http.port={port}"))
            .arg(format!("-Djava.io.tmpdir={}", folder.display()))
            .arg("-jar")
            .arg(runner(&libs));
        let process = Guarded::spawn(&command, &folder.join("registry.log"), &folder);
        Self {
            port,
            process: Mutex::new(process),
        }
    }

    fn assert_running(&self) {
        let mut process = self.process.lock().unwrap();
        assert!(process.is_running(), "it ended:\n{}", process.log_tail());
    }

    /// Returns the address of Confluent's interface.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// Returns the address of its own interface, which its own serializers use.
    pub(super) fn own_url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/registry/v2", self.port)
    }

    pub(super) fn client(&self) -> Arc<RegistryClient> {
        let config = RegistryConfig {
            url: self.url(),
            ..RegistryConfig::default()
        };
        Arc::new(RegistryClient::new(&config).unwrap())
    }
}

/// Returns what a folder with a pom.xml needs, fetched on the first run.
pub(super) fn libs(folder: &str) -> PathBuf {
    PathBuf::from(output_of(script("interop-libs").arg(folder)))
}

/// Returns a script of this project.
pub(super) fn script(name: &str) -> Command {
    Command::new(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scripts")
            .join(name),
    )
}

/// Returns the output of a command that must succeed.
pub(super) fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

fn runner(libs: &Path) -> PathBuf {
    let files = fs::read_dir(libs)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut runners = files.filter(|path| path.to_string_lossy().ends_with("-runner.jar"));
    runners.next().expect("the archive has a runner")
}
