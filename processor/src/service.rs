//! The processor as a whole: started, run, stopped.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tidemark_kafka::{KafkaConfig, topics};
use tidemark_schemas::codec::Decoder;
use tidemark_schemas::registry::RegistryClient;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::WallClock;
use crate::clock_check::ClockCheck;
use crate::config::Config;
use crate::credentials::{self, Clients, Credentials};
use crate::engine::Context;
use crate::error::ProcessorError;
use crate::follower::{Follower, NewestDefinitions};
use crate::forwarder::SharedForwarder;
use crate::history::RecordedHistory;
use crate::intake::{Intake, IntakeExit, Membership, Plan};
use crate::memory::Budget;
use crate::metrics::Metrics;
use crate::progress::{BEAT_EVERY, Progress};
use crate::store::{Database, KeptBatches, Owner, Store};
use crate::{retention, threads};

/// The pause between two attempts to join the group.
const JOIN_EVERY: Duration = Duration::from_secs(1);
/// The interval at which a processor that stands by looks whether it is told to stop.
const STAND_BY_CHECK: Duration = Duration::from_millis(100);
/// The longest time that the threads may take to end; then the process ends without them.
const END_WITHIN: Duration = Duration::from_secs(30);

/// A processor, ready to run. See [`Processor::run`].
#[derive(Debug)]
pub struct Processor {
    shared: Arc<Context>,
    follower: Follower,
    plan: Plan,
    clients: Clients,
    credentials: Option<watch::Receiver<Credentials>>,
    stop: CancellationToken,
}

impl Processor {
    /// Connects, and checks the database and its generation, the brokers and the topic.
    pub async fn start(
        config: Config,
        registry: &prometheus::Registry,
    ) -> Result<Self, ProcessorError> {
        config.kafka.check_properties()?;
        let metrics =
            Metrics::register(registry).map_err(|e| ProcessorError::Internal(e.to_string()))?;
        let database = Database::connect(&config.store).await?;
        let store = Store::open(&database, database.active_generation().await?)?;
        let clock_check = check_clock(config.clock, &store, &metrics).await?;
        let client = RegistryClient::new(&config.registry)
            .map_err(|error| ProcessorError::Registry(error.to_string()))
            .map(Arc::new)?;
        let kafka = config.kafka.clone();
        let (partitions, cluster) = threads::run(move || Ok(topics::identify(&kafka)?)).await?;
        check_topic(&config.kafka, partitions, &store)?;
        let stop = CancellationToken::new();
        let clients = Clients {
            kafka: watch::channel(config.kafka.clone()).0,
            database: database.clone(),
            registry: Arc::clone(&client),
        };
        let (follower, newest) = Follower::start(
            clients.kafka.subscribe(),
            database,
            config.clock,
            metrics.clone(),
            stop.clone(),
        )
        .await?;
        let created_at = store.generation().created_at;
        let shared = Arc::new(Context {
            owner: owner(&config.kafka),
            other_group: OnceLock::new(),
            topic: config.kafka.topic,
            cluster: cluster.map(Arc::from),
            partitions,
            partitioner: config.kafka.partitioner,
            store,
            decoder: Decoder::new(client),
            kafka: clients.kafka.subscribe(),
            forwarder: SharedForwarder::new(clients.kafka.subscribe(), created_at),
            clock: config.clock,
            clock_check,
            limits: config.limits,
            budget: Budget::beside_prefetch(config.limits.memory_bytes),
            progress: Progress::new(metrics.clone(), config.limits.stalled),
            metrics,
            kept: OnceLock::new(),
            commits: TaskTracker::new(),
        });
        Ok(Self {
            shared,
            follower,
            plan: live(&newest),
            clients,
            credentials: None,
            stop,
        })
    }

