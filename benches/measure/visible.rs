//! The delay from publishing an event to a response of the read API, under a steady stream: at half of
//! the rate at which the same run folded live events, and the rate at which its p99 becomes too long.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::arguments::Size;
use super::site::{Child, Place, Servers};
use super::stream::{self, Stream, Visible};

/// The time for joining the group and folding the backlog.
const WARM_UP: Duration = Duration::from_secs(15);
/// The time of the measurement at half of the rate.
const MEASURED: Duration = Duration::from_secs(30);
/// The time of each step beyond it, and the time at its beginning that does not count.
const STEP: Duration = Duration::from_secs(15);
const BEGINNING: Duration = Duration::from_secs(3);
/// The steps, in percent of the rate of live events.
const STEPS: [u32; 8] = [60, 70, 80, 90, 100, 110, 120, 130];
const TOO_LONG_MS: f64 = 250.0;

/// The delay by rate.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Delay {
    /// Half of the rate of live events.
    pub(crate) per_second: u32,
    pub(crate) visible: Visible,
    /// The first step at which the p99 was longer than a quarter of a second; `None`: at no step.
    pub(crate) too_long_at_per_second: Option<u32>,
    /// The last step at which it was not.
    pub(crate) kept_at_per_second: u32,
}

/// Publishes beside a processor and an API, which have folded so many live events a second.
pub(crate) async fn measure(
    servers: &Servers,
    place: &Place,
    size: &Size,
    live_per_second: f64,
) -> Delay {
    let mut processor = Child::start(place, size.memory_mib, &["process"]);
    let (api, address) = stream::serve(place, size.memory_mib, &mut processor).await;
    let mut stream = Stream::new(servers, place, size, address).await;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate"
    )]
    let live = live_per_second as u32;
    let per_second = live / 2;
    stream.run_for(per_second, WARM_UP).await;
    stream.probes().await;
    stream.run_for(per_second, MEASURED).await;
    let visible = stream::visible(&stream.probes().await, None, None);
    eprintln!("at {per_second}/s: {visible:?}");
    let mut delay = Delay {
        per_second,
        visible,
        too_long_at_per_second: (visible.p99_ms > TOO_LONG_MS).then_some(per_second),
        kept_at_per_second: per_second,
    };
    for percent in STEPS {
        if delay.too_long_at_per_second.is_some() {
            break;
        }
        let per_second = live / 100 * percent;
        let from = Instant::now() + BEGINNING;
        stream.run_for(per_second, STEP).await;
        let visible = stream::visible(&stream.probes().await, Some(from), None);
        eprintln!("at {per_second}/s: {visible:?}");
        if visible.p99_ms > TOO_LONG_MS {
            delay.too_long_at_per_second = Some(per_second);
        } else {
            delay.kept_at_per_second = per_second;
        }
    }
    stream.finish();
    processor.terminate();
    api.terminate();
    delay
}
