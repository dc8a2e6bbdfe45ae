//! Ports for what the tests start.

use std::net::TcpListener;
use std::sync::Mutex;

/// Below those that outgoing connections get: between our looking and a process's binding, no
/// connection of another test can take one.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// A port of the loopback address that nobody listens on, never handed out before in this run.
pub(crate) fn free_port() -> u16 {
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap();
    // Runs side by side begin at different places.
    let mut port =
        next.unwrap_or_else(|| FIRST + u16::try_from(std::process::id() % 10_000).unwrap());
    while TcpListener::bind(("127.0.0.1", port)).is_err() {
        port = after(port);
    }
    *next = Some(after(port));
    port
}

fn after(port: u16) -> u16 {
    if port == LAST { FIRST } else { port + 1 }
}
