//! The files that are deployed beside the code: containers, alerts, the dashboard and the
//! documented metrics. Everything that they name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::prometheus::{Prometheus, tool};
use crate::support::up::{Up, tidemark};
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(3);

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap()
}

/// A metric with its type and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
}

/// Returns the metrics of the tables in docs/OPERATIONS.md: `name{label,label}` and a type.
fn documented() -> BTreeMap<String, Metric> {
    let text = read("docs/OPERATIONS.md");
    let mut metrics = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `tidemark_")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, names, kind, _, ..] = cells[..] else {
            panic!("expected a row of three cells: {line}")
        };
        let kind = kind.to_owned();
        if !["counter", "gauge", "histogram"].contains(&&*kind) {
            continue;
        }
        for name in names
            .split('`')
            .filter(|name| name.starts_with("tidemark_"))
        {
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels
                .filter(|label| !label.is_empty())
                .map(|label| label.trim().to_owned())
                .collect();
            let kind = kind.clone();
            let twice = metrics.insert(name.to_owned(), Metric { kind, labels });
            assert_eq!(twice, None, "{name} is documented twice");
        }
    }
    assert!(metrics.len() > 20, "the tables are missing: {metrics:?}");
    metrics
}

/// Returns every metric that the sources declare: a string literal with the common prefix.
fn declared() -> BTreeSet<String> {
    /// Names of roles, schemas and log targets have the prefix, too.
    const OTHERS: [&str; 7] = [
        "tidemark_api",
        "tidemark_owner",
        "tidemark_processor",
        "tidemark_projections",
        "tidemark_schemas",
        "tidemark_tenant",
        "tidemark_views",
    ];
    let mut found = BTreeSet::new();
    let mut folders = vec![project("processor/src"), project("api/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                found.extend(quoted_names(&text).map(str::to_owned));
            }
        }
    }
    found.retain(|name| !OTHERS.contains(&name.as_str()));
    found
}

fn quoted_names(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').filter(|part| {
        part.starts_with("tidemark_")
            && part
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
    })
}

/// Returns the metrics in a scrape of a running `up`.
fn exported(text: &str) -> BTreeMap<String, Metric> {
    let mut metrics = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(declaration) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declaration.split_once(' ').unwrap();
            let labels = BTreeSet::new();
            let kind = kind.to_owned();
            name.clone_into(&mut current);
            metrics.insert(current.clone(), Metric { kind, labels });
        } else if let Some((_, rest)) = line.split_once('{') {
            let labels = rest.split(',').filter_map(|label| label.split_once("=\""));
            let labels = labels
                .map(|(label, _)| label.to_owned())
                .filter(|label| label != "le");
            metrics.get_mut(&current).unwrap().labels.extend(labels);
        }
    }
    metrics.retain(|name, _| name.starts_with("tidemark_"));
    metrics
}

#[tokio::test]
async fn documented_metrics_equal_the_exported_ones() {
    let documented = documented();
    let names: BTreeSet<String> = documented.keys().cloned().collect();
    assert_eq!(names, declared(), "left: documents, right: sources");

    let up = Up::start_as(&["demo", "--customers", "5"]);
    let url = up.json()["metrics_url"].as_str().unwrap().to_owned();
    let exported = wait_for(SOON, "the API to export metrics", async || {
        let json = up.json();
        let token = json["tokens"]["fernway"]["viewer"].as_str().unwrap();
        up.get(token, "/v1/segments").await;
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        let exported = exported(&text);
        let counted = exported.contains_key("tidemark_api_requests_total");
        counted.then_some(exported).ok_or(text)
    })
    .await;
    for (name, metric) in exported {
        assert_eq!(documented.get(&name), Some(&metric), "{name}");
    }
}

/// Returns every query of the dashboard with the title of its panel.
fn board() -> Vec<(String, String)> {
    let board: Value =
        serde_json::from_str(&read("deploy/grafana/dashboards/tidemark.json")).unwrap();
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "tidemark-prometheus");
            let title = panel["title"].as_str().unwrap().to_owned();
            queries.push((title, target["expr"].as_str().unwrap().to_owned()));
        }
    }
    assert!(queries.len() > 20, "{queries:?}");
    assert!(
        read("deploy/grafana/provisioning/datasources/prometheus.yml")
            .contains("uid: tidemark-prometheus")
    );
    queries
}

