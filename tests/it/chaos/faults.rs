//! The faults. Each is over when its function returns; the tables show whether it was survived.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::time::Duration;

use rand::RngExt as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use tidemark_schemas::Partitioner;

use super::world::{MEMBERS, Member, RECOVERED_WITHIN, World, population};
use crate::support::generate::Generator;
use crate::support::guarded::Signal;
use crate::support::wait::{wait_for, wait_until};

const SOON: Duration = Duration::from_mins(1);
/// The system's error for a full disk.
const NO_SPACE: &str = "No space left on device";

/// A fault of the processes, servers or disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A process is killed and another is started.
    Kill,
    /// All processes are killed at once, and as many are started.
    KillAll,
    /// A process pauses past its session, others take over, and it resumes.
    Pause,
    /// A process joins the group.
    Join,
    /// A process is terminated gracefully.
    Leave,
    /// Processes join and leave, one each second.
    RebalanceStorm,
    /// Postgres ends some sessions of the processors.
    Backends,
    /// Postgres restarts gracefully.
    PostgresRestart,
    /// Postgres crashes, and commits that were not flushed are lost.
    PostgresCrash,
    /// The disk of Postgres is full for a while.
    FullDisk,
    /// The disk of a broker is full: it shuts down, and is started again once there is space.
    BrokerFullDisk,
    /// A broker restarts gracefully.
    BrokerRestart,
    /// One broker is killed while another restarts.
    BrokerKill,
    /// All brokers are killed at once.
    BrokersAll,
    /// A producer aborts its transaction.
    Abort,
    /// Postgres refuses the rows of some customers for a while.
    RefusedRows,
    /// The processing of some customers panics for a while.
    Panics,
    /// A process with a clock that is wrong by an hour folds beside the others.
    WrongClock,
    /// A process that does not know the format of definitions stands by beside the others.
    OldBinary,
}

impl Fault {
    pub(super) const ALL: [Self; 19] = [
        Self::Kill,
        Self::KillAll,
        Self::Pause,
        Self::Join,
        Self::Leave,
        Self::RebalanceStorm,
        Self::Backends,
        Self::PostgresRestart,
        Self::PostgresCrash,
        Self::FullDisk,
        Self::BrokerFullDisk,
        Self::BrokerRestart,
        Self::BrokerKill,
        Self::BrokersAll,
        Self::Abort,
        Self::RefusedRows,
        Self::Panics,
        Self::WrongClock,
        Self::OldBinary,
    ];
}

impl World {
    /// Causes the fault and returns how many things failed.
    pub(super) async fn strike(&mut self, fault: Fault) -> usize {
        match fault {
            Fault::Kill => self.kill(1),
            Fault::KillAll => self.kill(MEMBERS),
            Fault::Pause => self.pause_one().await,
            Fault::Join => self.grow(),
            Fault::Leave => self.shrink(),
            Fault::RebalanceStorm => self.rebalance_storm(5).await,
            Fault::Backends => self.end_backends().await,
            Fault::PostgresRestart => self.restart_postgres("fast"),
            Fault::PostgresCrash => self.restart_postgres("immediate"),
            Fault::FullDisk => self.fill_disk().await,
            Fault::BrokerFullDisk => self.fill_broker_disk().await,
            Fault::BrokerRestart => self.restart_brokers(&[Signal::Terminate]),
            Fault::BrokerKill => self.restart_brokers(&[Signal::Kill, Signal::Terminate]),
            Fault::BrokersAll => self.restart_brokers(&[Signal::Kill; 3]),
            Fault::Abort => self.abort_transaction().await,
            Fault::RefusedRows => self.refuse_rows().await,
            Fault::Panics => self.panic().await,
            Fault::WrongClock => self.fold_with_wrong_clock().await,
            Fault::OldBinary => self.stand_by().await,
        }
    }

    /// Kills this many processes at once, or all, then starts as many.
    pub(super) fn kill(&mut self, many: usize) -> usize {
        let mut killed = 0;
        for _ in 0..many.min(self.members.len()) {
            let victim = self.random.random_range(0..self.members.len());
            self.members.swap_remove(victim).running.kill();
            killed += 1;
        }
        for _ in 0..killed {
            self.join();
        }
        killed
    }

    /// Pauses a process that owns a partition. Resumes it when others own all its partitions and
    /// have folded records, so that it continues with records in memory and perhaps with half a
    /// commit sent.
    pub(super) async fn pause_one(&mut self) -> usize {
        if self.members.len() < 2 {
            self.join();
        }
        self.all_owned().await;
        self.moment(300).await;
        let owners: BTreeSet<String> = self.owners().await.into_values().collect();
        let Some(place) = self.members.iter().position(|m| owners.contains(&m.name)) else {
            return 0;
        };
        self.members[place].running.pause();
        let paused = self.members[place].name.clone();
        self.owned("others to take over from the paused process", |owners| {
            owners.values().all(|owner| *owner != paused)
        })
        .await;
        self.wait_for_progress().await;
        self.members[place].running.resume();
        1
    }

