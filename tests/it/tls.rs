//! TLS, SCRAM and client certificates against real servers, and the errors for wrong settings.

mod rotation;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::api::SECRET;
use crate::support::certificates::Certificates;
use crate::support::guarded::{Guarded, Signal};
use crate::support::ports::free_port;
use crate::support::secure::{PASSWORD, SecureKafka, SecurePostgres, SecureRegistry, USER};
use crate::support::up::tidemark;
use crate::support::wait::wait_until;

const SOON: Duration = Duration::from_mins(2);
const DEFINITIONS: &str = "tenant: { id: acme, zone: UTC, currency: EUR }\n\
    segments:\n  - name: buyers\n    when: { orders: { count: { gte: 1 } } }\n";

/// The servers, with the certificates for them.
struct Secure {
    kafka: SecureKafka,
    postgres: SecurePostgres,
    registry: SecureRegistry,
    certificates: Certificates,
    folder: TempDir,
    api_port: u16,
}

/// The settings of clients, of which a test makes one wrong.
#[derive(Clone)]
struct Settings {
    bootstrap: String,
    properties: Vec<(&'static str, String)>,
    kafka_password: Option<&'static str>,
    database: String,
    database_password: Option<&'static str>,
    registry_password: &'static str,
}

impl Settings {
    fn set(&mut self, property: &'static str, value: impl Into<String>) {
        self.properties.retain(|(name, _)| *name != property);
        self.properties.push((property, value.into()));
    }

    fn unset(&mut self, property: &str) {
        self.properties.retain(|(name, _)| *name != property);
    }
}

impl Secure {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let certificates = Certificates::make(folder.path(), USER);
        let postgres = SecurePostgres::start(&folder, &certificates).await;
        let kafka = SecureKafka::start(folder.path(), &certificates);
        kafka.create_topic("customer-events").await;
        kafka.create_topic("tidemark.definitions").await;
        Self {
            kafka,
            postgres,
            registry: SecureRegistry::start().await,
            certificates,
            folder,
            api_port: free_port(),
        }
    }

    /// Creates the tables and a tenant.
    async fn define(&self, access: &Settings) {
        self.succeeds(access, &["migrate"]);
        self.postgres.grant_roles().await;
        let definitions = self.write("acme.yaml", DEFINITIONS);
        self.succeeds(access, &["define", "apply", definitions.to_str().unwrap()]);
    }

    /// Returns settings with SCRAM for Kafka and a password for Postgres.
    fn by_password(&self) -> Settings {
        let properties = vec![
            ("security.protocol", "SASL_SSL".to_owned()),
            ("sasl.mechanism", "SCRAM-SHA-512".to_owned()),
            ("sasl.username", USER.to_owned()),
            ("ssl.ca.location", self.certificates.file("ca.pem")),
        ];
        Settings {
            bootstrap: format!("localhost:{}", self.kafka.scram),
            properties,
            kafka_password: Some(PASSWORD),
            database: self.database(USER, "localhost", "ca.pem", false),
            database_password: Some(PASSWORD),
            registry_password: PASSWORD,
        }
    }

    /// Returns settings with a client certificate for both.
    fn by_certificate(&self) -> Settings {
        let file = |name| self.certificates.file(name);
        let properties = vec![
            ("security.protocol", "SSL".to_owned()),
            ("ssl.ca.location", file("ca.pem")),
            ("ssl.certificate.location", file("client.crt")),
            ("ssl.key.location", file("client.key")),
        ];
        Settings {
            bootstrap: format!("localhost:{}", self.kafka.mutual),
            properties,
            kafka_password: None,
            database: self.database("with_certificate", "localhost", "ca.pem", true),
            database_password: None,
            registry_password: PASSWORD,
        }
    }

