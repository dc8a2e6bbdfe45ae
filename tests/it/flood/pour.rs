//! The flood: requests at a fixed rate that do not wait for responses, sent by dedicated threads,
//! at the least possible cost to the machine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CONNECTIONS: u32 = 2;
const TICK: Duration = Duration::from_millis(20);

/// A flood that can be switched on and off.
pub(super) struct Pour {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The time since when it is on, and how long it was on before.
    on: Mutex<(Option<Instant>, Duration)>,
}

#[derive(Default)]
struct Shared {
    is_open: AtomicBool,
    is_over: AtomicBool,
    answered: AtomicU64,
    refused: AtomicU64,
}

/// The totals of the flood.
#[derive(Debug)]
pub(super) struct Poured {
    pub(super) open: Duration,
    pub(super) answered: f64,
    pub(super) refused: f64,
}

impl Pour {
    pub(super) fn start(address: &str, token: &str, per_second: u32) -> Self {
        let shared = Arc::new(Shared::default());
        let ticks = u32::try_from(Duration::from_secs(1).as_millis() / TICK.as_millis()).unwrap();
        let at_once = usize::try_from(per_second / CONNECTIONS / ticks).unwrap();
        let request = format!(
            "GET /v1/customers/ann HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let portion = request.repeat(at_once);
        let mut threads = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(address).unwrap();
            let (reader, counts) = (stream.try_clone().unwrap(), Arc::clone(&shared));
            threads.push(std::thread::spawn(move || count(reader, &counts)));
            let (portion, counts) = (portion.clone(), Arc::clone(&shared));
            threads.push(std::thread::spawn(move || write(stream, &portion, &counts)));
        }
        Self {
            shared,
            threads,
            on: Mutex::new((None, Duration::ZERO)),
        }
    }

    pub(super) fn open(&self, is_open: bool) {
        let mut on = self.on.lock().unwrap();
        let was_open = on.0.take().map_or(Duration::ZERO, |since| since.elapsed());
        on.1 += was_open;
        on.0 = is_open.then(Instant::now);
        self.shared.is_open.store(is_open, Ordering::Relaxed);
    }

    pub(super) fn end(self) -> Poured {
        self.open(false);
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        #[allow(clippy::cast_precision_loss, reason = "a count of requests")]
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
        Poured {
            open: self.on.lock().unwrap().1,
            answered: number(&self.shared.answered),
            refused: number(&self.shared.refused),
        }
    }
}

fn write(mut stream: TcpStream, portion: &str, shared: &Shared) {
    let mut next = Instant::now();
    while !shared.is_over.load(Ordering::Relaxed) {
        next += TICK; // a late tick sends the requests of those it missed
        if shared.is_open.load(Ordering::Relaxed) {
            stream.write_all(portion.as_bytes()).unwrap();
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    stream.shutdown(std::net::Shutdown::Both).unwrap();
}

fn count(mut stream: TcpStream, shared: &Shared) {
    const STATUS: &[u8] = b"HTTP/1.1 ";
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            return;
        }
        kept.extend_from_slice(&buffer[..read]);
        let mut from = 0;
        let whole = STATUS.len() + 3;
        while let Some(at) = kept[from..]
            .windows(whole)
            .position(|it| it.starts_with(STATUS))
        {
            let end = from + at + whole;
            shared.answered.fetch_add(1, Ordering::Relaxed);
            if &kept[end - 3..end] == b"429" {
                shared.refused.fetch_add(1, Ordering::Relaxed);
            }
            from = end;
        }
        // The beginning of a status line may be at the end of the last read.
        from = from.max(kept.len().saturating_sub(whole - 1));
        kept.drain(..from);
    }
}
