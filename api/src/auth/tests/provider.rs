//! Identity providers: how often they are asked, and what is made of those that misbehave.

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

/// An identity provider that answers from a script, its last word for ever.
struct Provider {
    url: String,
    asked: Arc<AtomicUsize>,
    script: Arc<Mutex<VecDeque<(StatusCode, String)>>>,
}

impl Provider {
    async fn start(script: Vec<(StatusCode, String)>) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let (count, answers) = (Arc::clone(&asked), Arc::clone(&script));
        let answer = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            // Long enough for others to come while one request is under way.
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
        Self { url, asked, script }
    }

    fn source(&self) -> KeySource {
        KeySource::JwksUrl {
            url: self.url.clone(),
            ca_file: None,
        }
    }

    fn says(&self, status: StatusCode, body: &str) {
        *self.script.lock().unwrap() = VecDeque::from([(status, body.to_owned())]);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_by_all_and_not_soon_again() {
    let (old, new) = (
        Signer::new(Algorithm::ES256, "old"),
        Signer::new(Algorithm::ES256, "new"),
    );
    let provider = Provider::start(vec![(StatusCode::OK, set_of(&[&old]))]).await;
    let (_, verifier) = over(provider.source(), |_| {}).await;
    assert!(verifier.verify(&old.token()).await.is_ok());
    assert_eq!(provider.asked(), 1);
    provider.says(StatusCode::OK, &set_of(&[&old, &new]));
    let token = new.token();
    let together = futures::future::join_all((0..20).map(|_| verifier.verify(&token))).await;
    assert!(together.iter().all(Result::is_ok));
    assert_eq!(provider.asked(), 2, "one request for all");
    for number in 0..20 {
        let invented = Signer::new(Algorithm::ES256, &format!("invented {number}"));
        assert_eq!(
            refused(verifier.verify(&invented.token()).await),
            Unauthenticated::Key
        );
    }
    assert_eq!(provider.asked(), 2, "within the cool-down nothing is asked");
}

#[tokio::test]
async fn after_the_cool_down_an_unknown_key_is_asked_for_again() {
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
    assert_eq!(provider.asked(), 2);
    provider.says(StatusCode::OK, &set_of(&[&new]));
    tokio::time::sleep(cool_down).await;
    assert!(verifier.verify(&new.token()).await.is_ok());
    assert_eq!(
        refused(verifier.verify(&old.token()).await),
        Unauthenticated::Key
    );
}

#[tokio::test]
async fn a_provider_that_is_away_or_talks_nonsense_leaves_the_keys() {
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
        provider.says(status, &body);
        ring.refresh().await;
        assert!(
            verifier.verify(&key.token()).await.is_ok(),
            "after {status}"
        );
    }
}

#[tokio::test]
async fn until_a_provider_answers_tokens_wait_and_nothing_else() {
    let key = Signer::new(Algorithm::EdDSA, "a");
    let fault = (StatusCode::SERVICE_UNAVAILABLE, String::new());
    let provider = Provider::start(vec![fault]).await;
    let (ring, verifier) = over(provider.source(), |_| {}).await;
    assert!(!ring.is_ready());
    let answer = verifier.verify(&key.token()).await;
    assert!(matches!(answer, Err(VerifyError::NoKeys)), "{answer:?}");
    provider.says(StatusCode::OK, &set_of(&[&key]));
    ring.refresh().await;
    assert!(ring.is_ready() && verifier.verify(&key.token()).await.is_ok());
}
