//! Activities: windows that end at the exact microsecond, accepted late events, and conditions on
//! properties.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::json;
use tidemark_projections::definitions::Bundle;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::ActivityTracked;
use tidemark_schemas::{
    AttributeValue, CustomerEvent, CustomerId, EventId, Instant, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::api::Api;
use crate::support::compare::Projections;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);
/// The day before clocks in Berlin go forward.
const SATURDAY: &str = "2026-03-28T12:00:00Z";
const TUESDAY: &str = "2026-03-31T00:00:00Z";

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: busy
    when: { event: { name: login, count: { gte: 2 }, within: 24h } }
  - name: silent
    when: { event: { name: login, last: { not_within: 36h } } }
  - name: weekend
    when: { event: { name: login, within: 2d } }
";

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn login(occurred_at: &str) -> CustomerEvent {
    login_by("password", occurred_at)
}

fn login_by(way: &str, occurred_at: &str) -> CustomerEvent {
    let way = AttributeValue::String(way.into());
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: acme(),
        customer_id: CustomerId::new("ann").unwrap(),
        source: "test".into(),
        occurred_at: occurred_at.parse().unwrap(),
        payload: Payload::ActivityTracked(ActivityTracked {
            name: "login".into(),
            properties: BTreeMap::from([("by".into(), way)]),
        }),
    }
}

/// Returns every change of a segment, in order.
async fn changes(projections: &Projections) -> Vec<String> {
    let rows: Vec<(String, bool, i64, String)> = projections
        .rows(
            "select name, to_value is not null, effective_at, cause
             from $gen.change where kind = 'segment' order by partition, seq, step, name",
        )
        .await;
    let told = rows.into_iter().map(|(name, enters, at, cause)| {
        let way = if enters { "enters" } else { "leaves" };
        let at = Instant::from_micros(at).unwrap();
        format!("{way} {name} {at} {cause}")
    });
    told.collect()
}

#[tokio::test]
async fn activities_leave_their_windows_at_the_exact_end() {
    // Given two logins, folded on a Saturday
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    publisher.event(&login("2026-03-28T01:00:00Z"));
    publisher.event(&login("2026-03-28T02:30:00.000001Z"));
    publisher.flush();
    let processor = site.process(&["--clock", SATURDAY]);
    site.wait_until_folded(SOON).await;
    processor.kill();

    // When no record arrives until Tuesday
    let projections = site.projections().await;
    let processor = site.process(&["--clock", TUESDAY]);
    let until = TUESDAY.parse::<Instant>().unwrap().plus_micros(-1_000_000);
    wait_for(SOON, "the clock to reach Tuesday", async || {
        let clock = "select min(fired_to) from $gen.progress where next_offset > 0";
        match projections.number(clock).await {
            clock if clock == until.micros() => Ok(()),
            clock => Err(format!("it is {clock}")),
        }
    })
    .await;
    processor.terminate();

    // Then windows of hours end at the exact microsecond, and windows of days at midnight in Berlin
    let expected = [
        "enters weekend 2026-03-28T01:00:00Z event",
        "enters busy 2026-03-28T02:30:00.000001Z event",
        "leaves busy 2026-03-29T01:00:00Z timer",
        "enters silent 2026-03-29T14:30:00.000001Z timer",
        "leaves weekend 2026-03-29T22:00:00Z timer",
    ];
    assert_eq!(changes(&projections).await, expected);
    projections.assert_consistent().await;
}

/// Publishes the decision to accept a late event.
fn accept(site: &Site, event: EventId) {
    let definitions = read::definitions(site.kafka, &site.definitions_topic);
    let mut bundle = Bundle::accepting_late(&acme(), [event], "test");
    bundle.based_on = definitions.version;
    let producer: BaseProducer = site.kafka.client().create().unwrap();
    let record = bundle.to_record();
    let record = BaseRecord::<(), _>::to(&site.definitions_topic)
        .payload(&record)
        .partition(0);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(SOON).unwrap();
}

/// Returns the number of logins of the customer and of parked events.
async fn logins_and_parked(projections: &Projections) -> (u64, i64) {
    let states = projections.states().await;
    let state = states
        .values()
        .next()
        .map(|bytes| CustomerState::decode(bytes).unwrap());
    let logins = state.and_then(|state| state.activity.get("login").map(|login| login.count));
    let parked = "select count(*) from $gen.parked where reason = 'late'";
    (logins.unwrap_or(0), projections.number(parked).await)
}

