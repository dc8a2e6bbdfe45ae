//! Training: a real purchase log is imported and folded, the models are fitted to the states and
//! applied, and they score the customers.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::support::api::Api;
use crate::support::compare::Projections;
use crate::support::site::{Running, Site};
use crate::support::wait::wait_for;

/// The end of the calibration period of the published parameters.
const CLOCK: &str = "1997-09-30T00:00:00Z";
const SOON: Duration = Duration::from_mins(1);
const DEFINITIONS: &str = "tenant: { id: cdnow, zone: UTC, currency: USD }";

fn file(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn assert_success(output: &Output) {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}

/// Trains and returns the result for the one tenant.
#[track_caller]
fn train(site: &Site, flags: &[&str]) -> Value {
    let output = site.run(&[&["train", "--json"], flags].concat());
    assert_success(&output);
    let mut answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer[0].take()
}

#[track_caller]
fn assert_near(value: &Value, expected: f64, off: f64) {
    let found = value.as_f64().unwrap();
    assert!((found - expected).abs() <= off, "{found} is not {expected}");
}

/// Imports the purchase log up to the end of the calibration period and folds it.
async fn folded() -> (Site, Running) {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let (log, mapping) = (
        file("data/cdnow/CDNOW_sample.txt"),
        file("data/cdnow/mapping.toml"),
    );
    assert_success(&site.run(&["import", &log, "--mapping", &mapping, "--until", CLOCK]));
    let processor = site.process(&["--clock", CLOCK]);
    site.wait_until_folded(SOON).await;
    (site, processor)
}

#[track_caller]
fn assert_as_published(trained: &Value) {
    for (candidate, family, parameters, log_likelihood) in [
        (
            0,
            "mbg_nbd",
            [0.52484, 6.18309, 0.89136, 1.614],
            -9_582.135_7,
        ),
        (
            1,
            "bg_nbd",
            [0.24259, 4.4136, 0.79292, 2.42591],
            -9_582.429_2,
        ),
    ] {
        let found = &trained["candidates"][candidate];
        assert_eq!(found["family"], family);
        for (name, parameter) in ["r", "alpha", "a", "b"].into_iter().zip(parameters) {
            assert_near(&found["parameters"][name], parameter, parameter * 5e-5);
        }
        assert_near(&found["log_likelihood"], log_likelihood, 0.01);
    }
    let spending = &trained["models"]["spending"]["model"];
    for (name, parameter) in [("p", 6.2496), ("q", 3.7442), ("v", 15.4435)] {
        assert_near(&spending["parameters"][name], parameter, parameter * 5e-5);
    }
    assert_near(&spending["log_likelihood"], -4_055.918, 0.01);
}

/// Asserts that each buyer is in one cell and one cluster, by a change of the definitions version,
/// and that the API counts as many.
async fn assert_placed(projections: &Projections, api: &Api, trained: &Value) {
    let bought = trained["bought"].as_i64().unwrap();
    for kind in ["rfm", "cluster"] {
        let counted = format!("select sum(value)::bigint from $gen.counter where kind = '{kind}'");
        assert_eq!(projections.number(&counted).await, bought);
        let said = format!(
            "select count(distinct customer_id) from $gen.change where kind = '{kind}' \
             and cause = 'definition' and definition_version = 1"
        );
        assert_eq!(projections.number(&said).await, bought);
    }
    let valued = "select count(*) from $gen.customer where value_minor is not null";
    assert_eq!(projections.number(valued).await, bought);
    let clusters = api.get("cdnow", "/v1/clusters").await.body;
    let sizes = clusters["items"].as_array().unwrap().iter();
    let sizes = sizes.map(|of| of["customers"].as_i64().unwrap());
    assert_eq!(sizes.sum::<i64>(), bought, "{clusters}");
    let value = api.get("cdnow", "/v1/value").await.body;
    assert_eq!(
        value["trained"]["forecast"],
        trained["models"]["value"]["model"]["forecast"]
    );
    let churn = api.get("cdnow", "/v1/churn").await.body;
    let deciles = churn["purchases"]["calibration"]["deciles"]
        .as_array()
        .unwrap();
    assert_eq!(
        (deciles.len(), &churn["purchases"]["shipped"]),
        (10, &Value::Bool(false))
    );
}

#[tokio::test]
async fn models_trained_on_a_real_log_have_the_published_parameters_and_score_its_customers() {
    let (site, processor) = folded().await;
    let api = site.serve().await;

    // When training runs dry, then nothing is published
    let dry = train(&site, &["--dry-run"]);
    assert_eq!(dry["outcome"], "dry_run");
    assert_eq!(dry["version"], Value::Null);

    // When the models are trained, then their parameters are the published ones
    let trained = train(&site, &[]);
    assert_eq!(trained["outcome"], "published");
    assert_eq!(trained["version"], 1);
    assert_eq!(trained["as_of"], "1997-09-30");
    assert_eq!(trained["models"], dry["models"]);
    assert_as_published(&trained);

    // And every customer is scored with them in the background
    let churn = &trained["models"]["churn"]["model"];
    let model = format!("{}/trained-1997-09-30", churn["family"].as_str().unwrap());
    let projections = site.projections().await;
    let left = "select count(*) from $gen.customer where definition_version < 1";
    wait_for(
        SOON,
        "every customer to be scored",
        async || match projections.number(left).await {
            0 => Ok(()),
            left => Err(format!("{left} left")),
        },
    )
    .await;
    assert_placed(&projections, &api, &trained).await;
    let customer = api.get("cdnow", "/v1/customers/0001").await;
    assert_eq!(
        customer.body["churn"]["model"], model,
        "{:?}",
        customer.body
    );
    processor.terminate();
}

#[tokio::test]
async fn training_is_refused_while_partitions_are_behind_unless_that_is_accepted() {
    // Given a purchase log that is folded, and one more event that no processor reads
    let (site, processor) = folded().await;
    processor.terminate();
    let (log, mapping) = (
        file("data/cdnow/CDNOW_sample.txt"),
        file("data/cdnow/mapping.toml"),
    );
    assert_success(&site.run(&["import", &log, "--mapping", &mapping]));

    // Then training names the partitions that are behind, and the flag that accepts it
    let refused = site.run(&["train"]);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{errors}");
    for part in ["partition 0 by ", "partition 3 by ", "--accept-lag"] {
        assert!(errors.contains(part), "{part:?} is not in {errors}");
    }
    let accepted = train(&site, &["--accept-lag"]);
    assert_eq!(accepted["outcome"], "published");
}

/// Returns the definition of a tenant and its events: 120 customers that buy every week for as long as
/// the model is fitted, and never in the holdout.
fn stopped_buying() -> Vec<String> {
    let mut events = Vec::new();
    for customer in 0..120_i64 {
        for week in 0..30_i64 {
            let day = jiff::civil::date(2025, 1, 1)
                .checked_add(jiff::Span::new().days(week * 7 + customer % 7))
                .unwrap();
            events.push(format!(
                r#"{{"event_id": "{}", "tenant_id": "cdnow", "customer_id": "c-{customer}",
                "source": "test", "occurred_at": "{day}T12:00:00Z", "payload":
                {{"type": "order_placed", "order_id": "o-{customer}-{week}",
                "amount_minor": 1000, "currency": "USD"}}}}"#,
                uuid::Uuid::from_u64_pair(
                    u64::try_from(customer).unwrap(),
                    u64::try_from(week).unwrap()
                )
            ));
        }
    }
    events
        .iter()
        .map(|event| event.replace('\n', " "))
        .collect()
}

