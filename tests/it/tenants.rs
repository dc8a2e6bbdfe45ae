//! Tenants: another name.

use std::time::Duration;

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Payload, TenantId};
use uuid::Uuid;

use crate::support::ports::free_port;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(2);
const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: buyers
    when: { orders: { count: { gte: 1 } } }
";

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

/// Publishes an order of each customer, and waits until they are folded.
async fn fold_orders(site: &Site, customers: &[&str]) {
    let publisher = site.publisher().await;
    for customer in customers {
        publisher.event(&order(customer));
    }
    publisher.flush();
    site.wait_until_folded(SOON).await;
}

fn json(site: &Site, arguments: &[&str]) -> Value {
    let output = site.run(arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until a version of the definitions is in force in every partition.
async fn wait_until_in_force(site: &Site, version: i64) {
    let behind = format!("select count(*) from $gen.progress where definitions < {version}");
    let projections = site.projections().await;
    wait_for(
        SOON,
        "the definitions in force",
        async || match projections.number(&behind).await {
            0 => Ok(()),
            partitions => Err(format!("{partitions} partitions are behind")),
        },
    )
    .await;
}

async fn reevaluated(port: u16) -> String {
    let metrics = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
    let metrics = metrics.unwrap().text().await.unwrap();
    let mut lines = metrics.lines();
    let line = lines.find(|line| line.starts_with("tidemark_customers_reevaluated_total"));
    line.unwrap_or_default().to_owned()
}

const RENAME: [&str; 5] = ["tenants", "rename", "acme", "ACME GmbH", "--json"];

/// Renames the tenant, and waits until that is in force.
async fn rename(site: &Site) {
    let renamed = json(site, &RENAME);
    assert_eq!(
        (&renamed["outcome"], &renamed["version"]),
        (&"applied".into(), &1.into())
    );
    wait_until_in_force(site, 1).await;
}

#[tokio::test]
async fn renamed_tenant_shows_its_name_in_lists_status_and_api() {
    // Given a tenant with customers
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let processor = site.process(&[]);
    fold_orders(&site, &["a", "b"]).await;
    // When it is renamed
    rename(&site).await;
    // Then lists, the status and the API show the name
    let name = || json(&site, &["tenants", "list", "--json"])[0]["name"].clone();
    assert_eq!(name(), "ACME GmbH");
    let text = String::from_utf8(site.run(&["tenants", "list"]).stdout).unwrap();
    assert!(text.contains("  acme (ACME GmbH)"), "{text}");
    assert_eq!(
        json(&site, &["status", "--json"])["tenants"][0]["name"],
        "ACME GmbH"
    );
    let text = String::from_utf8(site.run(&["status"]).stdout).unwrap();
    assert!(
        text.contains("tenant acme (ACME GmbH): 2 customers"),
        "{text}"
    );
    let api = site.serve().await;
    let status = api.get("acme", "/v1/status").await.body;
    assert_eq!(
        (&status["name"], &status["definitions"]),
        (&"ACME GmbH".into(), &1.into())
    );
    // And the same name again changes nothing, and definitions without a name remove it
    assert_eq!(json(&site, &RENAME)["outcome"], "unchanged");
    site.define(DEFINITIONS);
    wait_until_in_force(&site, 2).await;
    assert_eq!(name(), Value::Null);
    processor.terminate();
}

#[tokio::test]
async fn renaming_a_tenant_evaluates_no_customer_again() {
    // Given a tenant with customers
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let port = free_port();
    let processor = site.member("first", port, &[]);
    fold_orders(&site, &["a", "b", "c", "d", "e", "f"]).await;
    let projections = site.projections().await;
    let evaluated_as = async |version: i64| {
        let query =
            format!("select count(*) from $gen.customer where definition_version = {version}");
        projections.number(&query).await
    };
    assert_eq!(evaluated_as(0).await, 6);

    // When it is renamed, then no customer is evaluated again
    rename(&site).await;
    let none = "tidemark_customers_reevaluated_total 0";
    assert_eq!(reevaluated(port).await, none);
    processor.terminate();

    // Nor is one after a restart, when it has events or is new
    let port = free_port();
    let processor = site.member("second", port, &[]);
    fold_orders(&site, &["a", "g"]).await;
    assert_eq!(reevaluated(port).await, none);
    assert_eq!(evaluated_as(0).await, 7);
    let begun = "select count(*) from $gen.reevaluation";
    assert_eq!(projections.number(begun).await, 0);

    // And other definitions evaluate everyone
    site.define(&DEFINITIONS.replace("gte: 1", "gte: 2"));
    wait_for(SOON, "the re-evaluation", async || {
        match evaluated_as(2).await {
            7 => Ok(()),
            customers => Err(format!("{customers} customers")),
        }
    })
    .await;
    processor.terminate();
}

#[tokio::test]
async fn undefined_tenant_cannot_be_renamed() {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let output = site.run(&["tenants", "rename", "acmee", "ACME"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("tenant acmee is not defined; did you mean acme?"),
        "{error}"
    );
    let output = site.run(&["tenants", "rename", "acme", " "]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot be a tenant's name"), "{error}");
}
