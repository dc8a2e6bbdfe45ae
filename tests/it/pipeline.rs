//! A real purchase log through the whole pipeline: every customer as published, whatever is
//! imported again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidemark_schemas::Partitioner;
use tokio::task::JoinSet;

use crate::support::api::Api;
use crate::support::compare::Projections;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const TENANT: &str = "cdnow";
/// The end of the calibration period of the published figures.
const CLOCK: &str = "1997-09-30T00:00:00Z";
const SOON: Duration = Duration::from_mins(1);

/// A line of the published summary: weeks, and dollars a purchase day after the first.
struct Published {
    x: u32,
    t_x: f64,
    t: f64,
    mean: f64,
}

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/cdnow")
        .join(file)
}

fn published() -> BTreeMap<String, Published> {
    let text = fs::read_to_string(data("CDNOW_sample_summary.csv")).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let fields: Vec<f64> = line
            .split(',')
            .map(|field| field.trim().parse().unwrap())
            .collect();
        let [id, x, t_x, t, mean] = fields[..] else {
            panic!("{line}")
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let x = x as u32;
        (format!("{id:04}"), Published { x, t_x, t, mean })
    });
    lines.collect()
}

#[expect(clippy::many_single_char_names, reason = "as the papers call them")]
/// P(alive) in closed form, written again from the papers, with their parameters (weeks).
fn p_alive(model: &str, x: f64, t_x: f64, t: f64) -> f64 {
    match model {
        "mbg_nbd" => {
            let (r, alpha, a, b) = (0.525, 6.183, 0.891, 1.614);
            1.0 / (1.0 + a / (b + x) * ((alpha + t) / (alpha + t_x)).powf(r + x))
        }
        _ if x == 0.0 => 1.0,
        _ => {
            let (r, alpha, a, b) = (0.243, 4.414, 0.793, 2.426);
            1.0 / (1.0 + a / (b + x - 1.0) * ((alpha + t) / (alpha + t_x)).powf(r + x))
        }
    }
}

