//! The delay from publishing an event to a response of the read API, under a steady stream.

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
/// One event in so many is of a new customer, which is polled for.
const PROBE_EVERY: u32 = 250;
/// The time for joining the group and folding the backlog.
const WARM_UP: Duration = Duration::from_secs(15);
/// The most by which events are published early: a timer for each would cost what is measured.
const AHEAD: Duration = Duration::from_millis(2);
/// The shortest time between two polls. They are a tenth of the elapsed time apart, since each poll is a
/// read on the same two cores, and more polls would lengthen the delay.
const POLL_EVERY: Duration = Duration::from_millis(10);
const LOST: Duration = Duration::from_secs(30);

/// The time until events were visible.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Visible {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) probes: usize,
}

/// Publishes for some seconds beside a processor and an API.
pub(crate) async fn measure(
    servers: &Servers,
    place: &Place,
    size: &Size,
    seconds: u32,
) -> Visible {
    let mut processor = Child::start(place, size.memory_mib, &["process"]);
    let (api, address) = serve(place, size.memory_mib, &mut processor).await;
    let client = Client::new();
    let latencies = publish(servers, place, size, seconds, &client, &address).await;
    processor.terminate();
    api.terminate();
    summary(latencies)
}

/// Starts an API beside a processor; returns it and its address once it is ready.
pub(super) async fn serve(
    place: &Place,
    memory_mib: u64,
    processor: &mut Child,
) -> (Child, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let listen = format!("api.listen={address}");
    let metrics = "api.metrics_listen=127.0.0.1:0";
    let serve = ["--set", &listen, "--set", metrics, "serve"];
    let mut api = Child::start(place, memory_mib, &serve);
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
    (api, address)
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
    // One token for each tenant: a limit of peers counts unknown tokens.
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
            probes.spawn(poll(request, Instant::now()));
        }
    }
    filler.finish();
    probes.join_all().await
}

/// Polls until the customer is visible; returns the milliseconds since publishing.
pub(super) async fn poll(request: reqwest::RequestBuilder, published: Instant) -> f64 {
    loop {
        let answer = request.try_clone().unwrap().send().await.unwrap();
        match answer.status() {
            StatusCode::OK => return published.elapsed().as_secs_f64() * 1_000.0,
            // Not visible yet, or too many polls of customers that are not.
            StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS => {}
            other => panic!("the API answers {other}"),
        }
        assert!(published.elapsed() < LOST, "an event is not visible");
        tokio::time::sleep((published.elapsed() / 10).max(POLL_EVERY)).await;
    }
}

pub(super) fn token(tenant: u32) -> String {
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

/// Summarises the milliseconds until events were visible.
pub(super) fn summary(mut latencies: Vec<f64>) -> Visible {
    latencies.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    Visible {
        p50_ms: at(50),
        p99_ms: at(99),
        probes: latencies.len(),
    }
}
