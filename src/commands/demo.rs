//! `tidemark demo`

mod story;

use std::time::{Duration, Instant as Stopwatch};

use anyhow::{bail, ensure};
use tidemark_schemas::{Instant, TenantId};

use self::story::{Story, header_file};
use super::define;
use super::up::{Place, announce};
use crate::config::{Config, user_name};
use crate::database::Generation;
use crate::import::Mapping;
use crate::importing::{self, Import};
use crate::kafka::events::EventSink;
use crate::output;
use crate::up::stack::{Stack, StackOptions};
use crate::up::state_file::remove_file;

/// The sample tenant.
const TENANT: &str = "cdnow";
/// The day up to which the published models were fitted.
const CLOCK: &str = "1997-09-30T00:00:00Z";
const DEFINITIONS: &str = include_str!("../../definitions/cdnow.yaml");
const MAPPING: &str = include_str!("../../data/cdnow/mapping.toml");
const LOG: &[u8] = include_bytes!("../../data/cdnow/CDNOW_sample.txt");
/// How long folding may take.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark demo\n\n\
    Publishes the purchases of 2,357 real customers of the shop CDNOW up to 30 September 1997,\n\
    and stands at that day.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// A fixed instant instead of the demo's own (RFC 3339)
    #[arg(long, value_name = "TIME", default_value = CLOCK)]
    clock: Instant,
    /// Print the summary when everything is folded, and end
    #[arg(long)]
    once: bool,
    /// End the summary with one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let Arguments {
        place,
        clock,
        once,
        json,
    } = arguments;
    let begun = Stopwatch::now();
    let options = StackOptions {
        data_dir: place.data_dir,
        port: place.port,
        partitions: place.partitions,
        kafka: None,
        registry: None,
        clock: Some(clock),
        tenant: TenantId::new(TENANT)?,
    };
    output::note("starting an embedded Kafka broker and a private Postgres");
    let mut stack = Stack::start(options, config).await?;
    let ended = play(&mut stack, clock, once, json, begun).await;
    if !once {
        output::note("stopping");
    }
    remove_file(&header_file(stack.data_dir()));
    let stopped = stack.stop().await;
    ended.and(stopped)
}

/// Plays the demo, watching the parts all the while.
async fn play(
    stack: &mut Stack,
    clock: Instant,
    once: bool,
    json: bool,
    begun: Stopwatch,
) -> anyhow::Result<()> {
    let config = stack.config.clone();
    let story = tokio::select! {
        // An interrupt, too, ends the demo before its story is told.
        ended = stack.watch() => return ended,
        story = Box::pin(fill(&config, clock)) => story?,
    };
    let story = Story {
        elapsed: begun.elapsed(),
        ..story
    };
    if !once {
        announce(stack);
    }
    let (up, data_dir) = (stack.up.clone(), stack.data_dir().to_path_buf());
    tokio::select! {
        ended = stack.watch() => return ended,
        told = Box::pin(story.tell(&up, &data_dir, once)) => told?,
    }
    if json {
        output::json(&story.summary())?;
    }
    if once {
        return Ok(());
    }
    stack.watch().await
}

/// Defines the tenant, publishes its log and waits until it is folded.
async fn fill(config: &Config, clock: Instant) -> anyhow::Result<Story> {
    let files = [("definitions/cdnow.yaml".to_owned(), DEFINITIONS.to_owned())];
    let bundle = define::check(&files, &user_name())?;
    define::apply(config, bundle).await?;
    output::note("publishing the purchase log");
    let sink = EventSink::connect(config, true).await?;
    let import = Import {
        mapping: Mapping::parse(MAPPING)?,
        file: LOG,
        size: Some(LOG.len() as u64),
        until: Some(clock),
    };
    let published = tokio::task::spawn_blocking(move || importing::publish(import, sink)).await??;
    ensure!(
        published.bad + published.undelivered == 0,
        "{} rows of the purchase log were not published",
        published.bad + published.undelivered
    );
    output::note(format!("{} events published, folding", published.published));
    let generation = Generation::connect(&config.database).await?;
    wait_until_folded(&generation, &config.kafka.topic, published.published).await?;
    let tenants = generation.tenants().await?;
    let parked = generation.parked().await?;
    Ok(Story {
        events_published: published.published,
        events_folded: tenants.iter().map(|tenant| tenant.events).sum(),
        customers: tenants.iter().map(|tenant| tenant.customers).sum(),
        parked: parked.iter().map(|parked| parked.events).sum(),
        tenants: tenants.into_iter().map(|tenant| tenant.tenant).collect(),
        elapsed: Duration::ZERO,
    })
}

/// Waits until every event is folded or parked and no due time is left to fire.
async fn wait_until_folded(
    generation: &Generation,
    topic: &str,
    published: u64,
) -> anyhow::Result<()> {
    let begun = Stopwatch::now();
    let published = i64::try_from(published)?;
    loop {
        let folded: i64 = generation.positions(topic).await?.values().sum();
        if folded >= published
            && generation.due_timers().await? == 0
            && generation.reevaluations().await?.is_empty()
        {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("only {folded} of {published} events were folded within {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
