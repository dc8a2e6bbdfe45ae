//! Progress of long work: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// The time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress of work whose total may be unknown.
pub(crate) struct Progress {
    bar: ProgressBar,
    noun: &'static str,
    count: u64,
    last_line: Instant,
    on_terminal: bool,
}

impl Progress {
    /// Begins to count items called `noun`, with the total size of the input where known.
    pub(crate) fn start(noun: &'static str, total_bytes: Option<u64>) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = match total_bytes {
            Some(bytes) => ProgressBar::new(bytes)
                .with_style(style("{bar:30} {percent}% {msg} {per_sec:.dim} eta {eta}")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}")),
        };
        if !on_terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self {
            bar,
            noun,
            count: 0,
            last_line: Instant::now(),
            on_terminal,
        }
    }

    /// Counts one more item, with the bytes of input read so far.
    pub(crate) fn advance(&mut self, bytes_read: u64) {
        self.count += 1;
        if !self.count.is_multiple_of(500) {
            return;
        }
        self.bar.set_position(bytes_read);
        self.bar
            .set_message(format!("{} {}", self.count, self.noun));
        if !self.on_terminal && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            output::note(format!("{} {} so far", self.count, self.noun));
        }
    }

    /// Begins to count up to a known number of items.
    pub(crate) fn towards(noun: &'static str, total: u64) -> Self {
        let progress = Self::start(noun, Some(total));
        progress
            .bar
            .set_style(style("{bar:30} {percent:>3} %  {msg}  eta {eta}"));
        progress
    }

    /// Begins work that has no end.
    pub(crate) fn endless() -> Self {
        Self::start("", None)
    }

    /// Sets the number of items done of the known total.
    pub(crate) fn reach(&mut self, count: u64) {
        self.bar.set_position(count);
        let total = self.bar.length().unwrap_or(count);
        let (count, total) = (output::grouped(count), output::grouped(total));
        self.update(format!("{count} of {total} {}", self.noun));
    }

    /// Replaces the text beside the bar.
    pub(crate) fn update(&mut self, text: String) {
        if !self.on_terminal && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            output::note(&text);
        }
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// Prints a note without breaking the bar.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| output::note(text));
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