#[tokio::test]
async fn models_that_fail_their_holdout_are_not_published_unless_that_is_accepted() {
    // Given customers that all stop buying when the holdout begins
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let events = site.folder.path().join("events.jsonl");
    std::fs::write(&events, stopped_buying().join("\n")).unwrap();
    assert_success(&site.run(&["publish", events.to_str().unwrap()]));
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;

    // Then their models are not published, and it is said which fails by how much
    let arguments = ["train", "--as-of", "2025-10-15", "--json"];
    let refused = site.run(&arguments);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{errors}");
    for part in [
        "cdnow (churn: purchases in the holdout are off by ",
        "--accept-holdout",
    ] {
        assert!(errors.contains(part), "{part:?} is not in {errors}");
    }
    let answer: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(answer[0]["outcome"], "failed_holdout");
    let accepted = train(&site, &["--as-of", "2025-10-15", "--accept-holdout"]);
    assert_eq!(accepted["outcome"], "published");
    processor.terminate();
}

#[tokio::test]
async fn models_stay_in_force_when_definitions_change_or_training_fails() {
    let (site, processor) = folded().await;
    let trained = train(&site, &["--tenant", "cdnow"]);

    // Training again changes nothing, and other definitions leave the models in force
    assert_eq!(train(&site, &[])["outcome"], "unchanged");
    site.define(&format!(
        "{DEFINITIONS}\nsegments: [{{ name: lost, when: {{ churn: {{ band: high }} }} }}]"
    ));
    let shown = site.run(&["define", "show", "cdnow", "--json"]);
    assert_success(&shown);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["models"], trained["models"]);
    assert_eq!(shown["segments"][0]["name"], "lost");

    // And with too few data, training fails with the reason, and the models stay in force
    let refused = site.run(&["train", "--as-of", "1997-01-01"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stdout);
    let reason = "not trained: churn (18 customers bought; 100 are needed)";
    assert!(said.contains(reason), "{said}");
    processor.terminate();
}
