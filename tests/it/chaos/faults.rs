//! Everything that fails. Each fault is over when it returns; whether it was survived is for the
//! world to say.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use tidemark_schemas::Partitioner;

use super::world::{Member, RECOVERED_WITHIN, World, population};
use crate::support::generate::Generator;
use crate::support::guarded::Signal;
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);
/// How the system says that a disk is full.
const NO_SPACE: &str = "No space left on device";
/// Processes in the group at most: as many as there are partitions.
const MEMBERS: usize = 4;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// One process is killed and started again.
    Kill,
    /// All processes are killed at once and started again.
    KillAll,
    /// A process stops past its session, others take over, it goes on.
    Pause,
    /// A process more.
    Join,
    /// A process ends in good order.
    Leave,
    /// Processes come and go, one a second.
    RebalanceStorm,
    /// Postgres ends sessions of ours.
    Backends,
    /// Postgres restarts in good order.
    PostgresRestart,
    /// Postgres crashes, and what did not reach its log is gone.
    PostgresCrash,
    /// Postgres has no space left, then has some again.
    FullDisk,
    /// A broker has no space left and shuts itself down, then has some again.
    BrokerFullDisk,
    /// A broker restarts in good order.
    BrokerRestart,
    /// One broker is killed while another restarts.
    BrokerKill,
    /// All brokers are killed at once.
    BrokersAll,
    /// A producer aborts what it has written.
    Abort,
}

impl Fault {
    pub(super) const ALL: [Self; 15] = [
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
    ];
}

impl World {
    /// Lets it happen. How many things failed.
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
        }
    }

    /// Kills so many processes, as far as there are, at once; then starts as many.
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

    /// A process that owns something stops where it stands. When others own all it had, and have
    /// folded on, it goes on: with records in its memory, and a commit perhaps half sent.
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
        self.owned("others to take over from who is paused", |owners| {
            owners.values().all(|owner| *owner != paused)
        })
        .await;
        self.folds_on().await;
        self.members[place].running.resume();
        1
    }

    /// Waits until more is folded than now.
    pub(super) async fn folds_on(&self) {
        let before = self.folded().await;
        wait_for(RECOVERED_WITHIN, "more to be folded", async || {
            let now = self.folded().await;
            if now > before {
                Ok(())
            } else {
                Err(format!("it stands at {now}"))
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

    fn shrink(&mut self) -> usize {
        if self.members.len() == 1 {
            return 0;
        }
        let leaving = self.random.random_range(0..self.members.len());
        self.members.swap_remove(leaving).running.terminate();
        1
    }

    /// Every second one comes, or one goes: killed as often as asked to.
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

    /// Postgres ends a random half of the processors' sessions, whatever they are doing.
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
        let servers = self.servers.as_ref().expect("servers of our own");
        servers.postgres.stop(mode);
        servers.postgres.start_again();
        1
    }

    /// The disk ends a little behind what is used. The processes meet its end, wait, park nothing
    /// and go on by themselves.
    async fn fill_disk(&mut self) -> usize {
        let servers = self.servers.as_ref().expect("servers of our own");
        let told = |member: &Member| member.running.log().matches(NO_SPACE).count();
        let before: Vec<usize> = self.members.iter().map(told).collect();
        servers.disk.fill(64 * 1024);
        let what = "a process to be told that no space is left";
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

    /// The disk of the first broker ends a little behind what is used. It shuts itself down; the
    /// processes fold on from the others. Once there is space, it is started again.
    async fn fill_broker_disk(&mut self) -> usize {
        let servers = self.servers.as_ref().expect("servers of our own");
        let kafka = servers.kafka.get();
        let told = || kafka.log(0).matches(NO_SPACE).count();
        let before = told();
        servers.broker_disk.fill(64 * 1024);
        kafka.wait_until_ended(0);
        assert!(told() > before, "the broker ended for another reason");
        self.folds_on().await;
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

    /// New events in a transaction that is aborted: nobody must ever fold one.
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
