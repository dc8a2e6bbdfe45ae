//! The measurements, as a table and as JSON.

use serde_json::{Value, json};

use super::api::ApiMeasurements;
use super::live::Run;
use super::micro::Micro;
use super::visible::Delay;

/// The measurements of a run.
pub(crate) struct Measurements {
    pub(crate) micro: Micro,
    pub(crate) load_events_per_second: f64,
    pub(crate) uniform: Uniform,
    pub(crate) zipf_events_per_second: f64,
    pub(crate) state_bytes: f64,
    pub(crate) delay: Delay,
    pub(crate) api: Option<ApiMeasurements>,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) memory_budget_bytes: u64,
    pub(crate) customers: u32,
}

/// The processor on customers drawn uniformly, and its yardsticks.
pub(crate) struct Uniform {
    pub(crate) run: Run,
    /// Yardstick (a), in records per second.
    pub(crate) consume_only_events_per_second: f64,
    /// Yardstick (b), in rows per second.
    pub(crate) upsert_only_rows_per_second: f64,
    pub(crate) rows_per_batch: f64,
}

impl Measurements {
    fn uniform_ratio(&self) -> f64 {
        self.uniform.run.events_per_second / self.uniform.upsert_only_rows_per_second
    }

    fn zipf_ratio(&self) -> f64 {
        self.zipf_events_per_second / self.uniform.upsert_only_rows_per_second
    }

    /// Returns one JSON object.
    pub(crate) fn json(&self) -> Value {
        json!({
            "fold_events_per_second": self.micro.fold_events_per_second.round(),
            "decode_events_per_second": self.micro.decode_events_per_second.round(),
            "live_uniform_ratio": hundredths(self.uniform_ratio()),
            "live_zipf_ratio": hundredths(self.zipf_ratio()),
            "live_events_per_second": self.uniform.run.events_per_second.round(),
            "live_zipf_events_per_second": self.zipf_events_per_second.round(),
            "load_events_per_second": self.load_events_per_second.round(),
            "consume_only_events_per_second": self.uniform.consume_only_events_per_second.round(),
            "upsert_only_rows_per_second": self.uniform.upsert_only_rows_per_second.round(),
            "rows_per_batch": self.uniform.rows_per_batch.round(),
            "api_cached_ratio": self.api.map(|api| hundredths(api.cached_ratio)),
            "api_cached_per_second": self.api.map(|api| api.cached_per_second.round()),
            "api_constant_per_second": self.api.map(|api| api.constant_per_second.round()),
            "api_uncached_p95_ms": self.api.map(|api| hundredths(api.uncached_p95_ms)),
            "visible_at_per_second": self.delay.per_second,
            "visible_p50_ms": self.delay.visible.p50_ms,
            "visible_p99_ms": self.delay.visible.p99_ms,
            "visible_kept_at_per_second": self.delay.kept_at_per_second,
            "visible_too_long_at_per_second": self.delay.too_long_at_per_second,
            "peak_rss_bytes": self.peak_rss_bytes,
            "memory_budget_bytes": self.memory_budget_bytes,
            "customers": self.customers,
            "state_bytes": self.state_bytes.round(),
        })
    }

    /// Prints a table.
    pub(crate) fn print(&self) {
        let rate = |value: f64| format!("{value:.0}/s");
        let mib = |bytes: u64| format!("{} MiB", bytes / 1024 / 1024);
        row("", "measured", "must reach");
        row(
            "fold, a core",
            &rate(self.micro.fold_events_per_second),
            "2000000/s",
        );
        row(
            "decode directly, a core",
            &rate(self.micro.decode_events_per_second),
            "1500000/s",
        );
        row(
            "(a) consume only",
            &rate(self.uniform.consume_only_events_per_second),
            "",
        );
        row(
            "(b) upsert only, rows",
            &rate(self.uniform.upsert_only_rows_per_second),
            "",
        );
        row("histories loaded", &rate(self.load_events_per_second), "");
        row(
            "live, uniform",
            &rate(self.uniform.run.events_per_second),
            "",
        );
        row("  by (b)", &format!("{:.2}", self.uniform_ratio()), "0.7");
        row("live, Zipf", &rate(self.zipf_events_per_second), "");
        row("  by (b)", &format!("{:.2}", self.zipf_ratio()), "above 1");
        let visible = format!("{:.0} ms", self.delay.visible.p99_ms);
        row("visible at half of live, p99", &visible, "100 ms");
        let kept = rate(self.delay.kept_at_per_second.into());
        row("  p99 within 250 ms up to", &kept, "");
        if let Some(api) = &self.api {
            row("API, constant answer", &rate(api.constant_per_second), "");
            row("API, cached answer", &rate(api.cached_per_second), "");
            row("  by constant", &format!("{:.2}", api.cached_ratio), "0.5");
            let uncached = format!("{:.2} ms", api.uncached_p95_ms);
            row("API, one customer read, p95", &uncached, "5 ms");
        }
        let most = format!("{} + 100 MiB", mib(self.memory_budget_bytes));
        row("memory, most resident", &mib(self.peak_rss_bytes), &most);
    }
}

fn row(what: &str, measured: &str, target: &str) {
    println!("{what:<28}{measured:>16}{target:>22}");
}

fn hundredths(ratio: f64) -> f64 {
    (ratio * 100.0).round() / 100.0
}
