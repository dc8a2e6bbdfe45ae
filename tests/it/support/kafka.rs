//! A real Apache Kafka (`KRaft`, combined mode), started once for the whole run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use uuid::Uuid;

use super::guarded::{Guarded, Signal};
use super::ports::free_port;
use super::wait::wait_until;

const READY_WITHIN: Duration = Duration::from_secs(90);

/// A cluster of brokers on loopback ports. Their data folders are removed at the end of the run.
pub(crate) struct Kafka {
    brokers: Vec<Broker>,
    libs: PathBuf,
    /// Properties of every broker beside the usual ones.
    more: &'static str,
}

/// The properties of brokers that obey access control lists; without a list, everyone may do everything.
const AUTHORIZER: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
    allow.everyone.if.no.acl.found=true\n";

struct Broker {
    port: u16,
    folder: PathBuf,
    data: PathBuf,
    /// `None` while the broker is stopped.
    process: Mutex<Option<Guarded>>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Also after a panic that poisoned the lock, the process ends and its data are removed.
        let process = self
            .process
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(process.take());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// A cluster for one test, removed at its end.
pub(crate) struct OwnKafka(&'static Kafka);

impl OwnKafka {
    /// Starts a cluster with the data of its first broker in this folder.
    pub(crate) fn start(brokers: u16, data: &Path) -> Self {
        // Leaks a few hundred bytes, so that all clusters have the lifetime of the shared one.
        Self(Box::leak(Box::new(Kafka::start_on(
            brokers,
            Some(data),
            "",
        ))))
    }

    /// Starts a broker that obeys access control lists.
    pub(crate) fn with_access_control() -> Self {
        Self(Box::leak(Box::new(Kafka::start_on(1, None, AUTHORIZER))))
    }

    pub(crate) const fn get(&self) -> &'static Kafka {
        self.0
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        for broker in &self.0.brokers {
            let mut process = broker
                .process
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            drop(process.take());
            drop(fs::remove_dir_all(&broker.folder));
        }
    }
}

impl Kafka {
    /// Returns the cluster of one broker that all tests of this run share. Each test creates its
    /// own topics.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1))
    }

    /// Starts a cluster for a test that stops brokers.
    pub(crate) fn start(brokers: u16) -> Self {
        Self::start_on(brokers, None, "")
    }

    fn start_on(brokers: u16, data: Option<&Path>, more: &'static str) -> Self {
        let libs = libs();
        let folder = std::env::temp_dir().join(format!("tidemark-kafka-{}", Uuid::new_v4()));
        let controller_ports: Vec<u16> = (0..brokers).map(|_| free_port()).collect();
        let kafka = Self {
            brokers: (0..brokers)
                .map(|index| {
                    let folder = folder.with_extension(index.to_string());
                    let elsewhere = data.filter(|_| index == 0);
                    Broker {
                        port: free_port(),
                        data: elsewhere.unwrap_or(&folder).join("data"),
                        folder,
                        process: Mutex::new(None),
                    }
                })
                .collect(),
            libs,
            more,
        };
        for index in 0..kafka.brokers.len() {
            kafka.configure(index, &controller_ports);
        }
        for index in 0..kafka.brokers.len() {
            kafka.start_broker(index);
        }
        kafka.wait_until_ready();
        kafka
    }

    /// Returns the number of brokers.
    pub(crate) fn brokers(&self) -> usize {
        self.brokers.len()
    }

    /// Returns the addresses for clients: `host:port`, separated by commas.
    pub(crate) fn bootstrap_servers(&self) -> String {
        let addresses: Vec<_> = self
            .brokers
            .iter()
            .map(|broker| format!("127.0.0.1:{}", broker.port))
            .collect();
        addresses.join(",")
    }

