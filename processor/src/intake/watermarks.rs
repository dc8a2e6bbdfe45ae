//! The ends of the log, asked of the brokers every half second by a thread of its own: for readers of
//! what is committed, for the lag; and with what open transactions have appended, because the clock of
//! an idle partition may move only while nothing is left unread. The beginning of the log is asked less often,
//! and only where something is deferred: records that are needed again must not be deleted.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{self, Duration};

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use tidemark_kafka::{KafkaConfig, log_ends};
use tidemark_schemas::Instant;

use super::event::IntakeContext;
use crate::clock::WallClock;
use crate::error::ProcessorError;
use crate::progress::Progress;

const EVERY: Duration = Duration::from_millis(500);
/// The interval at which the beginnings of logs with deferred records are asked for.
const BEGINNINGS_EVERY: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Watermarks {
    partitions: Arc<Mutex<Vec<i32>>>,
    answers: Receiver<(i32, i64, Instant)>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The consumers that ask. They read nothing.
pub(super) struct Consumers<C: ConsumerContext + 'static> {
    /// Asks for the last stable offset.
    stable: BaseConsumer<C>,
    /// Asks for the high watermark.
    high: BaseConsumer<C>,
    topic: String,
}

impl Consumers<IntakeContext> {
    pub(super) fn create(kafka: &KafkaConfig) -> KafkaResult<Self> {
        let create = |isolation: &str| {
            let mut config = kafka.consumer();
            config.set("isolation.level", isolation);
            config.create_with_context(IntakeContext::default())
        };
        Ok(Self {
            stable: create("read_committed")?,
            high: create("read_uncommitted")?,
            topic: kafka.topic.clone(),
        })
    }
}

impl<C: ConsumerContext + 'static> Consumers<C> {
    /// Asks for the ends of partitions. The high watermarks go to `answer`, with the instant before
    /// they were asked for.
    fn ask(
        &self,
        partitions: &[i32],
        clock: WallClock,
        progress: &Progress,
        answer: &Sender<(i32, i64, Instant)>,
    ) -> KafkaResult<()> {
        let asked_at = clock.now();
        log_ends::ask(&self.high, &self.topic, partitions, TIMEOUT, |ends| {
            for (partition, end) in ends {
                progress.observe_unstable(partition, end);
                // Fails once the poll thread has ended, and this thread is about to.
                answer.send((partition, end, asked_at)).ok();
            }
        })?;
        let asked_at = time::Instant::now();
        log_ends::ask(&self.stable, &self.topic, partitions, TIMEOUT, |ends| {
            for (partition, end) in ends {
                progress.observe(partition, end, asked_at);
            }
        })
    }

    /// Asks where the logs begin from which deferred scopes need records.
    fn ask_beginnings(
        &self,
        partitions: &[i32],
        clock: WallClock,
        progress: &Progress,
    ) -> KafkaResult<()> {
        let mut deferred = progress.partitions_with_deferrals();
        deferred.retain(|partition| partitions.contains(partition));
        if deferred.is_empty() {
            return Ok(());
        }
        let now = clock.now();
        log_ends::ask_beginnings(&self.high, &self.topic, &deferred, TIMEOUT, |found| {
            for (partition, beginning) in found {
                progress.observe_beginning(partition, beginning, now);
            }
        })
    }
}

impl Watermarks {
    /// Starts the thread, for no partition yet.
    pub(super) fn watch<C: ConsumerContext + 'static>(
        consumers: Consumers<C>,
        clock: WallClock,
        progress: Progress,
    ) -> Result<Self, ProcessorError> {
        let partitions = Arc::new(Mutex::new(Vec::new()));
        let (answer, answers) = channel();
        let (stop, stopped) = channel::<()>();
        let asked = Arc::clone(&partitions);
        let ask = move || {
            let mut beginnings_at = time::Instant::now();
            // A timeout is the pulse; a message, or the sender gone, is the end.
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let partitions: Vec<i32> = lock(&asked).clone();
                if partitions.is_empty() {
                    continue;
                }
                let mut asked = consumers.ask(&partitions, clock, &progress, &answer);
                if asked.is_ok() && beginnings_at.elapsed() >= BEGINNINGS_EVERY {
                    beginnings_at = time::Instant::now();
                    asked = consumers.ask_beginnings(&partitions, clock, &progress);
                }
                if let Err(error) = asked {
                    tracing::debug!(%error, "the ends of the log are not known");
                }
            }
        };
        let thread = thread::Builder::new()
            .name("tidemark-watermarks".to_owned())
            .spawn(ask)
            .map_err(|error| ProcessorError::Internal(error.to_string()))?;
        Ok(Self {
            partitions,
            answers,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Sets the partitions to ask for.
    pub(super) fn set_partitions(&self, partitions: Vec<i32>) {
        *lock(&self.partitions) = partitions;
    }

    /// Returns the answers since the last call: partition, next offset to be written, when it was
    /// asked. Fails if the thread has ended: clocks of idle partitions would stand still.
    pub(super) fn take(&self) -> Result<Vec<(i32, i64, Instant)>, ProcessorError> {
        let mut answers = Vec::new();
        loop {
            match self.answers.try_recv() {
                Ok(answer) => answers.push(answer),
                Err(TryRecvError::Empty) => return Ok(answers),
                Err(TryRecvError::Disconnected) => {
                    let reason = "the watermarks thread has ended".to_owned();
                    return Err(ProcessorError::Internal(reason));
                }
            }
        }
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watermarks thread panicked");
        }
    }
}

fn lock(partitions: &Mutex<Vec<i32>>) -> std::sync::MutexGuard<'_, Vec<i32>> {
    partitions.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watermarks_thread_that_has_ended_is_an_error() {
        let (answer, answers) = channel();
        let watermarks = Watermarks {
            partitions: Arc::default(),
            answers,
            stop: None,
            thread: None,
        };
        answer.send((0, 1, Instant::MIN)).expect("it is received");
        assert_eq!(watermarks.take().expect("the thread runs").len(), 1);
        drop(answer);
        assert!(watermarks.take().is_err());
    }
}
