//! Why a broker does not let a client in, in the words of whoever must change a setting.
//!
//! librdkafka tells the caller no more than "Broker transport failure"; the reason is only in its
//! log and in its error events. [`Heard`] keeps the last of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;

/// Said of the client itself, not of a broker.
const NOT_A_REASON: &str = "brokers are down";

/// Settings by the words of a reason that speak of them: the first that fits.
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

/// A context that keeps the last complaint of its client.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Option<String>>);

/// How often, and how long each time, a client is given the word.
const LISTEN: (u32, Duration) = (20, Duration::from_millis(50));

/// An error of a client with what it has to say about it, and which setting to look at. Blocks for
/// up to a second: what a client says waits in its queue until somebody asks.
pub fn explain(consumer: &BaseConsumer<Heard>, error: &KafkaError) -> String {
    let (times, moment) = LISTEN;
    for _ in 0..times {
        drop(consumer.poll(moment));
        if let Some(reason) = consumer.context().last() {
            return format!("{reason}{}", advice(&reason));
        }
    }
    error.to_string()
}

impl Heard {
    fn last(&self) -> Option<String> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }

    fn hear(&self, reason: &str) {
        if !reason.contains(NOT_A_REASON) {
            let reason = without_prefix(reason).to_owned();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        }
    }
}

impl ClientContext for Heard {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(?level, facility, "librdkafka: {text}");
        if facility == "FAIL" {
            self.hear(text);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
        self.hear(reason);
    }
}

impl ConsumerContext for Heard {}

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

/// Where to look, in brackets.
fn advice(reason: &str) -> String {
    SETTINGS
        .iter()
        .find(|(words, _)| reason.contains(words))
        .map_or_else(String::new, |(_, setting)| {
            format!(" (see kafka.properties: {setting})")
        })
}