    fn database(&self, user: &str, host: &str, ca: &str, certificate: bool) -> String {
        let file = |name| self.certificates.file(name);
        let url = format!(
            "postgres://{user}@{}?sslmode=verify-full&sslrootcert={}",
            self.postgres.address(host),
            file(ca)
        );
        if !certificate {
            return url;
        }
        let (certificate, key) = (file("client.crt"), file("client.key"));
        format!("{url}&sslcert={certificate}&sslkey={key}")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        // Not written without need: a process that just started may be reading it.
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::write(&path, text).unwrap();
        }
        path
    }

    /// Writes the configuration file and returns its path.
    fn configure(&self, access: &Settings) -> PathBuf {
        let mut text = vec![format!(
            "[kafka]\nbootstrap_servers = '{}'\n[registry]\nurl = '{}'\nusername = '{USER}'\n\
             password_file = '{}'\n",
            access.bootstrap,
            self.registry.url,
            self.write("registry-password", access.registry_password)
                .display()
        )];
        text.push("[kafka.properties]\n'broker.address.family' = 'v4'\n".to_owned());
        for (name, value) in &access.properties {
            text.push(format!("'{name}' = '{value}'\n"));
        }
        if let Some(password) = access.kafka_password {
            let file = self.write("kafka-password", password);
            text.push(format!(
                "[kafka.property_files]\n'sasl.password' = '{}'\n",
                file.display()
            ));
        }
        text.push(format!("[database]\nurl = '{}'\n", access.database));
        if let Some(password) = access.database_password {
            let file = self.write("database-password", password);
            text.push(format!("password_file = '{}'\n", file.display()));
        }
        text.push("[processor]\nmetrics_listen = '127.0.0.1:0'\n".to_owned());
        text.push("[api]\nmetrics_listen = '127.0.0.1:0'\n".to_owned());
        text.push(format!("listen = '127.0.0.1:{}'\n", self.api_port));
        text.push(format!("[api.auth]\nhs256_secret = '{SECRET}'\n"));
        self.write("tidemark.toml", &text.concat())
    }

    fn run(&self, access: &Settings, arguments: &[&str]) -> Output {
        self.configure(access);
        tidemark(self.folder.path(), arguments).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, access: &Settings, arguments: &[&str]) -> String {
        let output = self.run(access, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with exit code 1 and an error that names the setting and
    /// contains no secret.
    #[track_caller]
    fn assert_rejected(&self, access: &Settings, arguments: &[&str], setting: &str) {
        let output = self.run(access, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{setting}: {errors}");
        assert!(
            errors.contains(setting),
            "the error does not name {setting:?}: {errors}"
        );
        for secret in [PASSWORD, WRONG, "PRIVATE KEY"] {
            assert!(
                !errors.contains(secret),
                "the error contains a secret: {errors}"
            );
        }
    }

    fn publish(&self, access: &Settings, number: u32) {
        let event = format!(
            r#"{{"event_id": "00000000-0000-4000-8000-{number:012}", "tenant_id": "acme", "customer_id": "c-{number}", "source": "test", "occurred_at": "2026-01-01T00:00:00Z", "payload": {{"type": "order_placed", "order_id": "o", "amount_minor": 1, "currency": "EUR"}}}}"#
        );
        let file = self.write("events.jsonl", &event);
        self.succeeds(access, &["publish", file.to_str().unwrap()]);
    }

    /// Starts `process` or `serve`.
    fn start_command(&self, access: &Settings, command: &str) -> Guarded {
        self.start_logged(access, command, &format!("{command}.log"))
    }

    fn start_logged(&self, access: &Settings, command: &str, log: &str) -> Guarded {
        self.configure(access);
        let log = self.folder.path().join(log);
        let command = tidemark(self.folder.path(), &[command]);
        Guarded::spawn(&command, &log, self.folder.path())
    }

    /// Waits until the readiness of the API has this status.
    fn wait_until_ready(&self, process: &mut Guarded, status: u16) {
        wait_until(SOON, "the readiness of the API", || {
            assert!(process.is_running(), "{}", process.log_tail());
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.api_port)) else {
                return false;
            };
            let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            let expected = format!("HTTP/1.1 {status}");
            stream.read_to_string(&mut answer).is_ok() && answer.starts_with(&expected)
        });
    }

    /// Starts `serve`, waits until it is ready, and terminates it.
    fn serve(&self, access: &Settings) {
        let mut process = self.start_command(access, "serve");
        self.wait_until_ready(&mut process, 200);
        let tail = process.log_tail();
        assert!(process.end(Signal::Terminate).success(), "{tail}");
    }

    /// Waits until this many events are folded, each of a customer of its own.
    fn wait_until_folded(&self, process: &mut Guarded, access: &Settings, events: u32) -> Value {
        let mut last = Value::Null;
        wait_until(SOON, "the events to be folded", || {
            assert!(process.is_running(), "{}", process.log_tail());
            // It fails until the processor has claimed every partition.
            let status = self.run(access, &["status", "--json"]);
            last = serde_json::from_slice(&status.stdout).unwrap_or_default();
            last["tenants"][0]["events"] == events
        });
        last
    }

    /// Starts `process`, waits until this many events are folded, and terminates it.
    fn fold(&self, access: &Settings, events: u32) {
        let mut process = self.start_command(access, "process");
        self.wait_until_folded(&mut process, access, events);
        let tail = process.log_tail();
        assert!(process.end(Signal::Terminate).success(), "{tail}");
    }
}

