//! Output of commands: results on stdout, everything else on stderr.
//!
//! The log (see `telemetry`) is for operators of services; this output is for the user of a command.
//! A closed pipe (`tidemark config show | head -1`) is no error.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

/// Prints one line of the result.
pub(crate) fn line(text: impl AsRef<str>) {
    ignore_closed(writeln!(io::stdout().lock(), "{}", text.as_ref()));
}

/// Prints the result as one line of JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// Formats a number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Prints a note to stderr.
pub(crate) fn note(text: impl AsRef<str>) {
    ignore_closed(writeln!(io::stderr().lock(), "{}", text.as_ref()));
}

/// Prints an error with all its causes to stderr.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat the text of their cause, or the end of it.
        let end = cause.rsplit(": ").next().unwrap_or_default();
        if !text.contains(end) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    note(format!("error: {text}"));
}

/// Prints the message of clap: help and version on stdout, errors on stderr.
pub(crate) fn complaint(complaint: &clap::Error) -> ExitCode {
    ignore_closed(complaint.print());
    if complaint.use_stderr() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

fn ignore_closed(result: io::Result<()>) {
    // An error that cannot be printed cannot be reported either.
    drop(result);
}
