//! A steady stream of events beside a processor and an API. Some are of new customers, for whom the
//! API is polled: the time until they are visible.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde::Serialize;
use sqlx::PgPool;
use tidemark_api::auth::{Claims, Role, issue_token};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::TenantId;
use tokio::task::JoinSet;

use super::arguments::Size;
use super::events::{self, Events, TENANTS};
use super::publish::Filler;
use super::site::{Child, Place, SECRET, Servers};
use crate::it::support::ports::free_port;
use crate::it::support::registry::Registry;
use crate::it::support::wait::wait_for;

/// The number of events a second that are polled for.
const PROBES_PER_SECOND: u32 = 20;
/// The most by which events are published early: a timer for each would cost what is measured.
const AHEAD: Duration = Duration::from_millis(2);
/// The shortest time between two polls. They are a tenth of the elapsed time apart, since each poll is a
/// read on the same two cores, and more polls would lengthen the delay.
const POLL_EVERY: Duration = Duration::from_millis(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOST: Duration = Duration::from_mins(1);

/// The time until events were visible.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Visible {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) probes: usize,
}

/// An event that was polled for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    published: Instant,
    milliseconds: f64,
}

/// See the module.
pub(super) struct Stream {
    filler: Filler,
    events: Events,
    next_customer: u32,
    client: Client,
    address: String,
    /// A token for each tenant: a limit of peers counts unknown tokens.
    tokens: HashMap<TenantId, String>,
    probes: JoinSet<Probe>,
}

impl Stream {
    /// Returns a stream of events of the customers of `size`, read at an address.
    pub(super) async fn new(
        servers: &Servers,
        place: &Place,
        size: &Size,
        address: String,
    ) -> Self {
        let encoder = Registry::shared().encoder(&place.topic).await;
        let linger = Duration::from_millis(5);
        let seed = size.seed + 2;
        let tokens = (0..TENANTS).map(|number| (events::tenant(number), token(number)));
        Self {
            filler: Filler::new(servers.kafka, &place.topic, encoder, linger),
            events: Events::new(&Size { seed, ..*size }, WallClock::System.now()),
            next_customer: size.customers,
            client: Client::new(),
            address,
            tokens: tokens.collect(),
            probes: JoinSet::new(),
        }
    }

    /// Publishes so many events a second until it is done.
    pub(super) async fn run(&mut self, per_second: u32, mut is_done: impl FnMut() -> bool) {
        let probe_every = (per_second / PROBES_PER_SECOND).max(1);
        let begun = Instant::now();
        for number in 1.. {
            if is_done() {
                return;
            }
            let due = begun + Duration::from_secs(1) / per_second * number;
            let early = due.saturating_duration_since(Instant::now());
            if early > AHEAD {
                tokio::time::sleep(early).await;
            }
            if number % probe_every == 0 {
                self.probe();
            } else {
                self.filler.send(&self.events.live());
            }
        }
    }

    /// Publishes so many events a second for some time.
    pub(super) async fn run_for(&mut self, per_second: u32, time: Duration) {
        let begun = Instant::now();
        self.run(per_second, || begun.elapsed() >= time).await;
    }

    /// Publishes an event of a new customer, and begins to poll for it.
    fn probe(&mut self) {
        let event = self.events.sign_up(self.next_customer);
        self.next_customer += 1;
        self.filler.send(&event);
        let (address, customer) = (&self.address, event.customer_id.as_str());
        let url = format!("http://{address}/v1/customers/{customer}");
        let request = self.client.get(url);
        let request = request.bearer_auth(&self.tokens[&event.tenant_id]);
        let published = Instant::now();
        self.probes.spawn(async move {
            let milliseconds = poll(request, published).await;
            Probe {
                published,
                milliseconds,
            }
        });
    }

    /// Waits until every event polled for so far is visible, and returns them.
    pub(super) async fn probes(&mut self) -> Vec<Probe> {
        std::mem::take(&mut self.probes).join_all().await
    }

    /// Waits until the broker has every event.
    pub(super) fn finish(self) {
        self.filler.finish();
    }
}

/// Polls until the customer is visible; returns the milliseconds since publishing.
async fn poll(request: reqwest::RequestBuilder, published: Instant) -> f64 {
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

/// Watches for the instant at which a query of one number answers that it holds.
pub(super) fn watch(pool: PgPool, query: &'static str, number: i64) -> Arc<OnceLock<Instant>> {
    let holds = Arc::new(OnceLock::new());
    let seen = Arc::clone(&holds);
    tokio::spawn(async move {
        loop {
            let asked = sqlx::query_scalar(query).bind(number).fetch_one(&pool);
            if asked.await.unwrap() {
                return seen.set(Instant::now());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    holds
}

/// Summarises the events that were published in a period, from its first instant until before its last.
pub(super) fn visible(probes: &[Probe], from: Option<Instant>, to: Option<Instant>) -> Visible {
    let within = probes.iter().filter(|probe| {
        from.is_none_or(|from| probe.published >= from) && to.is_none_or(|to| probe.published < to)
    });
    let mut latencies: Vec<f64> = within.map(|probe| probe.milliseconds).collect();
    latencies.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    Visible {
        p50_ms: at(50).round(),
        p99_ms: at(99).round(),
        probes: latencies.len(),
    }
}
