//! The log: one line for each event, as text or JSON, on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat, color_is_unwanted};
use crate::failure::Usage;

/// The kind of command, which decides the default filter of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A long-running service, whose log is for operators.
    Service,
    /// The demo, without the warning that its embedded broker has no append times.
    Demo,
    /// A command that ends by itself and prints its own output.
    Tool,
}

/// Starts logging.
pub(crate) fn start(log: &Log, audience: Audience) -> Result<(), Usage> {
    let default = match audience {
        Audience::Service => "info,librdkafka=warn,rdkafka=warn",
        Audience::Demo => {
            "warn,librdkafka=off,rdkafka=off,sqlx=error,tidemark_processor::intake=error"
        }
        // A statement that is slow is warned of with its text, which is no output of a command.
        Audience::Tool => "warn,librdkafka=off,rdkafka=off,sqlx=error",
    };
    let directives = log.filter.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| Usage::new(format!("log.filter `{directives}`: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal() && !color_is_unwanted();
            builder.with_ansi(ansi).try_init()
        }
    };
    // A second start happens only in tests; the first log stays.
    drop(started);
    Ok(())
}
