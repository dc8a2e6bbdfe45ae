//! A real broker and a real `PostgreSQL` that require TLS and authentication, and a schema registry
//! with a password.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tidemark::up::postgres::{Keep, PrivatePostgres};
use tidemark_schemas::development_registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::certificates::Certificates;
use super::guarded::{Guarded, Signal};
use super::kafka::libs;
use super::ports::free_port;
use super::shared;
use super::wait::wait_until;

const READY_WITHIN: Duration = Duration::from_mins(2);
/// The user with a password, and the name in the client's certificate.
pub(crate) const USER: &str = "tidemark_client";
/// The user's first password in Kafka, Postgres and the registry.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";

/// A Kafka with a listener for SCRAM over TLS and one for mutual TLS, both as `localhost`.
pub(crate) struct SecureKafka {
    /// `None` during a restart.
    process: Option<Guarded>,
    folder: PathBuf,
    /// The port for SCRAM-SHA-512 over TLS.
    pub(crate) scram: u16,
    /// The port for mutual TLS.
    pub(crate) mutual: u16,
    open: u16,
}

impl SecureKafka {
    pub(crate) fn start(folder: &Path, certificates: &Certificates) -> Self {
        let [open, scram, mutual, controller] = [(); 4].map(|()| free_port());
        let properties = folder.join("server.properties");
        fs::write(
            &properties,
            format!(
                "process.roles=broker,controller\nnode.id=1\n\
                 controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
                 controller.listener.names=CONTROLLER\n\
                 inter.broker.listener.name=OPEN\n\
                 listeners=OPEN://127.0.0.1:{open},SCRAM://127.0.0.1:{scram},\
                 MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}\n\
                 advertised.listeners=OPEN://127.0.0.1:{open},SCRAM://localhost:{scram},\
                 MUTUAL://localhost:{mutual}\n\
                 listener.security.protocol.map=OPEN:PLAINTEXT,CONTROLLER:PLAINTEXT,\
                 SCRAM:SASL_SSL,MUTUAL:SSL\n\
                 sasl.enabled.mechanisms=SCRAM-SHA-512\n\
                 listener.name.scram.scram-sha-512.sasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
                 listener.name.mutual.ssl.client.auth=required\n\
                 ssl.keystore.type=PEM\nssl.keystore.location={keys}\n\
                 ssl.truststore.type=PEM\nssl.truststore.location={trusted}\n\
                 log.dirs={data}\nauto.create.topics.enable=false\n\
                 offsets.topic.num.partitions=1\noffsets.topic.replication.factor=1\n\
                 transaction.state.log.replication.factor=1\n\
                 transaction.state.log.min.isr=1\n\
                 group.initial.rebalance.delay.ms=0\n",
                keys = certificates.file("server.pem"),
                trusted = certificates.file("ca.pem"),
                data = folder.join("kafka").display(),
            ),
        )
        .unwrap();
        format_storage(folder, &properties);
        let mut kafka = Self {
            process: Some(spawn(folder)),
            folder: folder.to_owned(),
            scram,
            mutual,
            open,
        };
        kafka.wait_until_ready();
        kafka
    }

    fn wait_until_ready(&mut self) {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let process = self.process.as_mut().expect("the broker runs");
        wait_until(READY_WITHIN, "the secure broker", || {
            assert!(process.is_running(), "{}", process.log_tail());
            consumer
                .fetch_metadata(None, Duration::from_secs(1))
                .is_ok_and(|metadata| !metadata.brokers().is_empty())
        });
    }

    /// Restarts the broker gracefully: every client must authenticate again.
    pub(crate) fn restart(&mut self) {
        let process = self.process.take().expect("the broker runs");
        process.end(Signal::Terminate);
        self.process = Some(spawn(&self.folder));
        self.wait_until_ready();
    }

    /// Changes the SCRAM password of [`USER`]. Open connections stay authenticated.
    pub(crate) fn set_password(&self, password: &str) {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/ChangePassword.java");
        let mut command = java(&self.folder);
        command
            .arg(tool)
            .arg(format!("127.0.0.1:{}", self.open))
            .args([USER, password]);
        succeed(&mut command);
    }

    /// Returns a client configuration for the plain listener, which only the harness uses.
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", format!("127.0.0.1:{}", self.open));
        config
    }

    pub(crate) async fn create_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1))
            .set("message.timestamp.type", "LogAppendTime")
            .set("retention.ms", "-1");
        let made = admin.create_topics([&topic], &AdminOptions::new()).await;
        made.unwrap()[0].as_ref().unwrap();
    }
}

fn spawn(folder: &Path) -> Guarded {
    let mut command = java(folder);
    command
        .arg("kafka.Kafka")
        .arg(folder.join("server.properties"));
    Guarded::spawn(&command, &folder.join("broker.log"), folder)
}