#[tokio::test]
async fn accepted_late_event_counts_once_when_the_processor_is_killed() {
    // Given two late events
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let (accepted, refused) = (login("2026-01-05T10:00:00Z"), login("2026-01-05T11:00:00Z"));
    publisher.event(&login("2026-03-28T01:00:00Z"));
    publisher.event(&accepted);
    publisher.event(&refused);
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let projections = site.projections().await;
    assert_eq!(logins_and_parked(&projections).await, (1, 2));

    // When one is accepted, the processor is killed, and the event is sent again
    accept(&site, accepted.event_id);
    processor.kill();
    publisher.event(&accepted);
    publisher.flush();
    let processor = site.process(&[]);
    wait_for(
        SOON,
        "the accepted event to be folded",
        async || match logins_and_parked(&projections).await {
            (2, 1) => Ok(()),
            (logins, parked) => Err(format!("{logins} logins, {parked} parked")),
        },
    )
    .await;
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // Then the event counts once, as in a fold of the topic with the same decision
    assert_eq!(logins_and_parked(&projections).await, (2, 1));
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let reference =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    projections.assert_equal(&reference).await;
    projections.assert_consistent().await;
}

/// Returns definitions of segments by the number of logins by passkey, and by one within a day.
fn by_passkey() -> String {
    let condition = "event: { name: login, where: { name: by, eq: passkey }";
    let exactly = |count: u32| {
        format!(
            "  - {{ name: times{count}, when: {{ {condition}, count: {{ eq: {count} }} }} }} }}\n"
        )
    };
    format!(
        "{DEFINITIONS}  - {{ name: today, when: {{ {condition}, within: 24h }} }} }}\n{}",
        [1, 2, 3, 4, 5].map(exactly).concat()
    )
}

/// Returns the segments of the only customer that count logins by passkey.
async fn passkey_segments(projections: &Projections) -> Vec<String> {
    let rows: Vec<(String,)> = projections
        .rows("select segment from $gen.membership where segment ~ '^t[io]' order by segment")
        .await;
    rows.into_iter().map(|(segment,)| segment).collect()
}

/// Asserts that the customer's page shows the backfilling of its segments and of its pending
/// segments.
async fn assert_page_shows(
    api: &Api,
    projections: &Projections,
    backfilling: impl Fn(&str) -> serde_json::Value,
) {
    let (id,): (String,) = projections
        .rows("select customer_id from $gen.customer")
        .await
        .remove(0);
    let page = api.get("acme", &format!("/v1/customers/{id}")).await.body;
    let told = |list: &str, name: &str| {
        let segments = page[list].as_array().unwrap();
        let found = segments.iter().find(|segment| segment["name"] == name);
        found.map(|segment| segment["backfilling"].clone())
    };
    for (name, list) in [
        ("today", "segments"),
        ("times2", "segments"),
        ("times3", "pending_segments"),
    ] {
        assert_eq!(told(list, name), Some(backfilling(name)), "{name}: {page}");
    }
    assert_eq!(told("pending_segments", "times2"), None);
    assert_eq!(told("pending_segments", "busy"), None);
}

#[tokio::test]
async fn property_condition_counts_later_events_once_when_the_processor_is_killed() {
    // Given a login by passkey before any definition counts them
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    publisher.event(&login_by("passkey", "2026-03-28T11:00:00Z"));
    publisher.flush();
    let processor = site.process(&["--clock", SATURDAY]);
    site.wait_until_folded(SOON).await;

    // When a definition counts them, and the processor is killed between two that count
    site.define(&by_passkey());
    let projections = site.projections().await;
    wait_for(SOON, "every partition to track it", async || {
        let leaves = "select count(*) from $gen.tracked_leaf";
        match projections.number(leaves).await {
            4 => Ok(()),
            leaves => Err(format!("{leaves} do")),
        }
    })
    .await;
    let first = login_by("passkey", "2026-03-28T12:05:00Z");
    publisher.event(&first);
    publisher.flush();
    site.wait_until_folded(SOON).await;
    processor.kill();
    publisher.event(&login_by("passkey", "2026-03-28T11:30:00Z")); // Before the count is exact.
    publisher.event(&login_by("password", "2026-03-28T12:05:00Z"));
    publisher.event(&login_by("passkey", "2026-03-28T12:05:00Z"));
    publisher.event(&first);
    publisher.flush();
    let processor = site.process(&["--clock", SATURDAY]);
    site.wait_until_folded(SOON).await;

    // Then two are counted, each once, and the API shows from when the count is exact
    assert_eq!(passkey_segments(&projections).await, ["times2", "today"]);
    let api = site.serve().await;
    let answer = api.get("acme", "/v1/segments").await;
    let backfilling = |name: &str| {
        let segments = answer.body["items"].as_array().unwrap();
        let segment = segments.iter().find(|segment| segment["name"] == name);
        segment.unwrap()["backfilling"].clone()
    };
    let from = "2026-03-28T12:05:00Z";
    assert_eq!(backfilling("busy"), serde_json::Value::Null);
    assert_eq!(
        backfilling("today"),
        json!({ "counts_from": from, "exact_at": "2026-03-29T12:05:00Z" })
    );
    assert_eq!(
        backfilling("times2"),
        json!({ "counts_from": from, "exact_at": null })
    );

    assert_page_shows(&api, &projections, backfilling).await;
    processor.terminate();
    projections.assert_consistent().await;
}
