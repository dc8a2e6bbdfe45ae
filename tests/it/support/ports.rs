//! Ports for the servers that tests start.

use std::net::TcpListener;
use std::sync::Mutex;

/// The ports are below the range for outgoing connections, so that no connection of another test
/// takes one between the check and the bind.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// Returns a free port of the loopback address that this run has not returned before.
pub(crate) fn free_port() -> u16 {
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap();
    // Concurrent runs begin at different ports.
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
