//! The end of the log, asked of the broker every half second by a thread of its own. The clock of an
//! idle partition may move only while nothing is left unread, or appended by an open transaction.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use tidemark_schemas::Instant;

use crate::clock::WallClock;
use crate::error::ProcessorError;

const EVERY: Duration = Duration::from_millis(500);
const TIMEOUT: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(crate) struct Watermarks {
    partitions: Arc<Mutex<Vec<i32>>>,
    answers: Receiver<(i32, i64, Instant)>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watermarks {
    /// Starts the thread, for no partition yet.
    pub(crate) fn watch<C: ConsumerContext + 'static>(
        consumer: BaseConsumer<C>,
        topic: String,
        clock: WallClock,
    ) -> Result<Self, ProcessorError> {
        let partitions = Arc::new(Mutex::new(Vec::new()));
        let (answer, answers) = channel();
        let (stop, stopped) = channel::<()>();
        let asked = Arc::clone(&partitions);
        let ask = move || {
            // A timeout is the pulse; a message, or the sender gone, is the end.
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let partitions: Vec<i32> = lock(&asked).clone();
                for partition in partitions {
                    // Each question may take long, and the end must not wait for all of them.
                    if stopped.try_recv() == Err(TryRecvError::Disconnected) {
                        return;
                    }
                    let asked_at = clock.now();
                    let Ok((_, end)) = consumer.fetch_watermarks(&topic, partition, TIMEOUT) else {
                        continue;
                    };
                    if answer.send((partition, end, asked_at)).is_err() {
                        return;
                    }
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
    pub(crate) fn set_partitions(&self, partitions: Vec<i32>) {
        *lock(&self.partitions) = partitions;
    }

    /// Returns the answers since the last call: partition, next offset to be written, when it was
    /// asked. Fails if the thread has ended: clocks of idle partitions would stand still.
    pub(crate) fn take(&self) -> Result<Vec<(i32, i64, Instant)>, ProcessorError> {
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
    pub(crate) fn stop(&mut self) {
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
