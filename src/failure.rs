//! How a command fails, and with which exit code.

use std::process::ExitCode;

/// The command line or the configuration is wrong, and nothing was attempted: exit code 2.
/// Every other error is exit code 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Usage {
    message: String,
}

impl Usage {
    /// Says what is wrong with the command line or the configuration.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// The exit code that says what became of a command.
pub(crate) fn exit_code(result: &anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref::<Usage>().is_some() => ExitCode::from(2),
        Err(_) => ExitCode::FAILURE,
    }
}

/// The name among `known` that `given` was most likely meant to be.
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
