//! What a command says: answers on stdout, everything else on stderr.
//!
//! The log (see `telemetry`) is for operators; this is for whoever typed the command. A reader who
//! went away (`tidemark config show | head -1`) is no error.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

/// One line of the answer.
pub(crate) fn line(text: impl AsRef<str>) {
    ignore_closed(writeln!(io::stdout().lock(), "{}", text.as_ref()));
}

/// The answer for a program: one line of JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// A number with commas between its thousands.
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

/// Something the person should know that is not the answer.
pub(crate) fn note(text: impl AsRef<str>) {
    ignore_closed(writeln!(io::stderr().lock(), "{}", text.as_ref()));
}

/// Why the command failed, with every cause.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their cause in their own text, or its end at least.
        let end = cause.rsplit(": ").next().unwrap_or_default();
        if !text.contains(end) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    note(format!("error: {text}"));
}

/// What clap has to say: help and versions on stdout, complaints on stderr.
pub(crate) fn complaint(complaint: &clap::Error) -> ExitCode {
    ignore_closed(complaint.print());
    if complaint.use_stderr() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

fn ignore_closed(result: io::Result<()>) {
    // There is nowhere left to say that saying failed.
    drop(result);
}
