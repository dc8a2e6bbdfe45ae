//! From publishing an event to seeing it in an answer of the read API, under a steady stream.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde::Serialize;
use tidemark_api::auth::{Claims, Role, issue_token};
use tidemark_processor::clock::WallClock;
use tokio::task::JoinSet;

use super::arguments::Size;
use super::events::{self, Events};
use super::publish::Filler;
use super::site::{Child, Place, SECRET, Servers};
use crate::it::support::ports::free_port;
use crate::it::support::registry::Registry;
use crate::it::support::wait::wait_for;

const EVENTS_PER_SECOND: u32 = 5_000;
/// One customer in so many events is new, and looked for.
const PROBE_EVERY: u32 = 250;
/// Joining the group takes seconds, and what waits meanwhile has to be folded first.
const WARM_UP: Duration = Duration::from_secs(15);
/// Published so much earlier than due at most: a timer for each event would cost what we measure.
const AHEAD: Duration = Duration::from_millis(2);
/// Looked again after a tenth of what has passed, this at least: each look is a read on the same two
/// cores, and looking more the longer it takes would make it take longer.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const LOST: Duration = Duration::from_secs(30);

/// How long it took until events were visible.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Visible {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) probes: usize,
}

/// Publishes for so many seconds, beside a processor and an API of its own.
pub(crate) async fn measure(
    servers: &Servers,
    place: &Place,
    size: &Size,
    seconds: u32,
) -> Visible {
    let address = format!("127.0.0.1:{}", free_port());
    let listen = format!("api.listen={address}");
    let serve = [
        "--set",
        &listen,
        "--set",
        "api.metrics_listen=127.0.0.1:0",
        "serve",
    ];
    let mut processor = Child::start(place, size.memory_mib, &["process"]);
    let mut api = Child::start(place, size.memory_mib, &serve);
    let client = Client::new();
    wait_for(Duration::from_mins(1), "the API", async || {
        processor.assert_running();
        api.assert_running();
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(answer.status().to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    let latencies = publish(servers, place, size, seconds, &client, &address).await;
    processor.terminate();
    api.terminate();
    summary(latencies)
}

async fn publish(
    servers: &Servers,
    place: &Place,
    size: &Size,
    seconds: u32,
    client: &Client,
    address: &str,
) -> Vec<f64> {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let mut filler = Filler::new(
        servers.kafka,
        &place.topic,
        encoder,
        Duration::from_millis(5),
    );
    let seed = size.seed + 2;
    let mut events = Events::new(&Size { seed, ..*size }, WallClock::System.now());
    let mut probes = JoinSet::new();
    // One for each, kept: to check new ones is what a peer has a limit of.
    let tokens: Vec<String> = (0..events::TENANTS).map(token).collect();
    let begun = Instant::now();
    let warm = u32::try_from(WARM_UP.as_secs()).unwrap();
    for number in 0..EVENTS_PER_SECOND * (warm + seconds) {
        let due = begun + Duration::from_secs(1) / EVENTS_PER_SECOND * number;
        let early = due.saturating_duration_since(Instant::now());
        if early > AHEAD {
            tokio::time::sleep(early).await;
        }
        if number % PROBE_EVERY != 0 {
            filler.send(&events.live());
            continue;
        }
        let customer = size.customers + number;
        let event = events.sign_up(customer);
        filler.send(&event);
        if begun.elapsed() > WARM_UP {
            let url = format!(
                "http://{address}/v1/customers/{}",
                event.customer_id.as_str()
            );
            let request = client
                .get(url)
                .bearer_auth(&tokens[(customer % events::TENANTS) as usize]);
            probes.spawn(look(request, Instant::now()));
        }
    }
    filler.finish();
    probes.join_all().await
}

/// Asks until the customer is there: milliseconds since it was published.
async fn look(request: reqwest::RequestBuilder, published: Instant) -> f64 {
    loop {
        let answer = request.try_clone().unwrap().send().await.unwrap();
        match answer.status() {
            StatusCode::OK => return published.elapsed().as_secs_f64() * 1_000.0,
            // Not yet, or too many of us ask for what is not there yet.
            StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS => {}
            other => panic!("the API answers {other}"),
        }
        assert!(published.elapsed() < LOST, "an event is not visible");
        tokio::time::sleep((published.elapsed() / 10).max(LOOK_AGAIN)).await;
    }
}

fn token(tenant: u32) -> String {
    let now = u64::try_from(WallClock::System.now().micros() / 1_000_000).unwrap();
    let claims = Claims {
        iss: "tidemark".to_owned(),
        aud: "tidemark".to_owned(),
        sub: "a bench".to_owned(),
        iat: now,
        exp: now + 3_600,
        nbf: None,
        tenant: events::tenant(tenant),
        role: Role::Viewer,
    };
    issue_token(SECRET, &claims).unwrap()
}

fn summary(mut latencies: Vec<f64>) -> Visible {
    latencies.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    Visible {
        p50_ms: at(50),
        p99_ms: at(99),
        probes: latencies.len(),
    }
}
