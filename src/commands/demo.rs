//! `tidemark demo`: four sample tenants, six months of their customers' history, and a live stream.

mod live;
mod story;

use std::time::{Duration, Instant as Stopwatch};

use anyhow::{bail, ensure};
use tidemark_schemas::{CustomerEvent, Instant, TenantId};

use self::live::Live;
use self::story::Story;
use super::define;
use super::up::{Place, announce};
use crate::config::{Config, user_name};
use crate::database::Projections;
use crate::generate::{Industry, Scenario, Simulation};
use crate::kafka::events::EventSink;
use crate::output;
use crate::progress::Progress;
use crate::services::wall_clock;
use crate::up::stack::{Stack, StackOptions};

/// The length of the history.
const HISTORY_MICROS: i64 = 180 * 86_400_000_000;
/// The longest time without progress.
const STALL_TIMEOUT: Duration = Duration::from_mins(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark demo --once --json\n\n\
    Starts all parts in one process, as `tidemark up` does, defines a real-estate broker, a\n\
    software company, a shop and a bank, publishes six months of events of their simulated\n\
    customers, and continues the simulation by the wall clock until Ctrl-C. The same seed and\n\
    instant give the same history. For real data, see tidemark import --help")]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// End the history and fix the clock at this instant, without a live stream (RFC 3339)
    #[arg(long, value_name = "TIME")]
    clock: Option<Instant>,
    /// Customers of each tenant
    #[arg(long, value_name = "COUNT", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    customers: u32,
    /// Seed of the random numbers; another seed gives other customers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Visits of customers a second in the live stream
    #[arg(long, value_name = "VISITS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Print the summary when all events are folded, and exit
    #[arg(long)]
    once: bool,
    /// End the summary with one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let begun = Stopwatch::now();
    let tenants = Industry::ALL.map(|industry| TenantId::new(industry.tenant()));
    let options = StackOptions {
        data_dir: arguments.place.data_dir.clone(),
        port: arguments.place.port,
        partitions: arguments.place.partitions,
        kafka: None,
        registry: None,
        clock: arguments.clock,
        tenants: tenants.into_iter().collect::<Result<_, _>>()?,
        first_definitions: None,
    };
    output::note(
        "starting an embedded Kafka broker, a private Postgres, the processor and the API",
    );
    let mut stack = Stack::start(options, config).await?;
    let ended = play(&mut stack, &arguments, begun).await;
    if !arguments.once {
        output::note("stopping");
    }
    story::remove_headers(stack.data_dir());
    let stopped = stack.stop().await;
    ended.and(stopped)
}

/// Plays the demo, and ends it if a part fails.
async fn play(stack: &mut Stack, arguments: &Arguments, begun: Stopwatch) -> anyhow::Result<()> {
    let config = stack.config.clone();
    let (simulation, mut story) = tokio::select! {
        // An interrupt too ends the demo before its summary.
        ended = stack.watch() => return ended,
        filled = Box::pin(fill(&config, arguments)) => filled?,
    };
    story.elapsed = begun.elapsed();
    if !arguments.once {
        announce(stack);
    }
    let (up, data_dir) = (stack.up.clone(), stack.data_dir().to_path_buf());
    tokio::select! {
        ended = stack.watch() => return ended,
        printed = Box::pin(story.print(&up, &data_dir, arguments.once)) => printed?,
    }
    if arguments.json {
        output::json(&story.summary())?;
    }
    if arguments.once {
        return Ok(());
    }
    if arguments.clock.is_some() {
        output::line("\nThe clock is fixed: no more events follow. Press Ctrl-C to stop.");
        return stack.watch().await;
    }
    let live = Live::start(&config, arguments.rate).await?;
    live.run(simulation, stack.watch()).await
}

/// Defines the tenants, publishes their history and waits until it is folded.
async fn fill(config: &Config, arguments: &Arguments) -> anyhow::Result<(Simulation, Story)> {
    let files = Industry::ALL.map(|industry| {
        let (file, text) = industry.definitions();
        (file.to_owned(), text.to_owned())
    });
    let bundle = define::check(&files, &user_name())?;
    define::apply(config, bundle).await?;
    let end = wall_clock(arguments.clock).now();
    let mut simulation = Simulation::new(&Scenario {
        industries: &Industry::ALL,
        seed: arguments.seed,
        customers: arguments.customers,
        begin: end.plus_micros(-HISTORY_MICROS),
        end,
    });
    let history = simulation.run_until(end);
    let total = u64::try_from(history.len())?;
    output::note(format!(
        "publishing and folding {total} events: a history of six months"
    ));
    let sink = EventSink::connect(config, true).await?;
    let publishing = tokio::task::spawn_blocking(move || publish(&history, sink));
    let projections = Projections::connect(&config.database).await?;
    let folding = wait_until_folded(&projections, &config.kafka.topic, total);
    let (published, ()) = tokio::try_join!(async { publishing.await? }, folding)?;
    let story = Story::read(&projections, published).await?;
    Ok((simulation, story))
}

/// Publishes the history and waits until the broker has it. Blocks.
fn publish(history: &[CustomerEvent], mut sink: EventSink) -> anyhow::Result<u64> {
    for (line, event) in (1..).zip(history) {
        if let Err(undelivered) = sink.publish(line, event)? {
            bail!("an event was not published: {}", undelivered.reason);
        }
    }
    let deliveries = sink.finish();
    ensure!(
        deliveries.undelivered.is_empty(),
        "the broker did not accept {} events",
        deliveries.undelivered.len()
    );
    Ok(deliveries.delivered)
}

/// Waits until every event is folded or parked and no due timer is left.
async fn wait_until_folded(
    projections: &Projections,
    topic: &str,
    total: u64,
) -> anyhow::Result<()> {
    let mut progress = Progress::towards("events folded", total);
    let mut advanced = Stopwatch::now();
    let mut before = 0;
    loop {
        let settled: i64 = projections.positions(topic).await?.values().sum();
        let settled = u64::try_from(settled)?;
        progress.reach(settled);
        if settled >= total
            && projections.due_timers().await? == 0
            && projections.reevaluations().await?.is_empty()
        {
            progress.finish();
            return Ok(());
        }
        if settled != before {
            (before, advanced) = (settled, Stopwatch::now());
        }
        if advanced.elapsed() > STALL_TIMEOUT {
            bail!(
                "no event was folded for {STALL_TIMEOUT:?}, at {settled} of {total} events: the log \
                 above may say why"
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
