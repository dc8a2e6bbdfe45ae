//! The measurements of both systems, as a table and as JSON.

use serde_json::{Value, json};

use super::{Course, Measurements, Run};
use crate::measure::arguments::Size;

const MIB: u64 = 1024 * 1024;

impl Measurements {
    /// Returns the mean over rounds.
    fn mean(runs: &[Run], of: impl Fn(&Course) -> f64) -> f64 {
        let rounds = u32::try_from(runs.len()).unwrap();
        runs.iter().map(|run| of(&run.course)).sum::<f64>() / f64::from(rounds)
    }

    fn peak(runs: &[Run]) -> u64 {
        runs.iter().map(|run| run.peak_rss_bytes).max().unwrap()
    }

    /// Prints a table.
    pub(super) fn print(&self) {
        row("", "Tidemark", "Kafka Streams", "ours by theirs");
        for (what, of) in PARTS {
            let (ours, theirs) = (Self::mean(&self.ours, of), Self::mean(&self.theirs, of));
            row(what, &rate(ours), &rate(theirs), &ratio(ours, theirs));
            for (round, (ours, theirs)) in self.ours.iter().zip(&self.theirs).enumerate() {
                let (ours, theirs) = (of(&ours.course), of(&theirs.course));
                let what = format!("  round {}", round + 1);
                row(&what, &rate(ours), &rate(theirs), &ratio(ours, theirs));
            }
        }
        let (ours, theirs) = (Self::peak(&self.ours), Self::peak(&self.theirs));
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let by = ratio(ours as f64, theirs as f64);
        row("memory, most resident", &mib(ours), &mib(theirs), &by);
        if let Some([ours, theirs]) = self.delays {
            for (what, ours, theirs) in [
                ("published to row, p50", ours.p50_ms, theirs.p50_ms),
                ("published to row, p99", ours.p99_ms, theirs.p99_ms),
            ] {
                let ms = |value: f64| format!("{value:.0} ms");
                row(what, &ms(ours), &ms(theirs), &ratio(ours, theirs));
            }
        }
        let (ours, theirs) = (self.our_lines, self.their_lines);
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let by = ratio(ours as f64, theirs as f64);
        row(
            "lines to write",
            &ours.to_string(),
            &theirs.to_string(),
            &by,
        );
        let same = self.agreements[0];
        println!(
            "The same in every round: {} customers (state byte for byte), {} memberships, \
             {} positions, {} sizes.",
            same.customers, same.memberships, same.positions, same.counters
        );
    }

    /// Returns one JSON object.
    pub(super) fn json(&self, size: &Size) -> Value {
        let mut object = json!({
            "customers": size.customers,
            "rounds": self.ours.len(),
            "ours_peak_rss_bytes": Self::peak(&self.ours),
            "theirs_peak_rss_bytes": Self::peak(&self.theirs),
            "ours_lines": self.our_lines,
            "theirs_lines": self.their_lines,
            "customers_agreed": self.agreements[0].customers,
            "memberships_agreed": self.agreements[0].memberships,
            "positions_agreed": self.agreements[0].positions,
            "sizes_agreed": self.agreements[0].counters,
            "ours_visible_p99_ms": self.delays.map(|[ours, _]| ours.p99_ms.round()),
            "theirs_visible_p99_ms": self.delays.map(|[_, theirs]| theirs.p99_ms.round()),
        });
        let names = ["load_", "live_", ""];
        for ((_, of), name) in PARTS.into_iter().zip(names) {
            let (ours, theirs) = (Self::mean(&self.ours, of), Self::mean(&self.theirs, of));
            object[format!("ours_{name}events_per_second")] = json!(ours.round());
            object[format!("theirs_{name}events_per_second")] = json!(theirs.round());
            object[format!("{name}ratio")] = json!((ours / theirs * 100.0).round() / 100.0);
        }
        object
    }
}

type Part = (&'static str, fn(&Course) -> f64);

const PARTS: [Part; 3] = [
    ("histories, events a second", |course| course.load),
    ("what came next", |course| course.live),
    ("both together", |course| course.whole),
];

fn row(what: &str, ours: &str, theirs: &str, by: &str) {
    println!("{what:<28}{ours:>14}{theirs:>16}{by:>16}");
}

fn rate(value: f64) -> String {
    format!("{value:.0}/s")
}

fn ratio(ours: f64, theirs: f64) -> String {
    format!("{:.2}", ours / theirs)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / MIB)
}
