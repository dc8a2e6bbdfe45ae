//! The log: one line per fact, as text or JSON, on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat, color_is_unwanted};
use crate::failure::Usage;

/// Who reads the log of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A long-running service: its operators want to know what it does.
    Service,
    /// The demo: its embedded broker is known to keep no times of its own.
    Demo,
    /// A command that ends by itself: it says what it has to say by itself.
    Tool,
}

/// Starts logging.
pub(crate) fn start(log: &Log, audience: Audience) -> Result<(), Usage> {
    let default = match audience {
        Audience::Service => "info,librdkafka=warn,rdkafka=warn",
        Audience::Demo => "warn,librdkafka=off,rdkafka=off,tidemark_processor::intake=error",
        Audience::Tool => "warn,librdkafka=off,rdkafka=off",
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
    // A second start happens only in tests, where the first one's log serves as well.
    drop(started);
    Ok(())
}