/// Waits until the process has logged this text so often.
fn wait_until_logged(process: &mut Guarded, words: &str, times: usize) {
    wait_until(SOON, words, || {
        assert!(process.is_running(), "{}", process.log_tail());
        process.log().matches(words).count() >= times
    });
}

const WRONG: &str = "wrong-battery-staple";

#[tokio::test]
async fn events_are_folded_over_tls_by_password_and_by_certificate() {
    let secure = Secure::start().await;
    let by_password = secure.by_password();
    secure.define(&by_password).await;
    secure.publish(&by_password, 1);
    secure.fold(&by_password, 1);

    secure.serve(&by_password);

    let by_certificate = secure.by_certificate();
    secure.publish(&by_certificate, 2);
    secure.fold(&by_certificate, 2);
    secure.serve(&by_certificate);

    assert_kafka_errors(&secure);
    assert_postgres_errors(&secure);
}

/// Asserts the error for each wrong setting of Kafka.
fn assert_kafka_errors(secure: &Secure) {
    let list = &["define", "list"];
    let right = secure.by_password();

    let mut access = right.clone();
    access.set("ssl.ca.location", secure.certificates.file("other-ca.pem"));
    secure.assert_rejected(&access, list, "ssl.ca.location");
    secure.assert_rejected(&access, &["process"], "ssl.ca.location");

    let mut access = right.clone();
    access.bootstrap = access.bootstrap.replace("localhost", "127.0.0.1");
    secure.assert_rejected(&access, list, "names the host in kafka.bootstrap_servers");

    let mut access = right.clone();
    access.kafka_password = Some(WRONG);
    secure.assert_rejected(&access, list, "sasl.password");
    secure.assert_rejected(&access, &["process"], "sasl.password");

    let mut access = right;
    access.set("security.protocol", "PLAINTEXT");
    secure.assert_rejected(&access, list, "security.protocol");

    let mut access = secure.by_certificate();
    access.unset("ssl.certificate.location");
    access.unset("ssl.key.location");
    secure.assert_rejected(&access, list, "ssl.certificate.location");
}

/// Asserts the error for each wrong setting of Postgres.
fn assert_postgres_errors(secure: &Secure) {
    for command in ["status", "process"] {
        let command = &[command];
        let right = secure.by_password();

        let mut access = right.clone();
        access.database = secure.database(USER, "localhost", "other-ca.pem", false);
        secure.assert_rejected(&access, command, "sslrootcert");

        let mut access = right.clone();
        access.database = secure.database(USER, "127.0.0.1", "ca.pem", false);
        secure.assert_rejected(&access, command, "the host in database.url");

        let mut access = right;
        access.database_password = Some(WRONG);
        secure.assert_rejected(&access, command, "database.password");

        let mut access = secure.by_certificate();
        access.database = secure.database("with_certificate", "localhost", "ca.pem", false);
        secure.assert_rejected(&access, command, "sslcert");
    }
}
