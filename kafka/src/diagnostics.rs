//! The reason why a broker refuses a client, with the setting to look at.
//!
//! librdkafka returns no more than "Broker transport failure"; the reason is only in its log and in
//! its error events. [`LastError`] keeps the last of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;

/// The words of an error that concerns the client itself, not a broker.
const NOT_A_REASON: &str = "brokers are down";

/// The setting to look at, by words of the reason: the first that fits.
const SETTINGS: &[(&str, &str)] = &[
    (
        "invalid credentials",
        "sasl.username and sasl.password (or its file)",
    ),
    (
        "SASL authentication error",
        "sasl.mechanism, sasl.username and sasl.password",
    ),
    ("mechanism", "sasl.mechanism"),
    (
        "verify failed",
        "ssl.ca.location, and whether the broker's certificate names the host in \
         kafka.bootstrap_servers",
    ),
    (
        "alert",
        "ssl.certificate.location and ssl.key.location: the broker refuses our certificate, or \
         that there is none",
    ),
    (
        "APIVERSION_QUERY",
        "security.protocol: the listener does not understand us",
    ),
    (
        "security.protocol",
        "security.protocol: the listener speaks another",
    ),
    (
        "SSL handshake failed",
        "security.protocol: the listener may not speak TLS",
    ),
];

/// A client context that keeps the last error.
#[derive(Debug, Default)]
pub struct LastError(Mutex<Option<String>>);

/// The number of polls for a reason, and the duration of each.
const LISTEN: (u32, Duration) = (20, Duration::from_millis(50));

/// Returns the reason behind a client's error, and the setting to look at. Blocks for up to a
/// second: the client's error events wait in its queue until it is polled.
pub fn explain(consumer: &BaseConsumer<LastError>, error: &KafkaError) -> String {
    let (times, moment) = LISTEN;
    for _ in 0..times {
        drop(consumer.poll(moment));
        if let Some(reason) = consumer.context().last() {
            return format!("{reason}{}", advice(&reason));
        }
    }
    error.to_string()
}

impl LastError {
    fn last(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    fn keep(&self, reason: &str) {
        if !reason.contains(NOT_A_REASON) {
            let reason = without_prefix(reason).to_owned();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        }
    }
}

impl ClientContext for LastError {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(?level, facility, "librdkafka: {text}");
        if facility == "FAIL" {
            self.keep(text);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
        self.keep(reason);
    }
}

impl ConsumerContext for LastError {}

/// Lines of the log begin with the thread that wrote them, in brackets.
fn without_prefix(text: &str) -> &str {
    match text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
    {
        Some((_, rest)) => rest,
        None => text,
    }
}

/// Returns the setting to look at, in brackets.
fn advice(reason: &str) -> String {
    SETTINGS
        .iter()
        .find(|(words, _)| reason.contains(words))
        .map_or_else(String::new, |(_, setting)| {
            format!(" (see kafka.properties: {setting})")
        })
}
