//! The stream of events during faults: new events and, for a quarter of them, a repetition of an
//! earlier one. The same thread folds them in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tidemark_schemas::CustomerEvent;

use crate::support::generate::Generator;
use crate::support::publish::Publisher;
use crate::support::reference::Reference;

const DUPLICATES: f64 = 0.25;
/// A burst is shuffled, so that the order within it is unrelated to time.
const BURST: Duration = Duration::from_millis(50);
/// Repetitions are among this many last events.
const REMEMBERED: usize = 5_000;

/// A stream of events until [`Traffic::stop`].
pub(super) struct Traffic {
    thread: JoinHandle<Sent>,
    stop: Arc<AtomicBool>,
    events: Arc<AtomicUsize>,
}

/// The published events.
pub(super) struct Sent {
    pub(super) publisher: Publisher,
    pub(super) generator: Generator,
    /// Their fold in memory.
    pub(super) expected: Reference,
    /// The number of different events.
    pub(super) events: usize,
    /// The number of records, repetitions included.
    pub(super) records: usize,
}

impl Sent {
    /// Publishes new events, some of them repeatedly and in random order, and folds them in memory.
    pub(super) fn burst(
        &mut self,
        events: usize,
        before: &mut VecDeque<CustomerEvent>,
        random: &mut StdRng,
    ) {
        let new = self.generator.events(events);
        for event in &new {
            let folded = self.expected.fold(event);
            assert!(matches!(folded, Some(Ok(_))), "{folded:?}: {event:?}");
        }
        before.extend(new.iter().cloned());
        let mut sent = new;
        for _ in 0..events {
            if random.random_bool(DUPLICATES) {
                sent.push(before[random.random_range(0..before.len())].clone());
            }
        }
        sent.shuffle(random);
        for event in &sent {
            self.publisher.event(event);
        }
        while before.len() > REMEMBERED {
            before.pop_front();
        }
        self.events += events;
        self.records += sent.len();
    }
}

impl Traffic {
    /// Continues a stream at this many new events a second.
    pub(super) fn start(mut sent: Sent, per_second: usize, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let events = Arc::new(AtomicUsize::new(sent.events));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&events));
        let thread = thread::spawn(move || {
            let mut random = StdRng::seed_from_u64(seed);
            let mut before = VecDeque::new();
            let mut next = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                sent.burst(per_second / 20, &mut before, &mut random);
                count.store(sent.events, Ordering::Relaxed);
                next += BURST;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            sent.publisher.flush();
            sent
        });
        Self {
            thread,
            stop,
            events,
        }
    }

    /// Returns the number of different events given to the producer so far.
    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    /// Stops the stream and waits until the broker has acknowledged every record.
    pub(super) fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .expect("every event was published and folded")
    }
}
