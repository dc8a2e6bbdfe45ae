//! `tidemark status`

mod headroom;
mod pace;
mod screen;

use std::time::{Duration, Instant};

use anyhow::bail;
use console::{Term, truncate_str};
use serde::Serialize;
use tidemark_kafka::retention::{self, Retention};
use tidemark_processor::store::OperatorStore;

use self::headroom::Headroom;
use self::pace::{Looks, Pace};
use super::deferred::{self, Deferred};
use super::parked;
use crate::config::Config;
use crate::database::{
    LargeCustomer, Offboarding, Parked, ParkedBytes, Projections, TenantProgress,
};
use crate::definitions_log::DefinitionsLog;
use crate::lag::{Brokers, Lag};
use crate::output;

/// The pause between two queries with `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// The escape sequence that clears a terminal and moves to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark status --up --watch\n\n\
    Reads Postgres, and asks the brokers where the log ends. Exit code 1 if a partition has no owner,\n\
    or if the lag is not known.")]
pub(crate) struct Arguments {
    /// Repeat every two seconds until interrupted
    #[arg(long)]
    watch: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The progress of folding.
#[derive(Debug, Serialize)]
struct Status {
    generation: i32,
    topic: String,
    /// The topics that lose records, each with the reason.
    retention: Vec<String>,
    /// The first record of the definitions topic that only a newer version can read.
    unknown_definitions: Option<UnknownDefinitions>,
    #[serde(flatten)]
    lag: Lag,
    /// The pace since the last look, with `--watch`.
    #[serde(flatten)]
    pace: Option<Pace>,
    tenants: Vec<TenantProgress>,
    parked: Vec<Parked>,
    /// The tenants whose parked events take most bytes in one partition.
    parked_bytes: Vec<ParkedBytes>,
    /// The bytes of parked events that a tenant may have in one partition.
    parked_quota_bytes: i64,
    /// The largest customers, if they are large.
    largest_customers: Vec<LargeCustomer>,
    /// Tenants and customers that are not folded in a partition.
    deferred: Vec<Deferred>,
    /// Their distances from the beginning of the log, where that loses records.
    deferred_headroom: Vec<Headroom>,
    reevaluating: Vec<Reevaluating>,
    /// Offboarded tenants, in the partitions in which rows are left to erase.
    offboarding: Vec<Offboarding>,
}

/// A record of the definitions topic that only a newer version can read: no later one is in force.
#[derive(Debug, Serialize)]
struct UnknownDefinitions {
    /// Its version (offset).
    version: i64,
    format: u32,
    /// The version of Tidemark that wrote it, if it says so: that one or a newer one is needed.
    needed: Option<String>,
    #[serde(skip)]
    message: String,
}

#[derive(Debug, Serialize)]
struct Reevaluating {
    tenant: String,
    version: i64,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let projections = Projections::connect(&config.database).await?;
    let operators = parked::connect(&config).await?;
    let brokers = Brokers::new(config.kafka.connection())?;
    let mut looks = Looks::default();
    let limited = limited_retention(&config).await;
    let events = limited
        .iter()
        .find(|found| found.topic == config.kafka.topic);
    let kept_for = events.and_then(|found| found.millis);
    let retention: Vec<String> = limited.iter().map(ToString::to_string).collect();
    loop {
        let mut status = Status::read(&projections, &operators, &brokers).await?;
        status.retention.clone_from(&retention);
        status.deferred_headroom = headroom::load(&brokers, &status.deferred, kept_for).await?;
        status.parked_quota_bytes = config.processor.parked_quota_bytes();
        status.unknown_definitions = unknown_definitions(&operators, &config).await?;
        status.pace = looks.add(&status.lag, Instant::now());
        if arguments.json {
            output::json(&status)?;
        } else {
            print(&status, arguments.watch);
        }
        if !arguments.watch {
            return status.require_known_and_owned();
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

/// Returns the topics that lose records.
async fn limited_retention(config: &Config) -> Vec<Retention> {
    match retention::check(&config.kafka.connection()).await {
        Ok(found) => {
            let found = found.into_iter().flatten();
            found.filter(Retention::is_limited).collect()
        }
        // Brokers that do not answer are said with the lag.
        Err(error) => {
            tracing::debug!(%error, "the retention is not known");
            Vec::new()
        }
    }
}

/// Returns the first record of the definitions topic that only a newer version can read: one that a newer
/// processor keeps, or one that none has kept.
async fn unknown_definitions(
    operators: &OperatorStore,
    config: &Config,
) -> anyhow::Result<Option<UnknownDefinitions>> {
    let kept = operators.database().load_definitions().await?;
    let kafka = config.kafka.connection();
    let find = move || match kept.unknown {
        Some(unknown) => Ok(Some(unknown)),
        None => DefinitionsLog::find_unknown_format(&kafka, kept.definitions, kept.next_offset),
    };
    // Brokers that do not answer are said with the lag.
    let found = tokio::task::spawn_blocking(find).await?;
    let found = found.inspect_err(|error| tracing::debug!(%error, "the definitions are not known"));
    Ok(found.unwrap_or_default().map(|unknown| UnknownDefinitions {
        message: unknown.to_string(),
        version: unknown.version,
        format: unknown.format,
        needed: unknown.writer,
    }))
}

/// Prints a status; with `--watch` on a terminal, one screen of it in place of the last.
fn print(status: &Status, watch: bool) {
    let terminal = Term::stdout();
    if !(watch && terminal.is_term()) {
        return output::line(screen::lines(status, None).join("\n"));
    }
    let (rows, columns) = terminal.size();
    let lines = screen::lines(status, Some(usize::from(rows).saturating_sub(1)));
    let lines = lines.iter();
    let lines = lines.map(|line| truncate_str(line, usize::from(columns), "…"));
    output::line(format!("{CLEAR}{}", lines.collect::<Vec<_>>().join("\n")));
}

impl Status {
    async fn read(
        projections: &Projections,
        operators: &OperatorStore,
        brokers: &Brokers,
    ) -> anyhow::Result<Self> {
        let reevaluating = projections.reevaluations().await?.into_iter();
        Ok(Self {
            generation: projections.id(),
            topic: brokers.topic().to_owned(),
            retention: Vec::new(),
            unknown_definitions: None,
            lag: Lag::read(brokers, projections).await?,
            pace: None,
            tenants: projections.tenants().await?,
            parked: projections.parked().await?,
            parked_bytes: projections.parked_bytes().await?,
            parked_quota_bytes: 0,
            largest_customers: projections.largest_customers().await?,
            deferred: deferred::load(operators).await?,
            deferred_headroom: Vec::new(),
            reevaluating: reevaluating
                .map(|(tenant, version)| Reevaluating { tenant, version })
                .collect(),
            offboarding: projections.offboardings().await?,
        })
    }

    /// Returns an error where the lag is not to be trusted, or will not become less.
    fn require_known_and_owned(&self) -> anyhow::Result<()> {
        if let Some(unowned) = screen::unowned(&self.lag) {
            bail!("{unowned}: start `tidemark process`, or see the log of those that run");
        }
        if let Some(reason) = &self.lag.unanswered {
            bail!("the lag is not known: {reason}");
        }
        Ok(())
    }
}