/// Returns the names of metrics in queries and alerts; the parts of a histogram give its own name.
fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| letter != '_' && !letter.is_ascii_lowercase())
        .filter(|word| word.starts_with("tidemark_"))
        .map(|word| {
            let part = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| word.strip_suffix(part));
            part.unwrap_or(word).to_owned()
        })
        .collect()
}

#[test]
fn dashboard_and_alerts_use_existing_metrics() {
    let documented = documented();
    let mut used = metrics_in(&read("deploy/prometheus/alerts.yml"));
    used.extend(metrics_in(&read("deploy/prometheus/alerts.test.yml")));
    for (_, query) in board() {
        used.extend(metrics_in(&query));
    }
    let unknown: Vec<_> = used
        .iter()
        .filter(|name| !documented.contains_key(*name))
        .collect();
    assert!(
        unknown.is_empty(),
        "metrics that no process exports: {unknown:?}"
    );
}

#[test]
fn alerts_fire_at_their_thresholds_and_not_before() {
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "alerts.test.yml"],
    ] {
        let output = Command::new(tool("promtool"))
            .args(arguments)
            .current_dir(project("deploy/prometheus"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}

/// Asserts, with a real Prometheus that scrapes a real run, that every query of the dashboard
/// returns data, except those about faults that did not occur, and that every rule can be
/// evaluated.
#[tokio::test]
async fn dashboard_queries_return_data_from_a_real_prometheus() {
    let demo = Up::start_as(&["demo", "--customers", "10", "--rate", "20"]);
    let json = demo.json();
    let target = reqwest::Url::parse(json["metrics_url"].as_str().unwrap()).unwrap();
    let prometheus =
        Prometheus::start(target.authority(), &project("deploy/prometheus/alerts.yml"));
    let token = json["tokens"]["fernway"]["viewer"].as_str().unwrap();
    wait_for(SOON, "rates of folded events and requests", async || {
        demo.get(token, "/v1/segments").await;
        for query in [
            "tidemark_events_folded_total",
            "tidemark_api_requests_total",
        ] {
            let rate = format!("sum(rate({query}[1m])) > 0");
            if prometheus.query(&rate).await?.is_empty() {
                return Err(format!("no {rate}"));
            }
        }
        Ok(())
    })
    .await;
    for (title, query) in board() {
        let found = prometheus.query(&query).await.unwrap();
        let of_faults = [
            "tidemark_events_forwarded_total",
            "tidemark_events_parked_total",
            "tidemark_waits_total",
        ];
        let may_be_empty = of_faults.iter().any(|name| query.contains(name));
        assert!(
            may_be_empty || !found.is_empty(),
            "{title}: no data for {query}"
        );
    }
    let rules = wait_for(SOON, "every rule to be evaluated", async || {
        let rules = prometheus.rules().await?;
        let known = rules.iter().all(|rule| rule["health"] != "unknown");
        known.then_some(rules).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    assert!(rules.len() >= 10, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

/// Asserts that the variables of the composed services are configuration keys, and that values
/// given in two places agree.
#[test]
fn container_configuration_matches_the_binary() {
    let compose = read("docker-compose.yml");
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "a secret of at least thirty-two bytes").unwrap();
    let mut command = tidemark(folder.path(), &["config", "show"]);
    let mut variables = 0;
    for line in compose.lines() {
        let Some((name, value)) = line.trim().split_once(": ") else {
            continue;
        };
        if name.starts_with("TIDEMARK_") {
            variables += 1;
            let value = if name.ends_with("_FILE") {
                secret.to_str().unwrap()
            } else {
                value
            };
            command.env(name, value);
        }
    }
    assert!(variables > 8, "only {variables} variables");
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");

    let pom = read("tests/kafka/pom.xml");
    let (_, rest) = pom.split_once("<kafka.version>").unwrap();
    let (version, _) = rest.split_once('<').unwrap();
    assert!(
        compose.contains(&format!("image: apache/kafka:{version}\n")),
        "the tests run version {version}"
    );
    assert!(compose.contains("create customer-events 12\n"));
    assert!(read("deploy/prometheus/alerts.yml").contains("sum(tidemark_partitions_owned) < 12\n"));
    for line in compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ./"))
    {
        let (path, _) = line.split_once(':').unwrap();
        assert!(
            project(path).exists(),
            "{path} is mounted but does not exist"
        );
    }
}