fn succeed(command: &mut Command) {
    let output = command
        .output()
        .expect("Java runs: see scripts/bootstrap test");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn java(folder: &Path) -> Command {
    let logging = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/log4j2.properties");
    let mut command = Command::new("java");
    command
        .args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
        .arg(format!("-Djava.io.tmpdir={}", folder.display()))
        .arg("-cp")
        .arg(libs().join("*"));
    command
}

/// Formats the storage. The SCRAM user exists from the start of the cluster.
fn format_storage(folder: &Path, properties: &Path) {
    let mut command = java(folder);
    command
        .args(["kafka.tools.StorageTool", "format", "--standalone"])
        .args(["--cluster-id", "TidemarkSecureClusterA"])
        .args([
            "--add-scram",
            &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
        ])
        .arg("--config")
        .arg(properties);
    succeed(&mut command);
}

/// A Postgres with TLS as `localhost`, which accepts [`USER`] by password or by certificate.
pub(crate) struct SecurePostgres {
    running: PrivatePostgres,
}

impl SecurePostgres {
    pub(crate) async fn start(folder: &TempDir, certificates: &Certificates) -> Self {
        // The server may run as another user, who must be able to read the files.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let running = PrivatePostgres::start(folder.path(), Keep::Nothing, &[])
            .await
            .unwrap();
        let secure = Self { running };
        let mut connection = PgConnection::connect(secure.running.url()).await.unwrap();
        let (data,): (String,) = sqlx::query_as("select current_setting('data_directory')")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let hba = folder.path().join("pg_hba.conf");
        // One login authenticates by password, the other by certificate.
        let rules = format!(
            "hostnossl all {USER} all reject\n\
             hostssl all {USER} all scram-sha-256\n\
             hostssl all with_certificate all cert map=clients\n\
             host all all 127.0.0.1/32 scram-sha-256\n"
        );
        fs::write(&hba, rules).unwrap();
        let ident = folder.path().join("pg_ident.conf");
        fs::write(&ident, format!("clients {USER} with_certificate\n")).unwrap();
        let copy = format!(
            "umask 077; cp {ca} {data}/ca.pem; cp {crt} {data}/server.crt; \
             cp {key} {data}/server.key; cp {hba} {data}/pg_hba.conf; cp {ident} {data}/pg_ident.conf",
            ca = certificates.file("ca.pem"),
            crt = certificates.file("server.crt"),
            key = certificates.file("server.key"),
            hba = hba.display(),
            ident = ident.display(),
        );
        for statement in [
            format!("copy (select 1) to program '({copy}) && cat >/dev/null'"),
            "alter system set ssl_ca_file = 'ca.pem'".to_owned(),
            "alter system set ssl = on".to_owned(),
            format!("create role {USER} login createrole password '{PASSWORD}'"),
            format!("grant create on database tidemark to {USER}"),
            "create role with_certificate login".to_owned(),
            "select pg_reload_conf()".to_owned(),
        ] {
            connection.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        connection.close().await.unwrap();
        secure
    }

    /// Changes the password of [`USER`] and closes the user's connections.
    pub(crate) async fn set_password(&self, password: &str) {
        self.execute(&format!("alter role {USER} password '{password}'"))
            .await;
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = ";
        self.execute(&format!("{end}'{USER}'")).await;
    }

    async fn execute(&self, statement: &str) {
        let mut connection = PgConnection::connect(self.running.url()).await.unwrap();
        let statement = AssertSqlSafe(statement.to_owned());
        connection.execute(statement).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Grants both logins the roles of the processor and the API, which must exist.
    pub(crate) async fn grant_roles(&self) {
        self.execute(&format!(
            "grant tidemark_processor, tidemark_api to {USER}, with_certificate"
        ))
        .await;
    }

    /// Returns the address as `host:port/database` with the given host.
    pub(crate) fn address(&self, host: &str) -> String {
        let (_, address) = self.running.url().rsplit_once(':').unwrap();
        format!("{host}:{address}")
    }
}

/// A registry that authenticates one user by basic authentication.
pub(crate) struct SecureRegistry {
    pub(crate) url: String,
    password: watch::Sender<String>,
}

impl SecureRegistry {
    /// Starts a registry for [`USER`] with [`PASSWORD`].
    pub(crate) async fn start() -> Self {
        // Bound on the runtime that serves it: a test that waits for a command runs no other task.
        let bind = shared::runtime().spawn(TcpListener::bind("127.0.0.1:0"));
        let listener = bind.await.unwrap().unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let password = watch::channel(PASSWORD.to_owned()).0;
        let authentication = from_fn_with_state(password.clone(), authenticate);
        let router = development_registry::router().layer(authentication);
        shared::runtime().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, password }
    }

    /// Changes the password of [`USER`], from the next request on.
    pub(crate) fn set_password(&self, password: &str) {
        self.password.send_replace(password.to_owned());
    }
}

async fn authenticate(
    State(password): State<watch::Sender<String>>,
    request: Request,
    next: Next,
) -> Response {
    let proof = BASE64.encode(format!("{USER}:{}", *password.borrow()));
    let shown = request.headers().get(header::AUTHORIZATION);
    if shown.is_some_and(|shown| *shown == *format!("Basic {proof}")) {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
