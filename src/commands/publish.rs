//! `tidemark publish`

mod lines;
mod outcome;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tidemark_schemas::{CustomerEvent, TenantId};

use self::lines::Lines;
use self::outcome::{Parked, Published};
use super::deferred::Deferred;
use crate::config::Config;
use crate::kafka::events::EventSink;
use crate::output;
use crate::progress::Progress;
use crate::up_file::UpFile;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    echo '{\"event_id\": \"6f1c0a52-6b0e-4c53-8c1f-1f5a3f0f2a11\", \"tenant_id\": \"dev\",\n         \
    \"customer_id\": \"c-1\", \"source\": \"shop\", \"occurred_at\": \"2026-01-31T09:30:00Z\",\n         \
    \"payload\": {\"type\": \"order_placed\", \"order_id\": \"o-1\", \"amount_minor\": 1999,\n         \
    \"currency\": \"EUR\"}}' | tr -d '\\n' | tidemark publish --up\n\n\
    Lines that are no events are named, and the others are published; the exit code is then 1.\n\
    With --wait, the command also says which events were parked or wait in the log, and why.\n\
    With --json, the summary has the positions for Tidemark-Wait: a read of the API that waits for\n\
    them includes what was published.")]
pub(crate) struct Arguments {
    /// Events, one JSON object a line [default: standard input]
    file: Option<PathBuf>,
    /// Wait until the processor has passed the events, and name those that it parked or deferred; the exit code is
    /// then 1
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "60")]
    wait: Option<u64>,
    /// Print the summary as one line of JSON
    #[arg(long)]
    json: bool,
}

/// The outcomes of the lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
struct Summary {
    /// The number of events accepted by the broker.
    published: u64,
    /// The number of lines that are no events.
    bad: u64,
    /// The number of events that the broker did not accept.
    undelivered: u64,
    /// The last position accepted by each partition, in the form that `Tidemark-Wait` takes.
    positions: Vec<String>,
    /// The published events that are parked; absent without `--wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<Vec<Parked>>,
    /// The tenants of published events that are not folded now; absent without `--wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    deferred: Option<Vec<Deferred>>,
}

pub(crate) async fn run(
    arguments: Arguments,
    config: Config,
    up: Option<UpFile>,
) -> anyhow::Result<()> {
    let (input, size) = open(arguments.file.as_ref())?;
    let embedded = up.is_some_and(|up| up.embedded_broker);
    let sink = EventSink::connect(&config, embedded).await?;
    let topic = config.kafka.topic.clone();
    let (mut summary, published, tenants) =
        tokio::task::spawn_blocking(move || publish(input, size, sink, &topic)).await??;
    if let Some(seconds) = arguments.wait {
        let at_most = Duration::from_secs(seconds);
        summary.parked = Some(outcome::parked_of(&published, &config, at_most).await?);
        summary.deferred = Some(outcome::deferred_of(&published, &tenants, &config).await?);
    }
    let parked = summary.parked.as_deref().unwrap_or_default();
    let deferred = summary.deferred.as_deref().unwrap_or_default();
    outcome::print(parked, deferred);
    if arguments.wait.is_none() && summary.published > 0 {
        output::note(NOT_AWAITED);
    }
    if arguments.json {
        output::json(&summary)?;
    } else {
        output::line(format!("{} events published", summary.published));
    }
    if summary.bad + summary.undelivered > 0 {
        bail!(
            "{} bad lines, {} events not delivered, each named above: correct them and publish \
             them again",
            summary.bad,
            summary.undelivered
        );
    }
    if !deferred.is_empty() {
        bail!(
            "published events wait in the log, because their tenants are not folded now, as named above: \
             `tidemark deferred list` lists them"
        );
    }
    if !parked.is_empty() {
        bail!(
            "{} of the published events are parked: `tidemark parked show POSITION` prints one, and \
             docs/OPERATIONS.md lists the reasons",
            parked.len()
        );
    }
    Ok(())
}

/// What a publisher is told that does not wait.
const NOT_AWAITED: &str = "the broker has the events; whether they are folded, parked or deferred was not awaited: \
     publish with --wait to see it";

type Input = Box<dyn Read + Send>;

/// Opens a file or standard input; returns its size where known.
fn open(file: Option<&PathBuf>) -> anyhow::Result<(Input, Option<u64>)> {
    match file {
        Some(path) if path.as_os_str() != "-" => {
            let file =
                File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let size = file.metadata().ok().filter(std::fs::Metadata::is_file);
            Ok((Box::new(file), size.map(|found| found.len())))
        }
        _ => Ok((Box::new(std::io::stdin()), None)),
    }
}

fn publish(
    input: Input,
    size: Option<u64>,
    mut sink: EventSink,
    topic: &str,
) -> anyhow::Result<(Summary, Published, BTreeSet<TenantId>)> {
    let mut summary = Summary::default();
    let mut tenants = BTreeSet::new();
    let mut progress = Progress::start("events", size);
    let mut lines = Lines::new(BufReader::with_capacity(64 * 1024, input));
    while let Some(line) = lines.next().context("cannot read the events")? {
        let problem = match line.text.and_then(|text| event(&text)) {
            Ok(event) => {
                let result = sink.publish(line.number, &event)?;
                tenants.insert(event.tenant_id);
                result.map_err(|undelivered| {
                    summary.undelivered += 1;
                    undelivered.reason
                })
            }
            Err(reason) => {
                summary.bad += 1;
                Err(reason)
            }
        };
        if let Err(reason) = problem {
            progress.note(format!("line {}: {reason}", line.number));
        }
        progress.advance(lines.bytes_read());
    }
    let deliveries = sink.finish();
    progress.finish();
    for undelivered in &deliveries.undelivered {
        output::note(format!("line {}: {}", undelivered.line, undelivered.reason));
    }
    summary.published = deliveries.delivered;
    summary.undelivered += deliveries.undelivered.len() as u64;
    let ends = deliveries.ends.iter();
    summary.positions = ends
        .map(|(partition, end)| format!("{topic}/{partition}@{}", end - 1))
        .collect();
    Ok((summary, deliveries.offsets, tenants))
}

fn event(text: &str) -> Result<CustomerEvent, String> {
    CustomerEvent::from_json(text).map_err(|error| error.to_string())
}
