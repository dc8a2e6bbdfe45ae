//! The live stream: customers who go on living by the wall clock.

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

/// A stream about to flow.
pub(super) struct Live {
    sink: EventSink,
    pause: Duration,
}

impl Live {
    /// Connects. So many customers a second do something.
    pub(super) async fn start(config: &Config, visits_per_second: u32) -> anyhow::Result<Self> {
        Ok(Self {
            sink: EventSink::connect(config, true).await?,
            pause: Duration::from_secs(1) / visits_per_second,
        })
    }

    /// Publishes what happens until the demo has ended, and says how it ended.
    pub(super) async fn run(
        self,
        simulation: Simulation,
        ended: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        output::line("\nLive: customers go on by the wall clock. Ctrl-C stops it.");
        let stop = CancellationToken::new();
        let told = stop.clone();
        let mut flowing = tokio::task::spawn_blocking(move || self.flow(simulation, &told));
        let ended = tokio::select! {
            ended = ended => ended,
            flowed = &mut flowing => return flowed.context("the live stream panicked")?,
        };
        stop.cancel();
        let flowed = flowing.await.context("the live stream panicked")?;
        ended.and(flowed)
    }

    /// Blocks until told to stop.
    fn flow(mut self, mut simulation: Simulation, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut progress = Progress::endless();
        let begun = Stopwatch::now();
        let mut sent = 0_u32;
        let mut last = String::new();
        while !stop.is_cancelled() {
            let now = WallClock::System.now();
            simulation.stir(now);
            for event in simulation.until(now) {
                sent += 1;
                if let Err(undelivered) = self.sink.publish(u64::from(sent), &event)? {
                    progress.say(format!("not published: {}", undelivered.reason));
                }
                last = describe(&event);
            }
            let rate = f64::from(sent) / begun.elapsed().as_secs_f64();
            progress.tell(format!(
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
