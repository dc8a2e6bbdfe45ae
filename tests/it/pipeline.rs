//! The whole pipeline: a real purchase log that gives the published predictions for every customer,
//! also when it is imported again; and a single event, visible soon.

mod cdnow;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidemark_schemas::{Instant, Partitioner};
use tokio::task::JoinSet;

use self::cdnow::{CLOCK, Customer, assert_published_predictions, definitions};
use crate::support::api::{Answer, Api};
use crate::support::compare::Projections;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const TENANT: &str = "cdnow";
const SOON: Duration = Duration::from_mins(1);
/// The longest time from the broker to the API for one event; a fraction of a second is normal.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

fn import(site: &Site) {
    let (log, mapping) = (
        cdnow::file("data/cdnow/CDNOW_sample.txt"),
        cdnow::file("data/cdnow/mapping.toml"),
    );
    let output = site.run(&["import", &log, "--mapping", &mapping, "--until", CLOCK]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Returns the number of records on the topic.
fn published(site: &Site) -> i64 {
    let ends = read::ends(site.kafka, &site.topic);
    ends.iter().map(|(_, end)| end).sum()
}

/// Returns the ids of all pages of a list, in order.
async fn ids(api: &Api, path: &str) -> Vec<String> {
    let items = api.all(TENANT, path).await;
    let id = |item: &Value| item["customer_id"].as_str().unwrap().to_owned();
    items.iter().map(id).collect()
}

/// Returns the API's response for every listed customer.
async fn answers(api: &Arc<Api>, definitions: &str) -> BTreeMap<String, Value> {
    let listed = ids(api, "/v1/customers?limit=500").await;
    assert!(
        listed.is_sorted_by(|one, next| one < next),
        "pages overlap or are out of order"
    );
    let mut asked = JoinSet::new();
    let mut answers = BTreeMap::new();
    for id in listed {
        if asked.len() >= 8 {
            let (id, body) = asked.join_next().await.unwrap().unwrap();
            answers.insert(id, body);
        }
        let (api, definitions) = (Arc::clone(api), definitions.to_owned());
        asked.spawn(async move {
            let answer = api.get(TENANT, &format!("/v1/customers/{id}")).await;
            assert_eq!(answer.status, 200, "{id}: {:?}", answer.body);
            assert_eq!(answer.headers["tidemark-watermark"], CLOCK, "{id}");
            assert_eq!(answer.headers["tidemark-lag"], "0", "{id}");
            assert_eq!(answer.headers["tidemark-definitions"], definitions, "{id}");
            (id, answer.body)
        });
    }
    answers.extend(asked.join_all().await);
    answers
}

/// Asserts that the API returns every customer as the log and the published predictions have it,
/// alone and in lists.
async fn assert_returned(
    customers: &BTreeMap<String, Customer>,
    answers: &BTreeMap<String, Value>,
    api: &Api,
    model: &str,
) {
    assert!(
        answers.keys().eq(customers.keys()),
        "the API lists other customers"
    );
    for (id, answer) in answers {
        customers[id].assert_returned(id, answer, model);
    }
    assert_published_predictions(answers, model);
    for band in ["low", "medium", "high"] {
        let listed = ids(api, &format!("/v1/customers?limit=500&band={band}")).await;
        let wanted = customers
            .iter()
            .filter(|(_, customer)| customer.band(model) == band);
        assert!(listed.iter().eq(wanted.map(|(id, _)| id)), "band {band}");
    }
    let segments = api.all(TENANT, "/v1/segments").await;
    for position in 0..4 {
        let membership = |customer: &Customer| customer.segments(model)[position];
        let (name, _) = membership(&customers["0001"]);
        let size = customers.values().filter(|known| membership(known).1);
        let segment = segments.iter().find(|segment| segment["name"] == name);
        assert_eq!(segment.unwrap()["size"], size.count(), "size of {name}");
    }
}

/// Returns the number of rows and the content of each table that a repeated import leaves
/// unchanged.
async fn outcome(projections: &Projections) -> BTreeMap<&'static str, (i64, String)> {
    let mut outcome = BTreeMap::new();
    for table in [
        "customer",
        "membership",
        "position",
        "change",
        "digest",
        "counter",
        "rollup",
        "timer",
        "parked",
    ] {
        let query = format!(
            "select count(*), coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '')
             from $gen.{table} t"
        );
        let rows: Vec<(i64, String)> = projections.rows(&query).await;
        outcome.insert(table, rows[0].clone());
    }
    outcome
}

#[tokio::test]
async fn real_purchase_log_gives_the_published_predictions_and_a_second_import_changes_nothing() {
    // Given the sample tenant, and the purchase log imported up to the end of the calibration
    // period
    let customers = cdnow::customers();
    let site = Site::new().await;
    site.define(&definitions("mbg_nbd"));
    import(&site);
    let processor = site.process(&["--clock", CLOCK]);
    site.wait_until_folded(SOON).await;
    let api = Arc::new(site.serve().await);
    let projections = site.projections().await;

    // Then each of the 2,357 customers has the published predictions
    let answered = answers(&api, "0").await;
    assert_returned(&customers, &answered, &api, "mbg_nbd").await;
    let expected = reference(&site).await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    let before = outcome(&projections).await;
    assert_eq!(before["parked"].0, 0);

    // When the same file is imported again, then the topic grows and nothing else changes
    let once = published(&site);
    import(&site);
    assert_eq!(published(&site), 2 * once);
    site.wait_until_folded(SOON).await;
    assert_eq!(outcome(&projections).await, before);

    // When it is imported while no processor runs, and one starts with an empty cache, then nothing
    // changes either
    processor.terminate();
    import(&site);
    let processor = site.process(&["--clock", CLOCK]);
    site.wait_until_folded(SOON).await;
    assert_eq!(published(&site), 3 * once);
    assert_eq!(outcome(&projections).await, before);

    // And with the other model, the predictions are those of that model for the same states
    site.define(&definitions("bg_nbd"));
    wait_until_evaluated(&projections, 1).await;
    let answered = answers(&api, "1").await;
    assert_returned(&customers, &answered, &api, "bg_nbd").await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    processor.terminate();
}

async fn reference(site: &Site) -> Reference {
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await
}

async fn wait_until_evaluated(projections: &Projections, version: i64) {
    let left = format!(
        "select (select count(*) from $gen.customer where definition_version < {version})
              + (select count(*) from $gen.reevaluation where not done)"
    );
    wait_for(
        SOON,
        "every customer to be re-evaluated",
        async || match projections.number(&left).await {
            0 => Ok(()),
            left => Err(format!("{left} left")),
        },
    )
    .await;
}

const BUYERS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: buyers
    when: { orders: { count: { gte: 1 } } }
";

/// Publishes an order with the command line and returns its position.
fn publish(site: &Site, customer: &str, event_id: &str) -> String {
    // Half past midnight of the next day in Berlin.
    let event = json!({
        "event_id": event_id, "tenant_id": "acme", "customer_id": customer, "source": "shop",
        "occurred_at": "2024-05-01T22:30:00Z",
        "payload": {"type": "order_placed", "order_id": "o-1", "amount_minor": 1_999,
                    "currency": "EUR"},
    });
    let file = site.folder.path().join("events.jsonl");
    fs::write(&file, event.to_string()).unwrap();
    let output = site.run(&["publish", "--json", file.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // One line says that it did not wait for the outcome.
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("publish with --wait"), "{errors}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [position] = summary["positions"].as_array().unwrap().as_slice() else {
        panic!("expected one position: {summary}");
    };
    position.as_str().unwrap().to_owned()
}

/// Waits until the API returns the customer.
async fn wait_until_seen(api: &Api, customer: &str, deadline: Duration) -> Answer {
    wait_for(deadline, "the event to be visible", async || {
        let answer = api.get("acme", &format!("/v1/customers/{customer}")).await;
        match answer.status.as_u16() {
            200 => Ok(answer),
            404 => Err("not yet".to_owned()),
            _ => panic!("{answer:?}"),
        }
    })
    .await
}

#[tokio::test]
async fn publish_with_wait_names_the_events_that_are_parked() {
    // Given a processor, and a file with an event of the past and one of the future
    let site = Site::new().await;
    site.define(BUYERS);
    let processor = site.process(&[]);
    let event = |customer: &str, event_id: &str, occurred_at: &str| {
        json!({
            "event_id": event_id, "tenant_id": "acme", "customer_id": customer, "source": "shop",
            "occurred_at": occurred_at,
            "payload": {"type": "stage_entered", "journey": "sales", "stage": "lead"},
        })
    };
    let past = event(
        "ann",
        "5f0c4bd6-6d47-4f3c-9f0e-0c9cf5e0f410",
        "2024-05-01T22:30:00Z",
    );
    let future = event(
        "bob",
        "5f0c4bd6-6d47-4f3c-9f0e-0c9cf5e0f411",
        "2200-01-01T00:00:00Z",
    );
    let file = site.folder.path().join("both.jsonl");
    fs::write(&file, format!("{past}\n{future}\n")).unwrap();

    // When they are published with --wait, then the parked one is named, and the exit code says so
    let publish = ["publish", "--wait=60", "--json", file.to_str().unwrap()];
    let output = site.run(&publish);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["published"], 2, "{summary}");
    let [parked] = summary["parked"].as_array().unwrap().as_slice() else {
        panic!("expected one parked event: {summary}")
    };
    assert_eq!(parked["reason"], "invalid");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("is parked, invalid: occurred_at"),
        "{errors}"
    );

    // When only the other is published, then none is
    fs::write(&file, past.to_string()).unwrap();
    let output = site.run(&publish);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["parked"], json!([]));

    // When its tenant is not defined, then that is named, too
    fs::write(&file, past.to_string().replace("acme", "initech")).unwrap();
    let output = site.run(&publish);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["deferred"][0]["tenant"], "initech");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("initech is not defined"), "{errors}");
    processor.terminate();
}