    /// Returns a client configuration with the addresses of the brokers.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap_servers());
        config
    }

    /// Creates a topic and waits until every partition has a leader.
    pub(crate) async fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let replicas = i32::try_from(self.brokers.len().min(3)).unwrap();
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let results = admin
            .create_topics([&topic], &AdminOptions::new())
            .await
            .unwrap();
        for result in results {
            result.unwrap_or_else(|(topic, error)| panic!("creating topic {topic}: {error}"));
        }
        let consumer: BaseConsumer = self.client().create().unwrap();
        wait_until(Duration::from_secs(30), "leaders for the new topic", || {
            let Ok(metadata) = consumer.fetch_metadata(Some(name), Duration::from_secs(5)) else {
                return false;
            };
            let Some(topic) = metadata.topics().first() else {
                return false;
            };
            topic.partitions().len() == usize::try_from(partitions).unwrap()
                && topic
                    .partitions()
                    .iter()
                    .all(|partition| partition.leader() >= 0)
        });
    }

    /// Denies writing to a topic: the cluster must obey access control lists.
    pub(crate) fn deny_writes(&self, topic: &str) {
        self.change_access(&["deny", topic]);
    }

    /// Allows everything again.
    pub(crate) fn allow_all(&self) {
        self.change_access(&["allow"]);
    }

    fn change_access(&self, arguments: &[&str]) {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/DenyWrites.java");
        let mut command = self.java(&self.brokers[0].folder);
        command
            .arg(tool)
            .arg(self.bootstrap_servers())
            .args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Ends a broker: by [`Signal::Kill`] as a crash does, by [`Signal::Terminate`] gracefully.
    pub(crate) fn stop_broker(&self, index: usize, signal: Signal) {
        let process = self.brokers[index].process.lock().unwrap().take();
        process.expect("the broker runs").end(signal);
    }

    /// Waits until a broker has ended by itself.
    pub(crate) fn wait_until_ended(&self, index: usize) {
        let mut process = self.brokers[index].process.lock().unwrap();
        let process = process.as_mut().expect("the broker runs");
        wait_until(READY_WITHIN, "a broker to end by itself", || {
            !process.is_running()
        });
    }

    /// Returns all output of a broker so far.
    pub(crate) fn log(&self, index: usize) -> String {
        let process = self.brokers[index].process.lock().unwrap();
        process.as_ref().expect("the broker runs").log()
    }

    /// Restarts a stopped broker on its port and with its data.
    pub(crate) fn start_broker(&self, index: usize) {
        let broker = &self.brokers[index];
        let mut command = self.java(&broker.folder);
        command
            .arg("kafka.Kafka")
            .arg(broker.folder.join("server.properties"));
        let log = broker.folder.join("broker.log");
        let process = Guarded::spawn(&command, &log, &broker.folder);
        *broker.process.lock().unwrap() = Some(process);
    }

    /// Waits until every broker has joined the cluster.
    pub(crate) fn wait_until_ready(&self) {
        let consumer: BaseConsumer = self.client().create().unwrap();
        wait_until(READY_WITHIN, "Apache Kafka to be ready", || {
            for broker in &self.brokers {
                let mut process = broker.process.lock().unwrap();
                let process = process.as_mut().expect("the broker runs");
                assert!(
                    process.is_running(),
                    "a broker ended:\n{}",
                    process.log_tail()
                );
            }
            consumer
                .fetch_metadata(None, Duration::from_secs(1))
                .is_ok_and(|metadata| metadata.brokers().len() == self.brokers.len())
        });
    }

    fn java(&self, folder: &Path) -> Command {
        let logging = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/log4j2.properties");
        let mut command = Command::new("java");
        if cfg!(debug_assertions) {
            // Only the client compiler: a test is too short for the optimising one to pay off. A
            // benchmark is not.
            command.arg("-XX:TieredStopAtLevel=1");
        }
        command
            .args(["-Xmx512m", "-Xms256m", "-XX:+UseSerialGC"])
            .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
            .arg(format!("-Djava.io.tmpdir={}", folder.display()))
            .arg("-cp")
            .arg(self.libs.join("*"));
        command
    }

    /// Writes a broker's configuration and formats its storage.
    fn configure(&self, index: usize, controller_ports: &[u16]) {
        let broker = &self.brokers[index];
        fs::create_dir_all(&broker.folder).unwrap();
        let properties = broker.folder.join("server.properties");
        fs::write(&properties, self.properties(index, controller_ports)).unwrap();
        let controllers: Vec<_> = controller_ports
            .iter()
            .zip(1..)
            .map(|(port, id)| format!("{id}@127.0.0.1:{port}:{}", directory_id(id)))
            .collect();
        let output = self
            .java(&broker.folder)
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                "TidemarkTestCluster00A",
            ])
            .args(["--initial-controllers", &controllers.join(",")])
            .arg("--config")
            .arg(&properties)
            .output()
            .expect("Java runs: see scripts/bootstrap test");
        assert!(
            output.status.success(),
            "formatting Kafka's storage failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn properties(&self, index: usize, controller_ports: &[u16]) -> String {
        let Broker { port, data, .. } = &self.brokers[index];
        let controllers: Vec<_> = controller_ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let replicas = self.brokers.len().min(3);
        let in_sync = replicas.div_ceil(2);
        format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             controller.quorum.bootstrap.servers={controllers}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             min.insync.replicas={in_sync}\n\
             offsets.topic.num.partitions=4\n\
             offsets.topic.replication.factor={replicas}\n\
             transaction.state.log.num.partitions=2\n\
             transaction.state.log.replication.factor={replicas}\n\
             transaction.state.log.min.isr={in_sync}\n\
             share.coordinator.state.topic.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor={replicas}\n\
             share.coordinator.state.topic.min.isr={in_sync}\n\
             broker.session.timeout.ms=3000\n\
             broker.heartbeat.interval.ms=500\n\
             group.initial.rebalance.delay.ms=0\n\
             group.min.session.timeout.ms=500\n\
             log.cleaner.dedupe.buffer.size=8388608\n\
             num.network.threads=2\n\
             num.io.threads=2\n\
             {more}",
            more = self.more,
            id = index + 1,
            controllers = controllers.join(","),
            controller_port = controller_ports[index],
            data = data.display(),
        )
    }
}

/// Returns the folder of Kafka's jars, fetched on the first run.
pub(crate) fn libs() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka-libs");
    let output = Command::new(script).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

/// Returns 16 bytes in URL-safe base 64 without padding, as Kafka requires: 21 characters and an
/// `A`.
fn directory_id(node: i32) -> String {
    format!("TidemarkTestBroker{node:03}A")
}
