//! `tidemark tenants offboard`: a record of the definitions topic ends a tenant, and the owners of the
//! partitions erase what was folded of it.
//!
//! The command checks first that nothing of the tenant arrives any more, and shows what would be erased.

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Elapsed};

use anyhow::bail;
use serde::Serialize;
use tidemark_kafka::arrivals::{self, Arrival};
use tidemark_processor::clock::WallClock;
use tidemark_projections::definitions::Bundle;
use tidemark_schemas::{Instant, TenantId};

use crate::commands::parked::request::POLL_EVERY;
use crate::commands::{define, parked};
use crate::config::{Config, user_name};
use crate::database::Projections;
use crate::definitions_log::DefinitionsLog;
use crate::failure::Usage;
use crate::lag::{self, Brokers, Lag};
use crate::output;
use crate::progress::Progress;

/// The milliseconds of an hour.
const HOUR: i64 = 60 * 60 * 1_000;
/// The interval at which the progress of the erasure is said.
const SAID_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tidemark tenants offboard acme --reason 'the contract has ended' --yes\n\n\
    Without --yes nothing changes, and the command prints the rows that would be erased. It refuses\n\
    while events of the tenant arrive: stop its producers first. The owners of the partitions erase\n\
    the rows; the command waits for that. Audit rows stay, and so do the records of the topics: their\n\
    retention, or deleting records in Kafka, removes those."
)]
pub(crate) struct Arguments {
    /// The tenant's id
    tenant: TenantId,
    /// The reason, kept in the audit and in the definitions topic
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print what would be erased, and change nothing, as without --yes
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Offboard the tenant; without it nothing changes
    #[arg(long)]
    yes: bool,
    /// The hours in which no event of the tenant may have arrived; 0 does not ask
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    quiet_hours: u32,
    /// The longest wait until the rows are erased
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// The author recorded with the offboarding [default: the user's name]
    #[arg(long)]
    author: Option<String>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The effect that the command would have, or has had.
#[derive(Debug, Serialize)]
struct Report {
    tenant: String,
    /// `dry_run`, `offboarded`, or `waiting` while rows are left.
    outcome: &'static str,
    /// The version of the definitions that offboards the tenant.
    version: Option<i64>,
    /// The rows of the tenant by table, before the command.
    rows: BTreeMap<String, i64>,
    /// The customers that are erased.
    erased_customers: i64,
    /// The rows that are erased, of all tables.
    erased_rows: i64,
    /// The partitions in which rows are left.
    partitions_left: Vec<i32>,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    if arguments.reason.trim().is_empty() {
        return Err(Usage::new("--reason is empty: the audit keeps it, so state one").into());
    }
    let tenant = &arguments.tenant;
    let log = define::read_log(config).await?;
    if log.definitions.tenant(tenant).is_none() {
        bail!("{}", define::unknown_tenant(&log.definitions, tenant));
    }
    let projections = Projections::connect(&config.database).await?;
    let brokers = Brokers::new(config.kafka.connection())?;
    let behind = "What is not folded yet may be events of the tenant: wait until `tidemark status` shows no lag";
    lag::require_folded(
        &brokers,
        &projections,
        "repeat the command once they do",
        behind,
    )
    .await?;
    require_quiet(config, tenant, arguments.quiet_hours).await?;
    let rows = projections.tenant_rows(tenant.as_str()).await?;
    let mut report = Report {
        tenant: tenant.to_string(),
        outcome: "dry_run",
        version: None,
        rows: rows.into_iter().collect(),
        erased_customers: 0,
        erased_rows: 0,
        partitions_left: Vec::new(),
    };
    if arguments.yes {
        let version = publish(&arguments, config, log, &report).await?;
        report.version = Some(version);
        wait(&arguments, &projections, &mut report).await?;
    }
    report.print(arguments.json)?;
    if report.outcome == "waiting" {
        bail!("{}", unfinished(&report, &brokers, &projections).await?);
    }
    Ok(())
}

/// Fails if an event of the tenant arrived lately: reads the log since then.
async fn require_quiet(config: &Config, tenant: &TenantId, hours: u32) -> anyhow::Result<()> {
    if hours == 0 {
        return Ok(());
    }
    let now = WallClock::System.now().micros() / 1_000;
    let (kafka, prefix) = (config.kafka.connection(), format!("{tenant}/"));
    let search = move || {
        let mut progress = Progress::start("records of the log read", None);
        let since = now - i64::from(hours) * HOUR;
        let found = arrivals::find_arrival(&kafka, &prefix, since, || progress.advance(0));
        progress.finish();
        found
    };
    let found = tokio::task::spawn_blocking(search).await??;
    let Some(Arrival {
        partition,
        offset,
        at,
    }) = found
    else {
        return Ok(());
    };
    let at = Instant::from_millis_clamped(at);
    bail!(
        "events of tenant {tenant} arrive: one of {at} is at offset {offset} of partition {partition}. Stop its \
         producers and repeat the command {hours} hours after the last event, or change --quiet-hours"
    )
}

/// Writes the operator into the audit, and publishes the offboarding; returns its version.
async fn publish(
    arguments: &Arguments,
    config: &Config,
    log: DefinitionsLog,
    report: &Report,
) -> anyhow::Result<i64> {
    let (tenant, reason) = (&arguments.tenant, arguments.reason.trim());
    let author = arguments.author.clone().unwrap_or_else(user_name);
    let mut bundle = Bundle::offboarding(tenant, reason, &author);
    bundle.based_on = log.definitions.version;
    log.try_apply(&bundle, WallClock::System.now())?;
    let account = serde_json::json!({ "reason": reason, "rows": report.rows }).to_string();
    let store = parked::connect(config).await?;
    store
        .database()
        .audit_operator(tenant.as_str(), &user_name(), "tenants.offboard", &account)
        .await?;
    let (_, version) = log.append(&bundle).await?;
    Ok(version)
}

/// Waits until every partition has erased the tenant's rows, up to the deadline.
async fn wait(
    arguments: &Arguments,
    projections: &Projections,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (begun, mut said) = (Elapsed::now(), Elapsed::now());
    let version = report.version.unwrap_or_default();
    loop {
        let left = projections.unfinished_offboarding(&report.tenant, version);
        (
            report.partitions_left,
            report.erased_customers,
            report.erased_rows,
        ) = left.await?;
        if report.partitions_left.is_empty() {
            report.outcome = "offboarded";
            return Ok(());
        }
        report.outcome = "waiting";
        if begun.elapsed() >= Duration::from_secs(arguments.wait) {
            return Ok(());
        }
        if said.elapsed() >= SAID_EVERY {
            said = Elapsed::now();
            let (customers, left) = (report.erased_customers, report.partitions_left.len());
            output::note(format!(
                "{customers} customers erased so far, rows are left in {left} partitions"
            ));
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Returns which partitions have rows left, and those without an owner among them.
async fn unfinished(
    report: &Report,
    brokers: &Brokers,
    projections: &Projections,
) -> anyhow::Result<String> {
    let lag = Lag::read(brokers, projections).await?;
    let list = |partitions: &[i32]| {
        let numbers: Vec<_> = partitions.iter().map(i32::to_string).collect();
        numbers.join(", ")
    };
    let unowned = lag.unowned().into_iter();
    let unowned = unowned.map(|found| found.progress.partition);
    let unowned: Vec<i32> = unowned
        .filter(|partition| report.partitions_left.contains(partition))
        .collect();
    let owners = if unowned.is_empty() {
        String::new()
    } else {
        let list = list(&unowned);
        format!(". No processor owns partitions {list}: start `tidemark process`")
    };
    Ok(format!(
        "tenant {} is offboarded, and rows are left in partitions {}: a running `tidemark process` erases them; \
         `tidemark status` shows how far{owners}",
        report.tenant,
        list(&report.partitions_left)
    ))
}

impl Report {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json(self);
        }
        let tenant = &self.tenant;
        match (self.outcome, self.version) {
            ("dry_run", _) => {
                for (table, rows) in &self.rows {
                    output::line(format!("{rows:>10} rows of {table}"));
                }
                output::line(format!(
                    "these rows of tenant {tenant} would be erased, and its events not folded any more; repeat \
                     the command with --yes"
                ));
            }
            ("offboarded", Some(version)) => output::line(format!(
                "tenant {tenant} is offboarded by version {version}: {} customers, {} rows erased",
                self.erased_customers, self.erased_rows
            )),
            _ => {}
        }
        Ok(())
    }
}
