//! The retention of topics: the log is what everything is rebuilt from, so its topics must keep their
//! records for good.

use std::fmt;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::{ANSWER_WITHIN, KafkaConfig};
use crate::error::ConnectError;

/// The settings of a topic that keeps its records for good, and their values.
const FOR_GOOD: [(&str, &str); 2] = [("retention.ms", "-1"), ("retention.bytes", "-1")];
const POLICY: &str = "cleanup.policy";
const MILLIS_PER_DAY: i64 = 86_400_000;

/// The retention of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The topic.
    pub topic: String,
    /// The settings by which it loses records, each as `name=value`; empty if it loses none.
    pub limits: Vec<String>,
    /// The time for which it keeps a record, in milliseconds; `None` if there is no such limit.
    pub millis: Option<i64>,
}

impl Retention {
    /// Returns whether the topic loses records.
    pub fn is_limited(&self) -> bool {
        !self.limits.is_empty()
    }

    fn from_entries<'e>(topic: &str, value: impl Fn(&str) -> Option<&'e str>) -> Self {
        let (mut limits, mut millis) = (Vec::new(), None);
        let policy = value(POLICY).unwrap_or("delete");
        if policy.contains("compact") {
            limits.push(format!("{POLICY}={policy}"));
        }
        if policy.contains("delete") {
            let kept_for = value("retention.ms").and_then(|value| value.parse().ok());
            millis = kept_for.filter(|millis| *millis >= 0);
            for (name, kept) in FOR_GOOD {
                if let Some(limit) = value(name).filter(|limit| *limit != kept) {
                    limits.push(format!("{name}={limit}{}", in_days(name, limit)));
                }
            }
        }
        Self {
            topic: topic.to_owned(),
            limits,
            millis,
        }
    }
}

fn in_days(name: &str, limit: &str) -> String {
    let days = limit.parse::<i64>().map(|millis| millis / MILLIS_PER_DAY);
    match days {
        Ok(days) if name == "retention.ms" && days > 0 => format!(", {days} days"),
        _ => String::new(),
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_limited() {
            return write!(f, "topic {} keeps its records for good", self.topic);
        }
        write!(
            f,
            "topic {} loses records ({}), and projections cannot be folded again from what is lost: \
             set cleanup.policy=delete, retention.ms=-1 and retention.bytes=-1 with \
             `kafka-configs.sh --alter --entity-type topics --entity-name {}`",
            self.topic,
            self.limits.join("; "),
            self.topic
        )
    }
}

/// Returns the retention of the topics of events and of definitions, as far as they exist; `None` if
/// the broker, like the embedded one, has no settings of topics.
pub async fn check(kafka: &KafkaConfig) -> Result<Option<Vec<Retention>>, ConnectError> {
    let admin: AdminClient<DefaultClientContext> = kafka
        .client()
        .create()
        .map_err(ConnectError::from_creation)?;
    let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN));
    let mut checked = Vec::new();
    for topic in [&kafka.topic, &kafka.definitions_topic] {
        let resource = [ResourceSpecifier::Topic(topic)];
        let described = match admin.describe_configs(&resource, &options).await {
            Ok(described) => described,
            Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature)) => return Ok(None),
            Err(error) => return Err(refused(topic, &error)),
        };
        for found in described {
            match found {
                Ok(found) => checked.push(retention(topic, &found)),
                Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                }
                Err(RDKafkaErrorCode::UnsupportedFeature) => return Ok(None),
                Err(code) => return Err(refused(topic, &code)),
            }
        }
    }
    Ok(Some(checked))
}

fn retention(topic: &str, found: &ConfigResource) -> Retention {
    Retention::from_entries(topic, |name| found.get(name)?.value.as_deref())
}

fn refused(topic: &str, reason: &dyn fmt::Display) -> ConnectError {
    ConnectError::Topic {
        topic: topic.to_owned(),
        reason: format!("its retention cannot be read: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(settings: &[(&str, &'static str)], expected: &[&str]) {
        let value = |name: &str| {
            let mut settings = settings.iter();
            settings
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        assert_eq!(Retention::from_entries("t", value).limits, expected);
    }

    #[test]
    fn limits_are_named_with_their_values() {
        let kept = ("retention.ms", "-1");
        let all = ("retention.bytes", "-1");
        check(&[("cleanup.policy", "delete"), kept, all], &[]);
        check(
            &[
                ("cleanup.policy", "delete"),
                ("retention.ms", "604800000"),
                all,
            ],
            &["retention.ms=604800000, 7 days"],
        );
        check(
            &[
                ("cleanup.policy", "compact,delete"),
                kept,
                ("retention.bytes", "5"),
            ],
            &["cleanup.policy=compact,delete", "retention.bytes=5"],
        );
        check(
            &[("cleanup.policy", "compact"), ("retention.ms", "5"), all],
            &["cleanup.policy=compact"],
        );
    }
}
