//! `tidemark status`

use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Serialize;
use tidemark_processor::store::{Halt, OperatorStore};
use tidemark_schemas::Instant;

use super::parked;
use crate::config::Config;
use crate::database::{Parked, PartitionProgress, Projections, TenantProgress};
use crate::output;

/// The pause between two queries with `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// The escape sequence that clears a terminal and moves to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark status --up --watch\n\n\
    Reads Postgres. The lag is as of the last commit of each partition.")]
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
    /// The sum over all partitions.
    lag: i64,
    partitions: Vec<Partition>,
    tenants: Vec<TenantProgress>,
    parked: Vec<Parked>,
    /// Tenants whose events are not folded in a partition.
    halted: Vec<HaltedTenant>,
    reevaluating: Vec<Reevaluating>,
}

#[derive(Debug, Serialize)]
struct Partition {
    #[serde(flatten)]
    progress: PartitionProgress,
    lag: i64,
    clock: Option<Instant>,
}

#[derive(Debug, Serialize)]
struct HaltedTenant {
    tenant: String,
    partition: i32,
    /// The offset of the record that exceeded the limit.
    offset: i64,
    parked: i32,
    /// The number of records in the window.
    records: i32,
    halted_at: Instant,
    /// The operator that requested to resume it.
    resume_by: Option<String>,
}

#[derive(Debug, Serialize)]
struct Reevaluating {
    tenant: String,
    version: i64,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let projections = Projections::connect(&config.database).await?;
    let operators = parked::connect(&config).await?;
    loop {
        let status = Status::read(&projections, &operators, &config.kafka.topic).await?;
        if arguments.json {
            output::json(&status)?;
        } else {
            let clear = arguments.watch && std::io::stdout().is_terminal();
            let top = if clear { CLEAR } else { "" };
            output::line(format!("{top}{}", status.to_text()));
        }
        if !arguments.watch {
            return Ok(());
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

impl Status {
    async fn read(
        projections: &Projections,
        operators: &OperatorStore,
        topic: &str,
    ) -> anyhow::Result<Self> {
        let partitions: Vec<Partition> = projections
            .partitions(topic)
            .await?
            .into_iter()
            .map(Partition::from)
            .collect();
        let reevaluating = projections.reevaluations().await?.into_iter();
        Ok(Self {
            generation: projections.id(),
            topic: topic.to_owned(),
            lag: partitions.iter().map(|partition| partition.lag).sum(),
            partitions,
            tenants: projections.tenants().await?,
            parked: projections.parked().await?,
            halted: operators
                .halts()
                .await?
                .into_iter()
                .map(HaltedTenant::from)
                .collect(),
            reevaluating: reevaluating
                .map(|(tenant, version)| Reevaluating { tenant, version })
                .collect(),
        })
    }

    fn to_text(&self) -> String {
        let mut lines = vec![format!(
            "generation {}, topic {}, lag {}",
            self.generation, self.topic, self.lag
        )];
        lines.push("partition   position        lag  definitions  clock".to_owned());
        for Partition {
            progress,
            lag,
            clock,
        } in &self.partitions
        {
            let clock = clock.map_or_else(|| "not set".to_owned(), |clock| clock.to_string());
            lines.push(format!(
                "{:>9} {:>10} {lag:>10} {:>12}  {clock}",
                progress.partition, progress.next_offset, progress.definitions
            ));
        }
        for TenantProgress {
            tenant,
            customers,
            events,
        } in &self.tenants
        {
            lines.push(format!(
                "tenant {tenant}: {customers} customers, {events} events"
            ));
        }
        for Parked {
            tenant,
            reason,
            events,
        } in &self.parked
        {
            let tenant = tenant.as_deref().unwrap_or("unknown");
            lines.push(format!(
                "parked {reason}: {events} events of tenant {tenant}"
            ));
        }
        for halted in &self.halted {
            lines.push(halted.to_text());
        }
        for Reevaluating { tenant, version } in &self.reevaluating {
            lines.push(format!("re-evaluating {tenant} under version {version}"));
        }
        lines.join("\n")
    }
}

impl HaltedTenant {
    fn to_text(&self) -> String {
        let Self {
            tenant,
            partition,
            halted_at,
            ..
        } = self;
        let next = match &self.resume_by {
            Some(operator) => format!("{operator} has requested to resume it"),
            None => format!(
                "correct its producer, then run `tidemark parked resume --tenant {tenant} --apply`"
            ),
        };
        format!(
            "halted {tenant} in partition {partition} since {halted_at}: {} of its last {} records were \
             parked; {next}",
            self.parked, self.records
        )
    }
}

impl From<Halt> for HaltedTenant {
    fn from(halt: Halt) -> Self {
        Self {
            tenant: halt.tenant,
            partition: halt.partition,
            offset: halt.offset,
            parked: halt.parked,
            records: halt.records,
            halted_at: halt.halted_at,
            resume_by: halt.resume_by,
        }
    }
}

impl From<PartitionProgress> for Partition {
    fn from(progress: PartitionProgress) -> Self {
        let lag = (progress.log_end - progress.next_offset).max(0);
        // A partition has no clock before its first record.
        let clock = Instant::from_micros(progress.clock).filter(|clock| *clock > Instant::MIN);
        Self {
            progress,
            lag,
            clock,
        }
    }
}
