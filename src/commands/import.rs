//! `tidemark import`

mod rows;

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use tidemark_schemas::Instant;

use self::rows::{Import, Summary, dry_run, publish};
use crate::config::Config;
use crate::failure::Usage;
use crate::import::Mapping;
use crate::kafka::events::EventSink;
use crate::output;
use crate::up_file::UpFile;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    tidemark import --up data/cdnow/CDNOW_sample.txt --mapping data/cdnow/mapping.toml \\\n      \
    --until 1997-09-30T00:00:00Z\n\n\
    Importing a file again makes the same events, which change nothing. Rows that are no events are\n\
    named, and the others are published; the exit code is then 1. docs/importing.md has the format of\n\
    mappings.")]
pub(crate) struct Arguments {
    /// A delimited file
    file: PathBuf,
    /// The mapping of rows to events (TOML)
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    /// Leave out events that happened after this instant (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<Instant>,
    /// Print the events as JSON lines instead of publishing them
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as one line of JSON
    #[arg(long, conflicts_with = "dry_run")]
    json: bool,
}

pub(crate) async fn run(
    arguments: Arguments,
    config: Config,
    up: Option<UpFile>,
) -> anyhow::Result<()> {
    let Arguments {
        file,
        mapping,
        until,
        ..
    } = &arguments;
    let text = std::fs::read_to_string(mapping)
        .with_context(|| format!("cannot read {}", mapping.display()))?;
    let mapping = Mapping::parse(&text)
        .map_err(|error| Usage::new(format!("{}: {error}", mapping.display())))?;
    let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let size = opened
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|found| found.len());
    let import = Import {
        mapping,
        file: opened,
        size,
        until: *until,
    };
    if arguments.dry_run {
        let summary = tokio::task::spawn_blocking(move || dry_run(import)).await??;
        return check(summary);
    }
    let embedded = up.is_some_and(|up| up.embedded_broker);
    let sink = EventSink::connect(&config, embedded).await?;
    let summary = tokio::task::spawn_blocking(move || publish(import, sink)).await??;
    if arguments.json {
        output::json(&summary)?;
    } else {
        let Summary {
            published,
            rows,
            later,
            ..
        } = summary;
        output::line(format!(
            "{published} events published of {rows} rows ({later} after --until)"
        ));
    }
    check(summary)
}

fn check(summary: Summary) -> anyhow::Result<()> {
    if summary.bad + summary.undelivered > 0 {
        bail!(
            "{} bad rows, {} events not delivered, each named above: correct them and import the \
             file again",
            summary.bad,
            summary.undelivered
        );
    }
    Ok(())
}
