//! Errors of commands and their exit codes.

use std::process::ExitCode;

use tidemark_kafka::ConnectError;

/// A wrong command line or configuration, reported before anything was done: exit code 2. Every other
/// error has exit code 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Usage {
    message: String,
}

impl Usage {
    /// Creates the error from its message.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// Returns the exit code of a command's result.
pub(crate) fn exit_code(result: &anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_usage(error) => ExitCode::from(2),
        Err(_) => ExitCode::FAILURE,
    }
}

fn is_usage(error: &anyhow::Error) -> bool {
    let property = matches!(error.downcast_ref(), Some(ConnectError::Property(_)));
    property || error.downcast_ref::<Usage>().is_some()
}

/// Returns the name among `known` that is most similar to `given`, if one is similar enough.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}