fn import(site: &Site) {
    let (log, mapping) = (data("CDNOW_sample.txt"), data("mapping.toml"));
    let arguments = [
        "import",
        log.to_str().unwrap(),
        "--mapping",
        mapping.to_str().unwrap(),
        "--until",
        CLOCK,
    ];
    let output = site.run(&arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn definitions(model: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions/cdnow.yaml");
    fs::read_to_string(file)
        .unwrap()
        .replace("model: mbg_nbd", &format!("model: {model}"))
}

/// Every customer of the tenant, by id, each as the API answers it.
async fn customers(api: &Arc<Api>) -> BTreeMap<String, Value> {
    let listed = api.all(TENANT, "/v1/customers?limit=500").await;
    let ids = listed
        .iter()
        .map(|item| item["customer_id"].as_str().unwrap().to_owned());
    let mut asked = JoinSet::new();
    let mut answers = BTreeMap::new();
    for id in ids {
        if asked.len() >= 8 {
            let (id, body) = asked.join_next().await.unwrap().unwrap();
            answers.insert(id, body);
        }
        let api = Arc::clone(api);
        asked.spawn(async move {
            let answer = api.get(TENANT, &format!("/v1/customers/{id}")).await;
            assert_eq!(answer.status, 200, "{id}: {:?}", answer.body);
            assert_eq!(answer.headers["tidemark-watermark"], CLOCK, "{id}");
            assert_eq!(answer.headers["tidemark-lag"], "0", "{id}");
            (id, answer.body)
        });
    }
    for answer in asked.join_all().await {
        answers.insert(answer.0, answer.1);
    }
    answers
}

fn days(customer: &Value, from: &str, to: jiff::civil::Date) -> f64 {
    let from: jiff::civil::Date = customer["orders"][from].as_str().unwrap().parse().unwrap();
    f64::from(from.until(to).unwrap().get_days())
}

#[track_caller]
fn near(what: &str, found: f64, wanted: f64, tolerance: f64) {
    assert!(
        (found - wanted).abs() <= tolerance,
        "{what}: {found}, published {wanted}"
    );
}

fn assert_published(id: &str, customer: &Value, published: &Published, model: &str) {
    // The summary is rounded to two decimals.
    const ROUNDED: f64 = 0.005_000_001;
    let orders = &customer["orders"];
    assert_eq!(orders["repeat_purchase_days"], published.x, "x of {id}");
    let end: jiff::civil::Date = "1997-09-30".parse().unwrap();
    let last: jiff::civil::Date = orders["last_purchase_on"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let t_x = days(customer, "first_purchase_on", last) / 7.0;
    let t = days(customer, "first_purchase_on", end) / 7.0;
    near(&format!("t_x of {id}"), t_x, published.t_x, ROUNDED);
    near(&format!("T of {id}"), t, published.t, ROUNDED);
    let mean = orders["mean_repeat_value_minor"].as_f64().unwrap_or(0.0) / 100.0;
    near(
        &format!("mean value of {id}"),
        mean,
        published.mean,
        ROUNDED,
    );

    let churn = &customer["churn"];
    let wanted = p_alive(model, f64::from(published.x), t_x, t);
    assert_eq!(churn["status"], "scored", "{id}");
    near(
        &format!("P(alive) of {id}"),
        churn["p_alive"].as_f64().unwrap(),
        wanted,
        1e-9,
    );
    near(
        &format!("risk of {id}"),
        churn["risk"].as_f64().unwrap(),
        1.0 - wanted,
        1e-9,
    );
    let band = match 1.0 - wanted {
        risk if risk >= 0.7 => "high",
        risk if risk >= 0.4 => "medium",
        _ => "low",
    };
    assert_eq!(churn["band"], band, "{id}");
    let named = churn["model"].as_str().unwrap();
    assert!(
        named.starts_with(model) && named.contains("shipped"),
        "{named}"
    );
    assert_eq!(customer["as_of"], CLOCK, "{id}");
}

/// Everything that importing a log again must leave as it is.
async fn outcome(projections: &Projections) -> Vec<(String,)> {
    let query = "select md5(string_agg(t.row, e'\\n' order by t.row)) from (
            select format('customer %s', c) as row from $gen.customer c
            union all select format('membership %s', m) from $gen.membership m
            union all select format('change %s', c) from $gen.change c
            union all select format('digest %s', d) from $gen.digest d
            union all select format('counter %s', c) from $gen.counter c
            union all select format('timer %s', t) from $gen.timer t) t";
    projections.rows(query).await
}

async fn wait_until_evaluated_anew(projections: &Projections) {
    wait_for(SOON, "every customer to be evaluated anew", async || {
        let left = "select count(*) from $gen.customer where definition_version < 1";
        let left = projections.number(left).await;
        let open = projections
            .number("select count(*) from $gen.reevaluation where not done")
            .await;
        if left + open == 0 {
            Ok(())
        } else {
            Err(format!("{left} customers left"))
        }
    })
    .await;
}

/// The same file once more: the log grows by as much again.
async fn import_again(site: &Site) {
    let end = || {
        read::ends(site.kafka, &site.topic)
            .iter()
            .map(|(_, end)| end)
            .sum::<i64>()
    };
    let ended_at = end();
    import(site);
    assert_eq!(end(), 2 * ended_at);
    site.wait_until_folded(SOON).await;
}

#[tokio::test]
async fn every_customer_of_a_real_log_is_as_published_and_importing_it_again_changes_nothing() {
    // Given the sample tenant, and the purchase log imported up to the end of calibration
    let site = Site::new().await;
    site.define(&definitions("mbg_nbd"));
    import(&site);
    let processor = site.process(&["--clock", CLOCK]);
    site.wait_until_folded(SOON).await;
    let api = Arc::new(site.serve().await);
    let projections = site.projections().await;

    // Then each of the 2,357 customers has the published figures
    let published = published();
    let customers_now = customers(&api).await;
    assert_eq!(customers_now.len(), 2_357);
    assert_eq!(
        customers_now.keys().collect::<Vec<_>>(),
        published.keys().collect::<Vec<_>>()
    );
    for (id, customer) in &customers_now {
        assert_published(id, customer, &published[id], "mbg_nbd");
    }
    assert_eq!(
        published.values().map(|customer| customer.x).sum::<u32>(),
        2_457
    );
    let expected = Reference::of_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;

    // When the same file is imported again, then the log grows and nothing else changes
    let before = outcome(&projections).await;
    import_again(&site).await;
    assert_eq!(outcome(&projections).await, before);
    processor.terminate();

    // And when the processor comes back and the other model is asked for, its figures are there
    let processor = site.process(&["--clock", CLOCK]);
    site.define(&definitions("bg_nbd"));
    wait_until_evaluated_anew(&projections).await;
    for (id, customer) in &customers(&api).await {
        assert_published(id, customer, &published[id], "bg_nbd");
    }
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    processor.terminate();
}
