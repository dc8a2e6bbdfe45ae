//! The response cache: no response is older than allowed under any load; waits for positions; and
//! conditional requests.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use prometheus::{Registry, TextEncoder};
use serde_json::{Value, json};
use tidemark_api::Rate;
use tidemark_api::auth::Role;

use super::client::{Answer, Api, config, token};
use super::shop;
use super::world::{PARTITIONS, TOPIC, World};
use crate::support::wait::wait_for;

/// Versions are read every 100 ms and are valid for a second after the last read.
const AT_MOST_BEHIND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(30);
const CLOCK: &str = "2024-06-30T00:00:00Z";

fn order(number: u32) -> Value {
    json!({ "type": "order_placed", "order_id": format!("n{number}"), "amount_minor": 100,
            "currency": "EUR" })
}

/// Commits one more order of the customer.
async fn buy(world: &mut World, customer: &str, number: u32) {
    let event = (number, "2024-06-29T00:00:00Z", order(number));
    world.fold(("acme", customer), event.0, event.1, &event.2);
    world.commit(CLOCK).await;
}

fn orders(body: &Value) -> u64 {
    body["orders"]["count"]
        .as_u64()
        .unwrap_or_else(|| panic!("no count of orders in {body}"))
}

fn requests(registry: &Registry, outcome: &str) -> u64 {
    let text = TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    let name = format!("tidemark_api_cache_requests_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap().parse().unwrap()
}

/// The number of committed orders over time.
#[derive(Default)]
struct Committed(Mutex<Vec<(Instant, u64)>>);

impl Committed {
    fn push(&self, count: u64) {
        self.0.lock().unwrap().push((Instant::now(), count));
    }

    /// Returns the newest number that was committed by this instant.
    fn by(&self, instant: Instant) -> u64 {
        let all = self.0.lock().unwrap();
        let before = all.iter().rev().find(|(at, _)| *at <= instant);
        before.map_or(0, |(_, count)| *count)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_responses_are_never_older_than_a_second_under_load() {
    // Given a client that reads one customer without pause
    let mut world = shop::open().await;
    let registry = Registry::new();
    let mut unlimited = config(&world.database.url);
    let without_limit = Rate {
        per_second: 0,
        burst: 0,
    };
    unlimited.limits.token_rate = without_limit;
    unlimited.limits.tenant_rate = without_limit;
    let api = Api::counted(unlimited, &registry).await;
    let first = orders(&api.ok("acme", "/v1/customers/bob").await);
    let committed = Committed::default();
    committed.push(first);
    let is_over = tokio_util::sync::CancellationToken::new();
    let read = async {
        let mut answers = 0_u64;
        while !is_over.is_cancelled() {
            let asked_at = Instant::now();
            let seen = orders(&api.ok("acme", "/v1/customers/bob").await);
            // Whatever was committed by `asked_at - AT_MOST_BEHIND` is in the response
            if let Some(due) = asked_at.checked_sub(AT_MOST_BEHIND) {
                let due = committed.by(due);
                assert!(
                    seen >= due,
                    "{seen} orders, although {due} were committed long before"
                );
            }
            answers += 1;
        }
        answers
    };
    // When more orders are committed meanwhile
    let write = async {
        for number in 0..40 {
            buy(&mut world, "bob", 1_000 + number).await;
            committed.push(first + 1 + u64::from(number));
            // Not a wait for luck: the pause between commits lets responses be cached.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        is_over.cancel();
    };
    let (answers, ()) = tokio::join!(read, write);
    // Then no response is too old, most come from the cache, and the last commit becomes visible
    let hits = requests(&registry, "hit");
    assert!(
        hits > 0 && hits <= answers,
        "{hits} hits of {answers} answers"
    );
    wait_for(SOON, "the last order", async || {
        let seen = orders(&api.ok("acme", "/v1/customers/bob").await);
        (seen == first + 40)
            .then_some(())
            .ok_or_else(|| format!("{seen} orders"))
    })
    .await;
}

#[tokio::test]
async fn cached_response_stays_valid_when_the_clock_advances_and_has_the_new_watermark() {
    let mut world = shop::open().await;
    let registry = Registry::new();
    let api = Api::counted(config(&world.database.url), &registry).await;
    let path = "/v1/journeys/sales/stages";
    let kept = wait_for(SOON, "a cached response", async || {
        let answer = api.get("acme", path).await;
        let hits = requests(&registry, "hit");
        (hits > 0)
            .then_some(answer)
            .ok_or_else(|| "none yet".to_owned())
    })
    .await;
    assert_eq!(kept.headers["tidemark-watermark"], CLOCK);
    // The clock alone advances: the cached response stays valid and has the new watermark.
    world
        .commit_at("2024-06-30T00:00:07Z", "2024-06-30T00:00:07Z")
        .await;
    let later = wait_for(
        SOON,
        "a cached response with the new watermark",
        async || {
            let hits = requests(&registry, "hit");
            let answer = api.get("acme", path).await;
            let watermark = answer.headers["tidemark-watermark"].to_str().unwrap();
            let is_cached = requests(&registry, "hit") > hits;
            if is_cached && watermark == "2024-06-30T00:00:07Z" {
                return Ok(answer);
            }
            Err(format!("{watermark}, cached: {is_cached}"))
        },
    )
    .await;
    let parts = |answer: Answer| (answer.body, answer.headers["etag"].clone());
    assert_eq!(parts(later), parts(kept));
}

/// Returns the position of the next record of the customer's partition, in the form of the header.
async fn position(world: &World, partition: i32, ahead: i64) -> String {
    let query = "select next_offset from gen_1.progress where partition = $1";
    let next: i64 = sqlx::query_scalar(query)
        .bind(partition)
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    format!("{TOPIC}/{partition}@{}", next + ahead)
}

#[tokio::test]
async fn tidemark_wait_returns_what_was_written_at_the_position() {
    let mut world = shop::open().await;
    let api = Api::over(&world).await;
    let analyst = token("acme", Role::Analyst);
    let path = "/v1/customers/bob";
    for number in 0..10 {
        // The response without the new order is in the cache
        let before = orders(&api.ok("acme", path).await);
        let mut wanted = Vec::new();
        for partition in 0..PARTITIONS {
            wanted.push(position(&world, partition, 0).await);
        }
        let wanted = wanted.join(", ");
        let headers = [("tidemark-wait", wanted.as_str())];
        let waiting = api.ask(&analyst, path, &headers);
        let (answer, ()) = tokio::join!(waiting, buy(&mut world, "bob", 2_000 + number));
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(orders(&answer.body), before + 1);
    }
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.body["type"], format!("urn:tidemark:problem:{kind}"));
}

#[tokio::test]
async fn invalid_wait_positions_are_rejected() {
    let world = shop::open().await;
    let mut impatient = config(&world.database.url);
    impatient.limits.wait_timeout = Duration::from_millis(300);
    let api = Api::with(impatient).await;
    let analyst = token("acme", Role::Analyst);
    let ask = async |wanted: &str| {
        let headers = [("tidemark-wait", wanted)];
        api.ask(&analyst, "/v1/segments", &headers).await
    };
    let reached = position(&world, 0, -1).await;
    assert_eq!(ask(&reached).await.status, 200);
    let late = ask(&position(&world, 0, 0).await).await;
    assert_refused(&late, 503, "not-folded");
    assert_eq!(late.headers["retry-after"], "1");
    for malformed in [
        "soon",
        "customer-events/0",
        "customer-events/x@1",
        "customer-events/0@-1",
    ] {
        assert_refused(&ask(malformed).await, 400, "malformed");
    }
    for wrong in ["other-events/0@0", "customer-events/3@0"] {
        let refused = ask(wrong).await;
        assert_refused(&refused, 422, "unprocessable");
        assert_eq!(refused.body["parameter"], "tidemark-wait");
    }
}

#[tokio::test]
async fn conditional_request_with_the_current_etag_gets_304() {
    let mut world = shop::open().await;
    let api = Api::over(&world).await;
    let analyst = token("acme", Role::Analyst);
    for path in [
        "/v1/customers",
        "/v1/customers/bob",
        "/v1/customers/ann",
        "/v1/segments",
    ] {
        let full = api.get("acme", path).await;
        let etag = full.headers["etag"].to_str().unwrap();
        assert!(etag.starts_with("W/\"1-"), "{etag}");
        for _ in 0..2 {
            let again = api.ask(&analyst, path, &[("if-none-match", etag)]).await;
            assert_eq!((again.status, &again.body), (304, &Value::Null), "{path}");
            for header in [
                "etag",
                "cache-control",
                "vary",
                "x-request-id",
                "tidemark-generation",
                "tidemark-watermark",
                "tidemark-lag",
                "tidemark-definitions",
            ] {
                assert_eq!(
                    again.headers[header], full.headers[header],
                    "{header} of {path}"
                );
            }
        }
        let other = api
            .ask(&analyst, path, &[("if-none-match", "W/\"1-0\"")])
            .await;
        assert_eq!((other.status, other.body), (200, full.body));
    }
    let before = api.get("acme", "/v1/customers/bob").await;
    let etag = before.headers["etag"].to_str().unwrap();
    buy(&mut world, "bob", 3_000).await;
    wait_for(SOON, "another answer", async || {
        let headers = [("if-none-match", etag)];
        match api
            .ask(&analyst, "/v1/customers/bob", &headers)
            .await
            .status
        {
            200 => Ok(()),
            status => Err(format!("it is {status}")),
        }
    })
    .await;
}

#[tokio::test]
async fn every_read_of_personal_attributes_is_audited_and_no_viewer_sees_them() {
    let world = shop::open().await;
    let api = Api::over(&world).await;
    let (analyst, viewer) = (token("acme", Role::Analyst), token("acme", Role::Viewer));
    let path = "/v1/customers/ann";
    let mut etag = String::new();
    for _ in 0..5 {
        let seen = api.ask(&analyst, path, &[("if-none-match", &etag)]).await;
        assert_eq!(seen.headers["cache-control"], "private, no-store");
        seen.headers["etag"].to_str().unwrap().clone_into(&mut etag);
        let masked = api.get_as(&viewer, path).await;
        assert_eq!(masked.body["masked_attributes"], json!(["email"]));
        assert!(!masked.body.to_string().contains("ann@"));
    }
    let recorded: i64 = sqlx::query_scalar("select count(*) from tidemark.audit")
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    assert_eq!(recorded, 5);
}

#[tokio::test]
async fn cached_response_soon_hides_an_attribute_declared_personal() {
    let mut world = shop::open().await;
    let api = Api::over(&world).await;
    let viewer = token("acme", Role::Viewer);
    let path = "/v1/customers/ann";
    assert_eq!(
        api.get_as(&viewer, path).await.body["attributes"]["plan"],
        "pro"
    );
    let definitions =
        shop::definitions("acme").replace("email: { personal: true }", "plan: { personal: true }");
    // No partition has the new definitions in force yet.
    world.record_definitions(2, &definitions).await;
    let declared = Instant::now();
    loop {
        let asked = Instant::now();
        let body = api.get_as(&viewer, path).await.body;
        if body["masked_attributes"] == json!(["email", "plan"]) {
            break;
        }
        assert!(
            asked < declared + AT_MOST_BEHIND,
            "the attribute is still visible: {body}"
        );
    }
}
