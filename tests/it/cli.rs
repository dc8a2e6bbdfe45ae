//! The command line with invalid input: each case gives a clear error and the right exit code, and
//! changes nothing.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::kafka::Kafka;
use crate::support::postgres::Database;
use crate::support::site::Site;

/// An address without a listener: the system reserves the port.
const UNREACHABLE: &str = "127.0.0.1:1";

/// A folder to run commands in, without any configuration but that of the test.
struct Shell {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Shell {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            variables: Vec::new(),
        }
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[allow(clippy::disallowed_methods, reason = "the environment holds a PATH")]
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
        command
            .env_clear()
            .current_dir(self.folder.path())
            .args(arguments);
        command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TMPDIR"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.output().unwrap()
    }

    /// Runs a command that must fail with this exit code and these parts in its error.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, parts: &[&str]) {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?} printed {errors}"
        );
        for part in parts {
            assert!(
                errors.contains(part),
                "{arguments:?} did not print {part:?} but {errors}"
            );
        }
        assert!(!errors.contains("panicked"), "{errors}");
    }
}

#[test]
fn misspelt_configuration_key_is_named() {
    let shell = Shell::new();
    shell.file(
        "tidemark.toml",
        "[kafka]\nbootstrap_server = 'localhost:9092'\n",
    );
    for command in [&["status"][..], &["process"], &["config", "show"]] {
        shell.fails(
            command,
            2,
            &[
                "tidemark.toml",
                "`kafka.bootstrap_server`",
                "`kafka.bootstrap_servers`",
            ],
        );
    }
    let shell = Shell::new().set("TIDEMARK_DATABASE__URI", "postgres://x");
    shell.fails(
        &["status"],
        2,
        &["TIDEMARK_DATABASE__URI", "TIDEMARK_DATABASE__URL"],
    );
    Shell::new().fails(
        &["--set", "api.lisen=x", "status"],
        2,
        &["api.lisen", "`api.listen`"],
    );
    Shell::new().fails(&["--config", "none.toml", "status"], 2, &["none.toml"]);
}

