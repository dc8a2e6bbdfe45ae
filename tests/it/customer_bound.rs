//! The bound of a customer: its events beyond are parked, other customers are folded, and what was parked
//! is folded once the bound is raised.

use std::process::Output;
use std::time::Duration;

use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Payload, TenantId};
use uuid::Uuid;

use crate::support::ports::free_port;
use crate::support::site::Site;

const SOON: Duration = Duration::from_mins(2);
/// More orders than 16 KiB hold.
const ORDERS: u128 = 1_200;

fn define(site: &Site, max_customer_kib: u32) {
    site.define(&format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR, max_customer_kib: {max_customer_kib} }}\n"
    ));
}

fn order(customer: &str, number: u128) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(customer).unwrap(),
        source: "test".into(),
        occurred_at: WallClock::System.now(),
        payload: Payload::OrderPlaced(OrderPlaced {
            order_id: format!("order {number}").into(),
            amount_minor: 100,
            currency: Currency::new("EUR").unwrap(),
            items: None,
            channel: None,
        }),
    }
}

/// The ids and states of all customers.
async fn states(site: &Site) -> Vec<(String, Vec<u8>)> {
    let states = "select customer_id, state from $gen.customer order by customer_id";
    site.projections().await.rows(states).await
}

/// Publishes the same events to some sites.
async fn publish(sites: &[&Site]) {
    let orders = (0..ORDERS).flat_map(|number| {
        let customer = format!("c-{}", number % 40);
        [order("everything", number), order(&customer, number)]
    });
    let orders: Vec<_> = orders.collect();
    for site in sites {
        let publisher = site.publisher().await;
        for order in &orders {
            publisher.event(order);
        }
        publisher.flush();
    }
}

fn redrive(site: &Site) -> Output {
    let reason = ["--parked-reason", "customer_too_large"];
    site.run(&["parked", "redrive", reason[0], reason[1], "--apply"])
}

async fn parked(site: &Site) -> i64 {
    let parked = "select count(*) from $gen.parked where reason = 'customer_too_large'";
    site.projections().await.number(parked).await
}

#[tokio::test]
async fn events_beyond_the_bound_are_parked_and_folded_once_it_is_raised() {
    // Given a customer with more events than the bound of its tenant holds, among others
    let (site, roomy) = (Site::new().await, Site::new().await);
    define(&site, 16);
    define(&roomy, 1_024);
    publish(&[&site, &roomy]).await;

    // When they are processed in small batches, with little memory
    let small = [
        "--set",
        "processor.batch_events=50",
        "--set",
        "processor.metrics_listen=127.0.0.1:0",
    ];
    let (processor, other) = (site.process(&small), roomy.process(&[]));
    site.wait_until_folded(SOON).await;
    roomy.wait_until_folded(SOON).await;

    // Then the events beyond the bound are parked with size and bound, all others are folded, and the
    // tenant is not halted
    let expected = states(&roomy).await;
    let waiting = parked(&site).await;
    assert!((400..900).contains(&waiting), "{waiting} are parked");
    let all = site.projections().await;
    assert_eq!(
        all.number("select count(*) from $gen.parked").await,
        waiting
    );
    let detail = "select count(*) from $gen.parked
                  where detail like 'the customer has 16% bytes of state, and the bound is 16384%'";
    assert_eq!(all.number(detail).await, waiting);
    let found = states(&site).await;
    assert_eq!(found.len(), 41);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found == expected, found.0 != "everything", "{}", found.0);
    }
    assert_eq!(all.number("select count(*) from $gen.deferral").await, 0);

    // And when they are redriven under the same bound, they stay parked
    assert_eq!(redrive(&site).status.code(), Some(1));
    assert_eq!(parked(&site).await, waiting);

    // And when the bound is raised, a redrive folds them, as if it had been so from the start
    define(&site, 1_024);
    let publisher = site.publisher().await;
    publisher.event(&order("c-1", ORDERS));
    publisher.flush();
    site.wait_until_folded(SOON).await;
    let outcome = redrive(&site);
    assert!(outcome.status.success(), "{outcome:?}");
    assert_eq!(parked(&site).await, 0);
    let found = states(&site).await;
    let everything = |all: &[(String, Vec<u8>)]| all.last().cloned();
    assert_eq!(everything(&found).unwrap().0, "everything");
    assert_eq!(everything(&found), everything(&expected));
    processor.terminate();
    other.terminate();
}

#[tokio::test]
async fn status_and_metrics_name_the_largest_customers() {
    // Given a customer of more than 64 KiB, and a small one
    let site = Site::new().await;
    define(&site, 1_024);
    let publisher = site.publisher().await;
    for number in 0..3_000 {
        publisher.event(&order("whale", number));
    }
    publisher.event(&order("minnow", 0));
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;

    // Then the status lists the large one with the bytes of its row
    let written = "select length(state) + length(evaluated) + coalesce(length(tracked), 0)
                   from $gen.customer where customer_id = 'whale'";
    let bytes: Vec<(i32,)> = site.projections().await.rows(written).await;
    let bytes = i64::from(bytes[0].0);
    assert!(bytes > 64 * 1_024, "{bytes}");
    let status = site.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let expected = serde_json::json!([{ "tenant": "acme", "customer": "whale", "bytes": bytes }]);
    assert_eq!(status["largest_customers"], expected);
    let text = String::from_utf8(site.run(&["status"]).stdout).unwrap();
    let line = format!("large customer whale of tenant acme: {bytes} bytes in each commit");
    assert!(text.contains(&line), "{text}");

    // And the metric of its partition shows it, also after a restart
    processor.terminate();
    let port = free_port();
    let processor = site.member("restarted", port, &[]);
    publisher.event(&order("minnow", 1));
    publisher.flush();
    site.wait_until_folded(SOON).await;
    let metrics = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
    let metrics = metrics.unwrap().text().await.unwrap();
    let of_partitions = metrics
        .lines()
        .filter(|line| line.starts_with("tidemark_largest_customer_bytes{"));
    let largest = of_partitions.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok());
    assert_eq!(largest.max(), Some(bytes), "{metrics}");
    processor.terminate();
}
