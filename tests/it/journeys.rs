//! Journeys from the topic to the API: late, repeated and unordered stages count on the day they
//! occurred.

use std::time::Duration;

use serde_json::{Value, json};
use tidemark_schemas::event::StageEntered;
use tidemark_schemas::{
    CustomerEvent, CustomerId, EventId, Instant, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::api::Api;
use crate::support::reference::Reference;
use crate::support::site::Site;

const SOON: Duration = Duration::from_mins(1);
const CLOCK: &str = "2024-06-30T00:00:00Z";
const HOUR: i64 = 3_600_000_000;

fn definitions(stages: &str) -> String {
    let tenant = |id: &str| {
        format!(
            "tenant: {{ id: {id}, zone: Europe/Berlin, currency: EUR }}\n\
             journeys:\n  - name: sales\n    stages: [{stages}]\n"
        )
    };
    format!("{}---\n{}", tenant("early"), tenant("late"))
}

/// Returns the events of 24 customers: each becomes a lead; every second one starts a trial a day
/// later; every third of those returns to lead and starts a second trial; every fourth customer
/// buys on the tenth day.
fn events(tenant: &str) -> Vec<CustomerEvent> {
    let start: Instant = "2024-03-01T12:00:00Z".parse().unwrap();
    let mut entered: Vec<(i64, u32, &str)> = Vec::new();
    for customer in 0..24 {
        let begins = i64::from(customer);
        entered.push((begins, customer, "lead"));
        if customer % 2 == 0 {
            entered.push((begins + 24, customer, "trial"));
        }
        if customer % 6 == 0 {
            entered.push((begins + 48, customer, "lead"));
            entered.push((begins + 72, customer, "trial"));
        }
        if customer % 4 == 0 {
            entered.push((begins + 240, customer, "customer"));
        }
    }
    entered.sort_unstable();
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, tenant.as_bytes());
    let event = |(number, (hour, customer, stage)): (usize, (i64, u32, &str))| CustomerEvent {
        event_id: EventId(Uuid::new_v5(&namespace, number.to_string().as_bytes())),
        tenant_id: TenantId::new(tenant).unwrap(),
        customer_id: CustomerId::new(format!("c-{customer}")).unwrap(),
        source: "test".into(),
        occurred_at: start.plus_micros(hour * HOUR),
        payload: Payload::StageEntered(StageEntered {
            journey: "sales".into(),
            stage: stage.into(),
        }),
    };
    entered.into_iter().enumerate().map(event).collect()
}

async fn answers(api: &Api, tenant: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    for path in [
        "stages",
        "stages?from=2024-03-01&to=2024-03-01",
        "flows",
        "flows?to=2024-03-02",
        "bottlenecks",
    ] {
        let path = format!("/v1/journeys/sales/{path}");
        let answer = api.get(tenant, &path).await;
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        answers.push(answer.body);
    }
    for customer in [0, 4, 6] {
        let path = format!("/v1/customers/c-{customer}");
        answers.push(api.get(tenant, &path).await.body["journeys"].clone());
    }
    answers
}

#[tokio::test]
async fn late_stages_correct_stage_flows_and_dwell() {
    // Given the same events for two tenants: for one in order, for the other backwards and twice
    let site = Site::new().await;
    site.define(&definitions("lead, trial, customer"));
    let publisher = site.publisher().await;
    let in_order = events("early");
    let mut backwards = events("late");
    backwards.reverse();
    let half = backwards.len() / 2;
    for event in in_order.iter().chain(&backwards[..half]) {
        publisher.event(event);
    }
    publisher.flush();
    // Half of the events are folded, counted and written before the rest arrives
    let processor = site.process(&["--clock", CLOCK]);
    site.wait_until_folded(SOON).await;
    let api = site.serve().await;
    assert_ne!(answers(&api, "early").await, answers(&api, "late").await);
    processor.kill();
    for event in backwards[half..].iter().chain(&backwards[..half]) {
        publisher.event(event);
    }
    publisher.flush();
    let _processor = site.process(&["--clock", CLOCK]);
    site.wait_until_folded(SOON).await;

    // Then the API returns the same for both
    let api = site.serve().await;
    let early = answers(&api, "early").await;
    assert_eq!(answers(&api, "late").await, early);
    assert_counts(&early);

    // And the tables equal a fold in memory
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let reference =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    let projections = site.projections().await;
    projections.assert_equal(&reference).await;
    projections.assert_consistent().await;
}

/// Asserts that the responses hold what the events say.
fn assert_counts(answers: &[Value]) {
    let [stages, first_day, flows, first_days, bottlenecks] = &answers[..5] else {
        panic!("five answers")
    };
    let column = |of: &Value, list: &str, name: &str| -> Vec<Value> {
        let items = of[list].as_array().unwrap().iter();
        items.map(|item| item[name].clone()).collect()
    };
    assert_eq!(column(stages, "stages", "customers"), [12, 6, 6]);
    assert_eq!(column(stages, "stages", "entered"), [24, 12, 6]);
    assert_eq!(column(stages, "stages", "advanced"), [12, 6, 0]);
    assert_eq!(column(stages, "stages", "completed"), [6, 6, 0]);
    // Every lead stayed for a day; buckets may report up to a quarter less.
    assert_eq!(column(first_day, "stages", "entered"), [11, 0, 0]);
    // All stays of leads took a day, and are told as up to a quarter less.
    let dwell = &stages["stages"][0]["dwell"];
    assert_eq!(
        (&dwell["stays"], &dwell["p95_seconds"]),
        (&json!(16), &json!(81_920))
    );
    let links: Vec<_> = flows["links"].as_array().unwrap().iter().collect();
    let moves = |link: &&Value| {
        (
            link["from"].clone(),
            link["to"].clone(),
            link["moves"].clone(),
        )
    };
    assert_eq!(
        links.iter().map(moves).collect::<Vec<_>>(),
        [
            (json!(null), json!("lead"), json!(24)),
            (json!("lead"), json!("trial"), json!(16)),
            (json!("trial"), json!("lead"), json!(4)),
            (json!("trial"), json!("customer"), json!(6)),
        ]
    );
    assert_eq!(column(first_days, "links", "moves"), [24, 6]);
    assert_eq!(column(bottlenecks, "items", "stage"), ["lead", "trial"]);
    assert_eq!(column(bottlenecks, "items", "lost"), [12, 6]);
}
