//! The command: what it refuses, and what is left of a tenant in lists, the status and the API.

use serde_json::Value;

use super::{AGAIN, DEFINITIONS, SOON, offboard, order, publish, rows_of};
use crate::support::read;
use crate::support::site::Site;
use crate::support::wait::wait_for;

#[tokio::test]
async fn offboarding_waits_for_the_erasure_and_lists_status_and_api_lose_the_tenant() {
    // Given a tenant with customers, a processor and the API
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let processor = site.process(&[]);
    let publisher = site.publisher().await;
    publish(&publisher, "acme", 20);
    publish(&publisher, "globex", 20);
    site.wait_until_folded(SOON).await;
    let api = site.serve().await;
    let customers = async |tenant| {
        let body = api.get(tenant, "/v1/customers").await.body;
        body["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(customers("acme").await, 20);
    // When it is offboarded
    let (code, report, error) = offboard(&site, &["--yes"]);
    assert_eq!(
        (code, &report["outcome"]),
        (Some(0), &"offboarded".into()),
        "{error}"
    );
    assert_eq!(
        (&report["version"], &report["erased_customers"]),
        (&1.into(), &20.into())
    );
    // Then it is in no list, and the API answers as for a tenant that never was
    let listed = site.run(&["tenants", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names = listed.as_array().unwrap().iter().map(|it| &it["tenant"]);
    assert_eq!(names.collect::<Vec<_>>(), ["globex"]);
    let status = site.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["offboarding"], Value::Array(Vec::new()));
    wait_for(SOON, "the cache to forget", async || {
        match customers("acme").await {
            0 => Ok(()),
            count => Err(format!("{count} customers")),
        }
    })
    .await;
    assert_eq!(customers("globex").await, 20);
    let (left, never) = (
        api.get("acme", "/v1/customers/customer-1").await,
        api.get("initech", "/v1/customers/customer-1").await,
    );
    assert_eq!(
        (left.status, never.status),
        (404.try_into().unwrap(), 404.try_into().unwrap())
    );
    assert_commands_tell(&site);
    processor.terminate();
}

/// Asserts that commands say of the tenant that it was offboarded.
fn assert_commands_tell(site: &Site) {
    let unknown = site.run(&["tenants", "rename", "acme", "ACME"]);
    let error = String::from_utf8(unknown.stderr).unwrap();
    let expected = "tenant acme is not defined: version 1 offboarded it";
    assert!(error.contains(expected), "{error}");
    let again = site.apply(AGAIN);
    let note = String::from_utf8(again.stderr).unwrap();
    assert!(
        note.contains("tenant acme was offboarded by version 1"),
        "{note}"
    );
}

#[tokio::test]
async fn offboarding_is_refused_while_events_arrive_or_wait_and_for_undefined_tenants() {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    publisher.event(&order("acme", 1, 100));
    publisher.flush();
    let refused = |arguments: &[&str]| {
        let command = ["tenants", "offboard"];
        let output = site.run(&[&command[..], arguments].concat());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let reason = ["--reason", "the contract has ended", "--yes"];
    // An event of it may wait
    let (code, error) = refused(&[&["acme"], &reason[..]].concat());
    assert_eq!(code, Some(1));
    assert!(error.contains("partitions are behind the log"), "{error}");
    // An event of it has arrived lately
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let (code, error) = refused(&[&["acme"], &reason[..]].concat());
    assert_eq!(code, Some(1));
    assert!(error.contains("events of tenant acme arrive"), "{error}");
    // It is not defined
    let (code, error) = refused(&[&["acmee"], &reason[..]].concat());
    assert_eq!(code, Some(1));
    assert!(error.contains("did you mean acme?"), "{error}");
    // There is no reason
    let (code, error) = refused(&["acme", "--reason", " ", "--yes"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("--reason is empty"), "{error}");
    assert_eq!(read::ends(site.kafka, &site.definitions_topic), [(0, 1)]);
    // And a tenant of which none arrived can be offboarded meanwhile
    let output = site.run(&[&["tenants", "offboard", "globex"], &reason[..]].concat());
    assert!(output.status.success(), "{output:?}");
    processor.terminate();
}

#[tokio::test]
async fn partition_without_an_owner_erases_before_it_folds_by_newer_definitions() {
    // Given a tenant that is halted in every partition
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let limit = [
        "--set",
        "processor.halt_window=20",
        "--set",
        "processor.halt_minimum=5",
    ];
    let processor = site.process(&limit);
    publish(&publisher, "acme", 40);
    for customer in 0..80 {
        publisher.event(&order("acme", customer, -1));
        publisher.event(&order("acme", customer, -1));
    }
    publisher.flush();
    site.wait_until_folded(SOON).await;
    assert!(!site.deferred().is_empty(), "it is halted");
    processor.terminate();
    // When it is offboarded, defined again and has events while no processor runs
    let (code, ..) = offboard(&site, &["--yes", "--wait", "0"]);
    assert_eq!(code, Some(1));
    site.define(AGAIN);
    for customer in 0..4 {
        publisher.event(&order("acme", customer, 100));
    }
    publish(&publisher, "globex", 40);
    let processor = site.process(&limit);
    site.wait_until_folded(SOON).await;
    let projections = site.projections().await;
    wait_for(SOON, "the newest definitions", async || {
        let behind = "select count(*) from $gen.progress where definitions < 2";
        match (projections.number(behind).await, site.deferred()) {
            (0, left) if left.is_empty() => Ok(()),
            (behind, left) => Err(format!("{behind} partitions are behind, {left:?}")),
        }
    })
    .await;
    // Then every partition has erased, and has folded nothing but the new events
    let erased = "select count(*) from $gen.offboarding where done_at is not null";
    assert_eq!(projections.number(erased).await, 4);
    let rows = rows_of(&projections, "acme").await;
    assert_eq!(
        (rows.get("customer"), rows.get("membership")),
        (Some(&4), Some(&4)),
        "{rows:?}"
    );
    assert!(
        !rows.contains_key("parked") && !rows.contains_key("position"),
        "{rows:?}"
    );
    let activated = "select count(distinct version) from $gen.activation";
    assert_eq!(projections.number(activated).await, 3);
    processor.terminate();
}
