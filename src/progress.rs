//! How far long work is: a bar on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress over a number of things that may not be known beforehand.
pub(crate) struct Progress {
    bar: ProgressBar,
    noun: &'static str,
    count: u64,
    last_line: Instant,
    on_terminal: bool,
}

impl Progress {
    /// Begins counting things called `noun`. `total` is in bytes of input, where known.
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

    /// One more, with the bytes of input read by now.
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

    /// Begins counting up to a number of things that is known.
    pub(crate) fn towards(noun: &'static str, total: u64) -> Self {
        let progress = Self::start(noun, Some(total));
        progress
            .bar
            .set_style(style("{bar:30} {percent:>3} %  {msg}  eta {eta}"));
        progress
    }

    /// Begins something that has no end.
    pub(crate) fn endless() -> Self {
        Self::start("", None)
    }

    /// So many of the known number by now.
    pub(crate) fn reach(&mut self, count: u64) {
        self.bar.set_position(count);
        let total = self.bar.length().unwrap_or(count);
        let (count, total) = (output::grouped(count), output::grouped(total));
        self.tell(format!("{count} of {total} {}", self.noun));
    }

    /// Replaces what stands beside the bar.
    pub(crate) fn tell(&mut self, text: String) {
        if !self.on_terminal && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            output::note(&text);
        }
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// Says something without breaking the bar.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| output::note(text));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
