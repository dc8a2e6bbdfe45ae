//! Placeholder ids: events of no customer are parked with a reason of their own, and are folded once the
//! tenant says that an id is a customer's.

use std::time::Duration;

use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Payload, TenantId};
use uuid::Uuid;

use crate::support::site::Site;

const SOON: Duration = Duration::from_mins(2);

fn order(customer: &str) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(customer).unwrap(),
        source: "test".into(),
        occurred_at: WallClock::System.now(),
        payload: Payload::OrderPlaced(OrderPlaced {
            order_id: Uuid::new_v4().to_string().into(),
            amount_minor: 100,
            currency: Currency::new("EUR").unwrap(),
            items: None,
            channel: None,
        }),
    }
}

async fn customers(site: &Site) -> Vec<String> {
    let ids: Vec<(String,)> = site
        .projections()
        .await
        .rows("select customer_id from $gen.customer order by customer_id")
        .await;
    ids.into_iter().map(|(id,)| id).collect()
}

async fn parked(site: &Site) -> i64 {
    let parked = "select count(*) from $gen.parked where reason = 'placeholder_id'";
    site.projections().await.number(parked).await
}

#[tokio::test]
async fn events_of_placeholder_ids_are_parked_and_folded_once_the_list_says_otherwise() {
    // Given events of a customer, and of ids that producers send where they know none
    let site = Site::new().await;
    site.define("tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n");
    let publisher = site.publisher().await;
    for id in [
        "c-17",
        "null",
        "NULL",
        "Undefined",
        "anonymous",
        "guest",
        "none",
        "0",
        " ",
    ] {
        publisher.event(&order(id));
    }
    publisher.flush();

    // When they are processed, then the customer is folded and the others are parked
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    assert_eq!(customers(&site).await, ["c-17"]);
    assert_eq!(parked(&site).await, 8);

    // And when the tenant lists other placeholders, then those that are none any more can be redriven
    site.define(
        "tenant: { id: acme, zone: Europe/Berlin, currency: EUR, placeholder_ids: [Guest, none] }\n",
    );
    publisher.event(&order("null"));
    publisher.flush();
    let redrive = [
        "parked",
        "redrive",
        "--parked-reason",
        "placeholder_id",
        "--apply",
    ];
    let outcome = site.run(&redrive);
    assert_eq!(
        outcome.status.code(),
        Some(1),
        "three stay parked: {outcome:?}"
    );
    site.wait_until_folded(SOON).await;
    let folded = ["0", "NULL", "Undefined", "anonymous", "c-17", "null"];
    assert_eq!(customers(&site).await, folded);
    assert_eq!(parked(&site).await, 3);
    processor.terminate();
}