#[test]
fn invalid_command_line_is_explained() {
    let shell = Shell::new();
    shell.fails(&["statsu"], 2, &["statsu", "status"]);
    shell.fails(
        &["up", "--clock", "yesterday"],
        2,
        &["--clock", "yesterday"],
    );
    shell.fails(&["up", "--partitions", "0"], 2, &["--partitions"]);
    shell.fails(
        &["token", "--tenant", "a/b", "--role", "viewer"],
        2,
        &["--tenant", "'/'"],
    );
    shell.fails(
        &["token", "--tenant", "a", "--role", "root"],
        2,
        &["--role", "admin, analyst"],
    );
    shell.fails(
        &["token", "--tenant", "a", "--role", "viewer"],
        2,
        &["hs256_secret_file"],
    );
    shell.fails(&["serve"], 2, &["hs256_secret_file"]);
    shell.fails(
        &["--set", "database.password=x", "status"],
        2,
        &["variables or files"],
    );
    shell.fails(
        &["--set", "database.url=mysql://x", "status"],
        2,
        &["postgres://"],
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands: [&[&str]; 15] = [
        &["up"],
        &["demo"],
        &["process"],
        &["serve"],
        &["migrate"],
        &["publish"],
        &["import"],
        &["define", "apply"],
        &["define", "list"],
        &["define", "show"],
        &["status"],
        &["token"],
        &["schema"],
        &["openapi"],
        &["config", "show"],
    ];
    for command in commands {
        let output = Shell::new().run(&[command, &["--help"]].concat());
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{command:?}");
        assert!(
            help.contains("Example"),
            "{command:?} has no example:\n{help}"
        );
    }
}

#[test]
fn unknown_librdkafka_property_is_named() {
    let shell = Shell::new().set("TIDEMARK_KAFKA__PROPERTIES__NO_SUCH_THING", "1");
    shell.fails(
        &["define", "list"],
        2,
        &["kafka.properties", "no.such.thing"],
    );
}

#[test]
fn unreachable_broker_is_reported_at_once() {
    let shell = Shell::new().set("TIDEMARK_KAFKA__BOOTSTRAP_SERVERS", UNREACHABLE);
    shell.fails(&["migrate"], 1, &["Kafka", UNREACHABLE]);
    shell.fails(&["define", "list"], 1, &["Kafka", UNREACHABLE]);
    shell.fails(
        &["up", "--port", "0", "--kafka", UNREACHABLE],
        1,
        &["Kafka", UNREACHABLE],
    );
}

#[test]
fn unreachable_registry_is_reported_at_once() {
    let shell = Shell::new().set("TIDEMARK_REGISTRY__URL", format!("http://{UNREACHABLE}"));
    let events = shell.file("events.jsonl", "");
    shell.fails(
        &["publish", events.to_str().unwrap()],
        1,
        &["schema registry", UNREACHABLE],
    );
}

#[tokio::test]
async fn unreachable_database_and_wrong_password_give_different_errors() {
    let kafka = Kafka::shared().bootstrap_servers();
    let nowhere = format!("postgres://tidemark@{UNREACHABLE}/tidemark");
    let away = Shell::new()
        .set("TIDEMARK_KAFKA__BOOTSTRAP_SERVERS", &kafka)
        .set("TIDEMARK_DATABASE__URL", nowhere)
        .set("TIDEMARK_API__LISTEN", "127.0.0.1:0")
        .set("TIDEMARK_API__METRICS_LISTEN", "127.0.0.1:0")
        .set("TIDEMARK_PROCESSOR__METRICS_LISTEN", "127.0.0.1:0")
        .set(
            "TIDEMARK_API__AUTH__HS256_SECRET",
            "a secret that is at least as long as a hash",
        );
    for command in ["status", "process", "serve"] {
        away.fails(&[command], 1, &["Postgres", UNREACHABLE, "refused"]);
    }

    let database = Database::fresh().await;
    let mut url = reqwest::Url::parse(&database.url).unwrap();
    url.set_password(None).unwrap();
    let shell = Shell {
        folder: TempDir::new().unwrap(),
        variables: away.variables,
    };
    let shell = shell
        .set("TIDEMARK_DATABASE__URL", url.as_str())
        .set("TIDEMARK_DATABASE__PASSWORD", "hunter2");
    for command in ["status", "process", "serve"] {
        shell.fails(&[command], 1, &["password authentication failed"]);
        let output = shell.run(&[command]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    }
}

#[tokio::test]
async fn login_without_the_role_gets_the_grant_it_needs() {
    let database = Database::fresh().await;
    let login = format!("login_{}", uuid::Uuid::new_v4().simple());
    let make = format!("create role {login} login password 'hunter2'");
    sqlx::query(sqlx::AssertSqlSafe(make))
        .execute(&database.pool)
        .await
        .unwrap();
    let mut url = reqwest::Url::parse(&database.url).unwrap();
    url.set_username(&login).unwrap();
    url.set_password(None).unwrap();
    let shell = Shell::new()
        .set("TIDEMARK_DATABASE__URL", url.as_str())
        .set("TIDEMARK_DATABASE__PASSWORD", "hunter2");
    let grant = "`grant tidemark_processor to`";
    shell.fails(&["status"], 1, &["permission denied to set role", grant]);
    let nobody = ["--set", "database.processor_role=nobody_at_all", "status"];
    shell.fails(&nobody, 1, &["nobody_at_all", "does not exist"]);
    let itself = format!("database.processor_role={login}");
    let denied = format!("the role {login} may not read the generations");
    shell.fails(
        &["--set", &itself, "status"],
        1,
        &[&denied, "permission denied"],
    );
}

#[tokio::test]
async fn missing_topic_is_named() {
    let shell = Shell::new()
        .set(
            "TIDEMARK_KAFKA__BOOTSTRAP_SERVERS",
            Kafka::shared().bootstrap_servers(),
        )
        .set("TIDEMARK_KAFKA__TOPIC", "nobody-made-this")
        .set("TIDEMARK_KAFKA__DEFINITIONS_TOPIC", "nor-this");
    shell.fails(&["migrate"], 1, &["nobody-made-this"]);
    shell.fails(&["define", "list"], 1, &["nor-this"]);
}

#[tokio::test]
async fn generation_of_another_layout_is_refused_with_the_next_step() {
    let site = Site::new().await;
    sqlx::query("update tidemark.generation set layout_version = layout_version - 1")
        .execute(&site.database.pool)
        .await
        .unwrap();
    for command in [
        &["status"][..],
        &["parked", "list"],
        &["why", "acme", "ann", "buyers"],
        &["process"],
        &["migrate"],
    ] {
        let output = site.run(command);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {errors}");
        let next = "fold the topics from the beginning into a new database";
        assert!(errors.contains(next), "{command:?}: {errors}");
    }
}

#[test]
fn port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let shell = Shell::new();
    shell.fails(&["up", "--port", &port], 1, &[&port, "in use", "--port"]);
    let shell = Shell::new()
        .set("TIDEMARK_API__LISTEN", format!("127.0.0.1:{port}"))
        .set(
            "TIDEMARK_API__AUTH__HS256_SECRET",
            "a secret that is at least as long as a hash",
        );
    shell.fails(&["serve"], 1, &[&port, "in use", "api.listen"]);
}

#[test]
fn invalid_files_are_named() {
    let shell = Shell::new();
    shell.fails(&["publish", "none.jsonl"], 1, &["none.jsonl"]);
    shell.fails(&["define", "apply", "none.yaml"], 1, &["none.yaml"]);
    shell.fails(
        &["import", "none.csv", "--mapping", "none.toml"],
        1,
        &["none.toml"],
    );
    let mapping = shell.file("mapping.toml", "[event]\ntenant = 'acme'\n");
    shell.fails(
        &["import", "none.csv", "--mapping", mapping.to_str().unwrap()],
        2,
        &["mapping.toml", "line 2", "tenant"],
    );
    shell.file(
        "wrong.yaml",
        "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n\
         segments:\n\
         - name: a\n\
         \x20 when: { orders: { count: { gte: 3 } } }\n\
         - name: b\n\
         \x20 when: { ordres: { count: { gte: 3 } } }\n",
    );
    shell.fails(
        &["define", "apply", "wrong.yaml"],
        1,
        &["wrong.yaml:6:", "ordres", "orders"],
    );
}

#[test]
fn up_file_of_a_stopped_run_is_rejected() {
    let shell = Shell::new();
    shell.fails(&["--up=up.json", "status"], 1, &["up.json"]);
    shell.file("up.json", "{}");
    shell.fails(&["--up=up.json", "status"], 1, &["up.json"]);
}

#[test]
fn import_dry_run_converts_rows_to_events() {
    let shell = Shell::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cdnow");
    let (log, mapping) = (
        format!("{data}/CDNOW_sample.txt"),
        format!("{data}/mapping.toml"),
    );
    let until = "1997-09-30T00:00:00Z";
    let output = shell.run(&[
        "import",
        &log,
        "--mapping",
        &mapping,
        "--dry-run",
        "--until",
        until,
    ]);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).lines().count(),
        4_960
    );
}