    /// Applies credentials as they change, without a restart.
    #[must_use]
    pub fn with_credentials(mut self, credentials: watch::Receiver<Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Folds other partitions than those that the consumer group assigns.
    #[must_use]
    pub fn with_membership(mut self, membership: Membership) -> Self {
        self.plan.membership = membership;
        self
    }

    /// Puts definitions in force at the offsets and clocks of a recorded history, instead of the newest
    /// as soon as they are accepted.
    #[must_use]
    pub fn with_history(mut self, history: RecordedHistory) -> Self {
        self.plan.history = Some(history);
        self
    }

    /// Returns the progress of the partitions that this process owns.
    pub fn progress(&self) -> Progress {
        self.shared.progress.clone()
    }

    /// Keeps every batch from now on, in memory that no budget counts: for a bench that replays
    /// them.
    pub fn keep_batches(&self) -> KeptBatches {
        self.shared.kept.get_or_init(KeptBatches::default).clone()
    }

    /// Follows the definitions and folds events until told to stop, or until every fixed partition has
    /// reached its end; then drains.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ProcessorError> {
        let Self {
            shared,
            follower,
            plan,
            clients,
            credentials,
            stop,
        } = self;
        // Dropped or panicking, this tells the threads to stop.
        let _stopping = stop.clone().drop_guard();
        let threads = run_threads(
            clients.kafka.subscribe(),
            Arc::clone(&shared),
            follower,
            plan,
            stop.clone(),
        );
        let outcome = tokio::select! {
            outcome = end_in_time(threads, shutdown, &stop, END_WITHIN) => outcome,
            never = credentials::follow(credentials, &clients) => match never {},
            never = write_heartbeats(&shared) => match never {},
            never = retention::watch(clients.kafka.subscribe(), &shared) => match never {},
            never = shared.clock_check.follow() => match never {},
        };
        stop.cancel();
        shared.commits.close();
        if tokio::time::timeout(shared.limits.drain, shared.commits.wait())
            .await
            .is_err()
        {
            tracing::warn!("ended with commits under way; the fence decides over them");
        }
        outcome
    }
}

/// Writes the heartbeats of the partitions owned, for ever. While the database is unavailable, they are
/// late like the commits, which say so.
async fn write_heartbeats(shared: &Context) -> Infallible {
    let mut interval = tokio::time::interval(BEAT_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let now = Instant::now();
        let due = shared.progress.due_heartbeats(now);
        if due.is_empty() {
            continue;
        }
        match shared
            .store
            .write_heartbeats(&shared.topic, &shared.owner, &due)
            .await
        {
            Ok(()) => shared.progress.note_written(&due, now),
            Err(error) => tracing::debug!(%error, "heartbeats are not written"),
        }
    }
}

/// Returns the plan of a process that folds what the group assigns, by the newest definitions.
fn live(newest: &NewestDefinitions) -> Plan {
    Plan {
        membership: Membership::Group,
        definitions: newest.definitions.subscribe(),
        stands_by: newest.stands_by.subscribe(),
        history: None,
    }
}

/// Follows the definitions and consumes events, each on a thread of its own. Either thread's end,
/// or panic, stops the other.
async fn run_threads(
    kafka: watch::Receiver<KafkaConfig>,
    shared: Arc<Context>,
    mut follower: Follower,
    plan: Plan,
    stop: CancellationToken,
) -> Result<(), ProcessorError> {
    let runtime = Handle::current();
    threads::run(move || {
        follower.catch_up()?;
        let following = threads::spawn("tidemark-definitions", {
            let stop = stop.clone();
            move || {
                let outcome = threads::catch("definitions", || follower.run());
                stop.cancel();
                outcome
            }
        })?;
        let outcome = consume(&kafka, &shared, &plan, &runtime, &stop);
        stop.cancel();
        outcome.and(threads::join("definitions", following))
    })
    .await
}

/// Waits for the threads. Once told to stop, or once one of them has ended, the rest must end
/// within the bound: a process whose threads hang must not look alive.
async fn end_in_time(
    threads: impl Future<Output = Result<(), ProcessorError>>,
    shutdown: CancellationToken,
    stop: &CancellationToken,
    bound: Duration,
) -> Result<(), ProcessorError> {
    tokio::pin!(threads);
    tokio::select! {
        outcome = &mut threads => return outcome,
        () = shutdown.cancelled() => stop.cancel(),
        () = stop.cancelled() => {}
    }
    tokio::time::timeout(bound, threads)
        .await
        .unwrap_or_else(|_| {
            let reason = "Kafka's client did not end in time".to_owned();
            Err(ProcessorError::Internal(reason))
        })
}