    /// Waits until more records are folded.
    pub(super) async fn wait_for_progress(&self) {
        let before = self.folded().await;
        wait_for(RECOVERED_WITHIN, "more records to be folded", async || {
            let now = self.folded().await;
            if now > before {
                Ok(())
            } else {
                Err(format!("it is at {now}"))
            }
        })
        .await;
    }

    fn grow(&mut self) -> usize {
        if self.members.len() == MEMBERS {
            return 0;
        }
        self.join();
        1
    }

    pub(super) fn shrink(&mut self) -> usize {
        if self.members.len() == 1 {
            return 0;
        }
        let leaving = self.random.random_range(0..self.members.len());
        let leaving = self.members.swap_remove(leaving);
        // A process that has only just started handles signals from before it listens.
        let metrics = ("127.0.0.1", leaving.metrics_port);
        wait_until(RECOVERED_WITHIN, "the leaving process to listen", || {
            TcpStream::connect(metrics).is_ok()
        });
        leaving.running.terminate();
        1
    }

    /// Lets a process join, leave or be killed each second.
    pub(super) async fn rebalance_storm(&mut self, rounds: usize) -> usize {
        let mut pace = tokio::time::interval(Duration::from_secs(1));
        for _ in 0..rounds {
            pace.tick().await;
            if self.members.len() == 1 || (self.members.len() < MEMBERS && self.random.random()) {
                self.join();
            } else if self.random.random() {
                self.shrink();
            } else {
                let victim = self.random.random_range(0..self.members.len());
                self.members.swap_remove(victim).running.kill();
            }
        }
        rounds
    }

    /// Ends a random half of the processors' sessions in Postgres, whatever they are doing.
    async fn end_backends(&mut self) -> usize {
        let ended: Vec<(bool,)> = self
            .site
            .projections()
            .await
            .rows(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name like 'member-%' and datname = current_database()
                     and random() < 0.5",
            )
            .await;
        ended.len()
    }

    fn restart_postgres(&mut self, mode: &str) -> usize {
        let servers = self
            .servers
            .as_ref()
            .expect("the world has servers of its own");
        servers.postgres.stop(mode);
        servers.postgres.start_again();
        1
    }

    /// Fills the disk of Postgres until a process reports it, then frees space. The processes wait,
    /// park nothing and resume.
    async fn fill_disk(&mut self) -> usize {
        let servers = self
            .servers
            .as_ref()
            .expect("the world has servers of its own");
        let told = |member: &Member| member.running.log().matches(NO_SPACE).count();
        let before: Vec<usize> = self.members.iter().map(told).collect();
        servers.disk.fill(64 * 1024);
        let what = "a process to report the full disk";
        wait_for(RECOVERED_WITHIN, what, async || {
            let now: Vec<usize> = self.members.iter().map(told).collect();
            if now > before {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        })
        .await;
        servers.disk.free();
        1
    }

    /// Fills the disk of the first broker until it shuts down. The processes continue with the
    /// others. Then frees space and starts the broker.
    async fn fill_broker_disk(&mut self) -> usize {
        let servers = self
            .servers
            .as_ref()
            .expect("the world has servers of its own");
        let kafka = servers.kafka.get();
        let told = || kafka.log(0).matches(NO_SPACE).count();
        let before = told();
        servers.broker_disk.fill(64 * 1024);
        kafka.wait_until_ended(0);
        assert!(told() > before, "the broker ended for another reason");
        self.wait_for_progress().await;
        servers.broker_disk.free();
        kafka.start_broker(0);
        kafka.wait_until_ready();
        1
    }

    /// Ends brokers one after the other, then starts them again.
    fn restart_brokers(&mut self, signals: &[Signal]) -> usize {
        let brokers = self.site.kafka.brokers();
        let first = self.random.random_range(0..brokers);
        for (number, signal) in signals.iter().enumerate().take(brokers) {
            self.site
                .kafka
                .stop_broker((first + number) % brokers, *signal);
        }
        for number in 0..signals.len().min(brokers) {
            self.site.kafka.start_broker((first + number) % brokers);
        }
        self.site.kafka.wait_until_ready();
        signals.len().min(brokers)
    }

    /// Publishes new events in a transaction and aborts it: none of them may be folded.
    pub(super) async fn abort_transaction(&mut self) -> usize {
        let never = Generator::new(self.random.random(), population(100)).events(200);
        let publisher = self.site.publisher().await;
        let producer: BaseProducer = self
            .site
            .kafka
            .client()
            .set("partitioner", Partitioner::Murmur2.librdkafka_name())
            .set("transactional.id", &self.site.topic)
            .create()
            .unwrap();
        producer.init_transactions(SOON).unwrap();
        producer.begin_transaction().unwrap();
        for event in &never {
            let (key, value) = (event.key().record_key(), publisher.encode(event));
            let record = BaseRecord::to(&self.site.topic).key(&key).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(SOON).unwrap();
        producer.abort_transaction(SOON).unwrap();
        1
    }
}
