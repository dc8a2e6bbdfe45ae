//! A cheap client: requests are built beforehand, responses are read whole and dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The address and the requests.
pub(super) struct Target {
    pub(super) port: u16,
    pub(super) requests: Arc<[Vec<u8>]>,
}

impl Target {
    pub(super) fn new(port: u16, paths: &[String], token: Option<&str>) -> Self {
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        let request = |path: &String| {
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{token}\r\n").into_bytes()
        };
        Self {
            port,
            requests: paths.iter().map(request).collect(),
        }
    }
}

/// One keep-alive connection.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
        }
    }

    /// Sends a request, and returns the size of the response's body. A status other than 200 ends the
    /// bench.
    pub(super) async fn ask(&mut self, request: &[u8]) -> usize {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            let Some(end) = find(&self.buffer, b"\r\n\r\n") else {
                continue;
            };
            let (head, body) = self.buffer.split_at(end + 4);
            assert!(
                head.starts_with(b"HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(&self.buffer)
            );
            let length = content_length(head);
            if body.len() >= length {
                return length;
            }
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length: ";
    let begins = find(head, NAME).expect("an answer of known length") + NAME.len();
    let digits = head[begins..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// Returns the responses per second over a number of connections, for some seconds.
pub(super) async fn rate(target: &Target, connections: usize, length: Duration) -> f64 {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..connections {
        let (requests, port) = (Arc::clone(&target.requests), target.port);
        running.spawn(async move {
            let mut client = Client::connect(port).await;
            let mut answers = 0_u32;
            for request in requests.iter().cycle().skip(number) {
                client.ask(request).await;
                answers += 1;
                if begun.elapsed() >= length {
                    break;
                }
            }
            answers
        });
    }
    let answers: u32 = running.join_all().await.into_iter().sum();
    f64::from(answers) / begun.elapsed().as_secs_f64()
}