/// Joins the group and folds until told to stop, or to the end of fixed partitions. Changed credentials
/// mean leaving the group and rejoining it: every partition is drained, and claimed again at its
/// projections' position. Definitions that only a newer binary knows mean leaving it for good.
fn consume(
    kafka: &watch::Receiver<KafkaConfig>,
    shared: &Arc<Context>,
    plan: &Plan,
    runtime: &Handle,
    stop: &CancellationToken,
) -> Result<(), ProcessorError> {
    let mut has_joined = false;
    while !stop.is_cancelled() {
        if *plan.stands_by.borrow() {
            thread::sleep(STAND_BY_CHECK);
            continue;
        }
        let intake = Intake::join(
            kafka.clone(),
            Arc::clone(shared),
            plan.clone(),
            runtime.clone(),
            stop.clone(),
        );
        match intake {
            Ok(intake) => match intake.run()? {
                IntakeExit::Rejoin | IntakeExit::StandBy => {}
                IntakeExit::Stopped | IntakeExit::Finished => return Ok(()),
            },
            // A key that is just being replaced fits its certificate a moment later.
            Err(error) if has_joined => {
                tracing::warn!(%error, "not joined yet");
                thread::sleep(JOIN_EVERY);
            }
            Err(error) => return Err(error),
        }
        has_joined = true;
    }
    Ok(())
}

/// Returns this process as its claims and heartbeats name it.
fn owner(kafka: &KafkaConfig) -> Owner {
    Owner {
        name: kafka.client_id.clone(),
        group: kafka.group.clone(),
    }
}

/// Compares the clock with that of Postgres. Refuses a fixed clock where clocks have followed the wall
/// clock: it would stand still or, if it lies in the future, fire what is not due yet.
async fn check_clock(
    clock: WallClock,
    store: &Store,
    metrics: &Metrics,
) -> Result<ClockCheck, ProcessorError> {
    if clock.is_fixed() && store.has_followed_wall_clock().await? {
        return Err(ProcessorError::FixedClock {
            generation: store.generation().id,
        });
    }
    let check = ClockCheck::new(store.database().clone(), clock, metrics.clone());
    check.compare().await?;
    Ok(check)
}

fn check_topic(kafka: &KafkaConfig, partitions: i32, store: &Store) -> Result<(), ProcessorError> {
    let made_for = store.generation();
    let differs = |what: &str, ours: &dyn std::fmt::Display, made: &dyn std::fmt::Display| {
        let reason = format!(
            "{what} is {ours}, but generation {} was made for {made}; that means a new generation",
            made_for.id
        );
        Err(ProcessorError::Topic {
            topic: kafka.topic.clone(),
            reason,
        })
    };
    if made_for.topic != kafka.topic {
        return differs("the topic", &kafka.topic, &made_for.topic);
    }
    if made_for.partitions != partitions {
        return differs(
            "its number of partitions",
            &partitions,
            &made_for.partitions,
        );
    }
    if made_for.partitioner != kafka.partitioner.to_string() {
        return differs("its partitioner", &kafka.partitioner, &made_for.partitioner);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn thread_that_hangs_after_another_failed_ends_the_processor_within_its_bound() {
        // Given threads of which one has failed, and the other never ends
        let (shutdown, stop) = (CancellationToken::new(), CancellationToken::new());
        stop.cancel();
        // When the processor waits for them
        let bound = Duration::from_millis(10);
        let ended = end_in_time(std::future::pending(), shutdown, &stop, bound).await;
        // Then it ends with an error, without them
        assert!(ended.is_err());
    }

    #[tokio::test]
    async fn shutdown_stops_the_threads() {
        let (shutdown, stop) = (CancellationToken::new(), CancellationToken::new());
        shutdown.cancel();
        let threads = {
            let stop = stop.clone();
            async move {
                stop.cancelled().await;
                Ok(())
            }
        };
        assert!(
            end_in_time(threads, shutdown, &stop, END_WITHIN)
                .await
                .is_ok()
        );
    }
}
