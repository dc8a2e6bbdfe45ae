//! What is published while things fail: new events and, for a quarter of them, one that was sent
//! before once more. The same thread folds them in memory.

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
/// A burst is shuffled, so that order within it has nothing to do with time.
const BURST: Duration = Duration::from_millis(50);
/// Duplicates are of the last so many events.
const REMEMBERED: usize = 5_000;

/// Events on their way, until [`Traffic::stop`].
pub(super) struct Traffic {
    thread: JoinHandle<Sent>,
    stop: Arc<AtomicBool>,
    events: Arc<AtomicUsize>,
}

/// What was published.
pub(super) struct Sent {
    pub(super) publisher: Publisher,
    pub(super) generator: Generator,
    /// The fold in memory of it.
    pub(super) expected: Reference,
    /// Different ones.
    pub(super) events: usize,
    /// With those sent again.
    pub(super) records: usize,
}

impl Sent {
    /// Publishes new events, some of them more than once and in any order, and folds them here.
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
    /// Goes on with what was sent, at so many new events a second.
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

    /// Different events handed to the producer so far.
    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    /// Publishes no more, and waits until the broker has everything.
    pub(super) fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .expect("everything was published and folded")
    }
}
