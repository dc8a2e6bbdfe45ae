//! Tests of keys from an identity provider: fetches, cool-down and faults.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio_util::task::TaskTracker;

use super::signer::{Signer, over, refused, set_of};
use super::*;
use crate::KeySource;

/// An identity provider that responds from a script, and repeats the last response.
struct Provider {
    url: String,
    fetches: Arc<AtomicUsize>,
    script: Arc<Mutex<VecDeque<(StatusCode, String)>>>,
}

impl Provider {
    async fn start(script: Vec<(StatusCode, String)>) -> Self {
        let fetches = Arc::new(AtomicUsize::new(0));
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let (count, answers) = (Arc::clone(&fetches), Arc::clone(&script));
        let answer = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            // Long enough for concurrent requests to wait for this one.
            tokio::time::sleep(Duration::from_millis(30)).await;
            let mut answers = answers.lock().unwrap();
            let next = answers.front().cloned().unwrap();
            if answers.len() > 1 {
                answers.pop_front();
            }
            next
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let router = Router::new().route("/keys", get(answer));
        TaskTracker::new().spawn(axum::serve(listener, router).into_future());
        Self {
            url,
            fetches,
            script,
        }
    }

    fn source(&self) -> KeySource {
        KeySource::JwksUrl {
            url: self.url.clone(),
            ca_file: None,
        }
    }

    fn respond_with(&self, status: StatusCode, body: &str) {
        *self.script.lock().unwrap() = VecDeque::from([(status, body.to_owned())]);
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn concurrent_requests_with_an_unknown_key_share_one_fetch_and_a_cool_down() {
    let (old, new) = (
        Signer::new(Algorithm::ES256, "old"),
        Signer::new(Algorithm::ES256, "new"),
    );
    let provider = Provider::start(vec![(StatusCode::OK, set_of(&[&old]))]).await;
    let (_, verifier) = over(provider.source(), |_| {}).await;
    assert!(verifier.verify(&old.token()).await.is_ok());
    assert_eq!(provider.fetches(), 1);
    provider.respond_with(StatusCode::OK, &set_of(&[&old, &new]));
    let token = new.token();
    let together = futures::future::join_all((0..20).map(|_| verifier.verify(&token))).await;
    assert!(together.iter().all(Result::is_ok));
    assert_eq!(provider.fetches(), 2, "one request for all");
    for number in 0..20 {
        let invented = Signer::new(Algorithm::ES256, &format!("invented {number}"));
        assert_eq!(
            refused(verifier.verify(&invented.token()).await),
            Unauthenticated::Key
        );
    }
    assert_eq!(
        provider.fetches(),
        2,
        "within the cool-down nothing is asked"
    );
}

#[tokio::test]
async fn an_unknown_key_is_fetched_again_after_the_cool_down() {
    let (old, new) = (
        Signer::new(Algorithm::ES256, "old"),
        Signer::new(Algorithm::ES256, "new"),
    );
    let provider = Provider::start(vec![(StatusCode::OK, set_of(&[&old]))]).await;
    let cool_down = Duration::from_millis(50);
    let (_, verifier) = over(provider.source(), |config| config.cool_down = cool_down).await;
    assert_eq!(
        refused(verifier.verify(&new.token()).await),
        Unauthenticated::Key
    );
    assert_eq!(provider.fetches(), 2);
    provider.respond_with(StatusCode::OK, &set_of(&[&new]));
    tokio::time::sleep(cool_down).await;
    assert!(verifier.verify(&new.token()).await.is_ok());
    assert_eq!(
        refused(verifier.verify(&old.token()).await),
        Unauthenticated::Key
    );
}

#[tokio::test]
async fn the_keys_stay_if_the_provider_fails_or_responds_with_nonsense() {
    let key = Signer::new(Algorithm::RS256, "a");
    let provider = Provider::start(vec![(StatusCode::OK, set_of(&[&key]))]).await;
    let (ring, verifier) = over(provider.source(), |_| {}).await;
    let too_long = format!("{{\"keys\": [\"{}\"]}}", "x".repeat(1024 * 1024));
    let faults = [
        (StatusCode::INTERNAL_SERVER_ERROR, set_of(&[])),
        (StatusCode::FOUND, set_of(&[])),
        (StatusCode::OK, "<html>".to_owned()),
        (StatusCode::OK, too_long),
        (
            StatusCode::OK,
            json!({"keys": [{"kty": "oct", "k": "x"}]}).to_string(),
        ),
    ];
    for (status, body) in faults {
        provider.respond_with(status, &body);
        ring.refresh().await;
        assert!(
            verifier.verify(&key.token()).await.is_ok(),
            "after {status}"
        );
    }
}

#[tokio::test]
async fn tokens_cannot_be_verified_until_the_provider_first_responds() {
    let key = Signer::new(Algorithm::EdDSA, "a");
    let fault = (StatusCode::SERVICE_UNAVAILABLE, String::new());
    let provider = Provider::start(vec![fault]).await;
    let (ring, verifier) = over(provider.source(), |_| {}).await;
    assert!(!ring.is_ready());
    let answer = verifier.verify(&key.token()).await;
    assert!(matches!(answer, Err(VerifyError::NoKeys)), "{answer:?}");
    provider.respond_with(StatusCode::OK, &set_of(&[&key]));
    ring.refresh().await;
    assert!(ring.is_ready() && verifier.verify(&key.token()).await.is_ok());
}
