//! Topics that lose records: the log is what everything is folded from.

use std::time::Duration;

use serde_json::Value;

use crate::support::ports::free_port;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);

/// Limits the retention of both topics, of each in another way. Returns what is to be said of them.
async fn limit_retention(site: &Site) -> [String; 2] {
    let week = [("retention.ms", "604800000")];
    site.kafka.alter_topic(&site.topic, &week).await;
    let compacted = [("cleanup.policy", "compact"), ("retention.ms", "-1")];
    let definitions = &site.definitions_topic;
    site.kafka.alter_topic(definitions, &compacted).await;
    [
        format!(
            "topic {} loses records (retention.ms=604800000, 7 days)",
            site.topic
        ),
        format!("topic {definitions} loses records (cleanup.policy=compact)"),
    ]
}

#[tokio::test]
async fn limited_retention_is_refused_by_migrate_and_said_by_process_and_status() {
    // Given topics of which one has Kafka's default of seven days, and the other is compacted
    let site = Site::new().await;
    let named = limit_retention(&site).await;

    // Then `migrate` refuses them, unless that is accepted
    let refused = site.run(&["migrate"]);
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{errors}");
    for expected in named
        .iter()
        .map(String::as_str)
        .chain(["--accept-retention"])
    {
        assert!(errors.contains(expected), "{expected:?} is not in {errors}");
    }
    let accepted = site.run(&["migrate", "--accept-retention"]);
    assert!(accepted.status.success(), "{accepted:?}");

    // And a processor logs them and shows them as a metric
    let port = free_port();
    let processor = site.member("processor", port, &[]);
    wait_for(SOON, "the metric of both topics", async || {
        let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
        let text = answer.map_err(|error| error.to_string())?.text().await;
        let text = text.map_err(|error| error.to_string())?;
        let limited = |topic: &str| {
            text.contains(&format!(
                "tidemark_retention_limited{{topic=\"{topic}\"}} 1"
            ))
        };
        if limited(&site.topic) && limited(&site.definitions_topic) {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
    for expected in &named {
        assert!(processor.log().contains(expected), "{}", processor.log());
    }

    // And so does `status`
    let status = site.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let said = status["retention"].as_array().unwrap();
    assert_eq!(said.len(), 2, "{status}");
    let text = String::from_utf8(site.run(&["status"]).stdout).unwrap();
    for expected in &named {
        assert!(text.contains(expected), "{text}");
    }
    processor.terminate();
}

#[tokio::test]
async fn topics_that_keep_their_records_are_accepted_without_a_word() {
    let site = Site::new().await;
    let migrated = site.run(&["migrate"]);
    assert!(migrated.status.success(), "{migrated:?}");
    assert_eq!(String::from_utf8(migrated.stderr).unwrap(), "");
}
