//! The live stream: the simulation continues by the wall clock.

use std::future::Future;
use std::time::{Duration, Instant as Stopwatch};

use anyhow::Context as _;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::CustomerEvent;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::generate::Simulation;
use crate::kafka::events::EventSink;
use crate::output;
use crate::progress::Progress;

/// A stream of live events, connected to the broker.
pub(super) struct Live {
    sink: EventSink,
    pause: Duration,
}

impl Live {
    /// Connects; the stream has so many visits of customers a second.
    pub(super) async fn start(config: &Config, visits_per_second: u32) -> anyhow::Result<Self> {
        Ok(Self {
            sink: EventSink::connect(config, true).await?,
            pause: Duration::from_secs(1) / visits_per_second,
        })
    }

    /// Publishes events until the demo ends, and returns how it ended.
    pub(super) async fn run(
        self,
        simulation: Simulation,
        ended: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        output::line("\nLive: the simulation continues by the wall clock. Press Ctrl-C to stop.");
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let mut stream = tokio::task::spawn_blocking(move || self.publish(simulation, &stopped));
        let ended = tokio::select! {
            ended = ended => ended,
            published = &mut stream => return published.context("the live stream panicked")?,
        };
        stop.cancel();
        let published = stream.await.context("the live stream panicked")?;
        ended.and(published)
    }

    /// Publishes events until `stop`. Blocks.
    fn publish(
        mut self,
        mut simulation: Simulation,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut progress = Progress::endless();
        let begun = Stopwatch::now();
        let mut sent = 0_u32;
        let mut last = String::new();
        while !stop.is_cancelled() {
            let now = WallClock::System.now();
            simulation.trigger(now);
            for event in simulation.run_until(now) {
                sent += 1;
                if let Err(undelivered) = self.sink.publish(u64::from(sent), &event)? {
                    progress.note(format!("not published: {}", undelivered.reason));
                }
                last = describe(&event);
            }
            let rate = f64::from(sent) / begun.elapsed().as_secs_f64();
            progress.update(format!(
                "{sent} live events, {rate:.1} a second; last: {last}"
            ));
            std::thread::sleep(self.pause);
        }
        progress.finish();
        let deliveries = self.sink.finish();
        output::line(format!(
            "{} live events published in {:.0} s.",
            deliveries.delivered,
            begun.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}

fn describe(event: &CustomerEvent) -> String {
    format!(
        "{} {} {}",
        event.tenant_id,
        event.customer_id,
        event.payload.kind().as_str()
    )
}
