//! A network between the store and Postgres that fails at the worst moment: around COMMIT.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::database::background;

/// The fate of the next COMMIT that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing.
    Never,
    /// It does not reach the server.
    BeforeCommit,
    /// It is done, but its answer does not come back.
    BeforeAnswer,
    /// It reaches the server, and the client is cut off while the server is at it.
    WhileCommitting,
    /// Like [`Cut::BeforeAnswer`], and later connections are refused.
    BeforeAnswerAndForGood,
}

/// Forwards connections to a socket. Ends with the test's runtime.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    cut: Arc<Mutex<Cut>>,
}

impl Proxy {
    pub(crate) async fn start(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(Mutex::new(Cut::Never));
        let shared = Arc::clone(&cut);
        background(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *shared.lock().unwrap() != Cut::BeforeAnswerAndForGood {
                    let server = UnixStream::connect(&server).await.unwrap();
                    background(forward(client, server, Arc::clone(&shared)));
                }
            }
        });
        Self { port, cut }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }

    pub(crate) fn arm(&self, cut: Cut) {
        *self.cut.lock().unwrap() = cut;
    }
}

async fn forward(client: TcpStream, server: UnixStream, cut: Arc<Mutex<Cut>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let deaf = Arc::new(AtomicBool::new(false));
    let client_is_deaf = Arc::clone(&deaf);
    let answers = background(async move {
        let mut bytes = vec![0; 65_536];
        while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
            if client_is_deaf.load(Ordering::SeqCst) {
                return; // the answer to COMMIT
            }
            if to_client.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    });
    // The first message has no type.
    let mut typed = false;
    while let Some(message) = read_message(&mut from_client, typed).await {
        typed = true;
        match if is_commit(&message) {
            take(&cut)
        } else {
            Cut::Never
        } {
            Cut::Never => to_server.write_all(&message).await.unwrap(),
            Cut::BeforeCommit => break,
            Cut::BeforeAnswer | Cut::BeforeAnswerAndForGood => {
                deaf.store(true, Ordering::SeqCst);
                to_server.write_all(&message).await.unwrap();
                answers.await.unwrap();
                return;
            }
            Cut::WhileCommitting => {
                to_server.write_all(&message).await.unwrap();
                answers.abort();
                drop(from_client);
                // Half of the connection is enough for the server not to see its end.
                return std::future::pending().await;
            }
        }
    }
    answers.abort();
}

/// A message of the protocol with its head; nothing at the end of the connection.
async fn read_message(from: &mut (impl AsyncReadExt + Unpin), typed: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; usize::from(typed) + 4];
    from.read_exact(&mut message).await.ok()?;
    let length = u32::from_be_bytes(message[usize::from(typed)..].try_into().ok()?);
    let head = message.len();
    message.resize(head + usize::try_from(length).ok()? - 4, 0);
    from.read_exact(&mut message[head..]).await.ok()?;
    Some(message)
}

fn is_commit(message: &[u8]) -> bool {
    message.first() == Some(&b'Q') && message[5..].starts_with(b"COMMIT")
}

fn take(cut: &Mutex<Cut>) -> Cut {
    let mut cut = cut.lock().unwrap();
    let now = *cut;
    if now != Cut::BeforeAnswerAndForGood {
        *cut = Cut::Never;
    }
    now
}