#[tokio::test]
async fn tidemark_wait_gives_read_your_writes() {
    let site = Site::new().await;
    site.define(BUYERS);
    let processor = site.process(&[]);
    let api = site.serve().await;
    let first = publish(&site, "ann", "5f0c4bd6-6d47-4f3c-9f0e-0c9cf5e0f400");
    wait_until_seen(&api, "ann", SOON).await;
    assert_eq!(
        api.get_after(&first, "acme", "/v1/customers").await.status,
        200
    );
    for number in 1..=5 {
        let customer = format!("ann-{number}");
        let event_id = format!("5f0c4bd6-6d47-4f3c-9f0e-0c9cf5e0f40{number}");
        // Caches the list without the new customer.
        let before = api.get("acme", "/v1/customers").await;
        let position = publish(&site, &customer, &event_id);
        let page = api.get_after(&position, "acme", "/v1/customers").await;
        assert_eq!(page.status, 200, "{page:?}");
        let customers = |page: &Answer| page.body["items"].as_array().unwrap().len();
        assert_eq!(customers(&page), customers(&before) + 1);
    }
    processor.terminate();
}

#[tokio::test]
async fn published_event_is_visible_soon_in_a_response_with_its_freshness() {
    // Given a running pipeline
    let site = Site::new().await;
    site.define(BUYERS);
    let processor = site.process(&[]);
    let api = site.serve().await;
    publish(&site, "ann", "5f0c4bd6-6d47-4f3c-9f0e-0c9cf5e0f4a1");
    wait_until_seen(&api, "ann", SOON).await;

    // When an event is published, then it is soon visible
    publish(&site, "bob", "5f0c4bd6-6d47-4f3c-9f0e-0c9cf5e0f4a2");
    let answer = wait_until_seen(&api, "bob", VISIBLE_WITHIN).await;
    let orders = &answer.body["orders"];
    assert_eq!(orders["count"], 1);
    assert_eq!(orders["revenue_minor"], 1_999);
    assert_eq!(orders["first_purchase_on"], "2024-05-02");
    assert_eq!(answer.body["last_seen_at"], "2024-05-01T22:30:00Z");
    assert_eq!(answer.body["segments"][0]["name"], "buyers");
    assert_eq!(answer.headers["tidemark-generation"], "1");
    assert_eq!(answer.headers["tidemark-definitions"], "0");
    let members = api.all("acme", "/v1/segments/buyers/members").await;
    assert_eq!(members.len(), 2, "{members:?}");

    // And without further events, the watermark passes it with a lag of 0
    let records = read::records(site.kafka, &site.topic);
    let appended_at = records.iter().map(|record| record.appended_at).max();
    wait_for(
        VISIBLE_WITHIN,
        "the watermark to pass the event",
        async || {
            let answer = api.get("acme", "/v1/customers/bob").await;
            let header = |name| {
                answer
                    .headers
                    .get(name)
                    .map(|value| value.to_str().unwrap())
            };
            let watermark: Option<Instant> =
                header("tidemark-watermark").map(|clock| clock.parse().unwrap());
            if watermark > appended_at {
                assert_eq!(header("tidemark-lag"), Some("0"));
                return Ok(());
            }
            Err(format!("{watermark:?}, appended at {appended_at:?}"))
        },
    )
    .await;
    processor.terminate();
}
