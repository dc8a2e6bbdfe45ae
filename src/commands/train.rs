//! `tidemark train`
//!
//! Reads the states of the active generation, fits the models, and publishes them with the rest of
//! the tenant's definitions, by the same record as `tidemark define apply`.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use jiff::civil::Date;
use serde::Serialize;
use tidemark_processor::clock::WallClock;
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::state::CustomerState;
use tidemark_projections::training::{Trainer, TrainingReport};
use tidemark_schemas::{CustomerId, Instant as Moment, TenantId};

use super::define::{read_log, unknown_tenant};
use crate::config::{Config, user_name};
use crate::database::{PartitionProgress, Projections};
use crate::definitions_log::DefinitionsLog;
use crate::lag::{self, Brokers};
use crate::output;
use crate::progress::Progress;

/// The number of customers read at once.
const PAGE: i64 = 2_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tidemark train --tenant acme --as-of 2025-03-31 --dry-run\n\n\
    A model with too little data is not trained: the one in force stays, and the report says why.\n\
    Training is refused while partitions are behind the log, and models that fail their holdout are\n\
    not published, unless a flag accepts it.\n\
    Customers are re-evaluated in the background. Exit code 1 if no model could be trained."
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Arguments {
    /// The tenant [default: every one]
    #[arg(long)]
    tenant: Option<TenantId>,
    /// The last day of data used, in the tenant's zone [default: that of the clock]
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Print the report without publishing the models
    #[arg(long)]
    dry_run: bool,
    /// Train although partitions are behind the log: what is not folded yet is missing in the data
    #[arg(long)]
    accept_lag: bool,
    /// Publish models that fail their holdout
    #[arg(long)]
    accept_holdout: bool,
    /// The author recorded with the models [default: the user's name]
    #[arg(long)]
    author: Option<String>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The outcome for one tenant.
#[derive(Debug, Serialize)]
struct Trained {
    /// `published`, `unchanged`, `dry_run`, `failed_holdout` or `refused`.
    outcome: &'static str,
    /// The holdouts that the models fail.
    failed_holdouts: Vec<String>,
    /// The version of the definitions that holds the models.
    version: Option<i64>,
    #[serde(flatten)]
    report: TrainingReport,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let mut log = read_log(&config).await?;
    let tenants = tenants(&log.definitions, arguments.tenant.as_ref())?;
    let projections = Projections::connect(&config.database).await?;
    require_folded(&config, &projections, &arguments).await?;
    let clock = clock(&projections, &config.kafka.topic).await?;
    let author = arguments.author.unwrap_or_else(user_name);
    let mut outcomes = Vec::new();
    for tenant in tenants {
        let as_of = arguments
            .as_of
            .unwrap_or_else(|| clock.to_jiff().to_zoned(tenant.rules.zone.clone()).date());
        let report = train(&projections, &tenant, as_of).await?;
        let mut outcome = "refused";
        let mut version = None;
        let failed_holdouts = report.failed_holdouts();
        if report.trained_anything() {
            outcome = "dry_run";
            if !failed_holdouts.is_empty() && !arguments.accept_holdout {
                outcome = "failed_holdout";
            } else if !arguments.dry_run {
                (log, outcome, version) = publish(log, &tenant, &report, &author).await?;
            }
        }
        let trained = Trained {
            outcome,
            failed_holdouts,
            version,
            report,
        };
        if !arguments.json {
            output::line(trained.to_text());
        }
        outcomes.push(trained);
    }
    if arguments.json {
        output::json(&outcomes)?;
    }
    conclude(&outcomes)
}

/// Returns an error if a model fails its holdout, or if none could be trained.
fn conclude(outcomes: &[Trained]) -> anyhow::Result<()> {
    let failed = outcomes.iter();
    let failed = failed.filter(|trained| trained.outcome == "failed_holdout");
    let failed: Vec<_> = failed
        .map(|trained| {
            let reasons = trained.failed_holdouts.join("; ");
            format!("{} ({reasons})", trained.report.tenant)
        })
        .collect();
    if !failed.is_empty() {
        bail!(
            "models fail their holdout and are not published: {}; the models in force stay. Check the \
             data, or add --accept-holdout",
            failed.join(", ")
        );
    }
    if outcomes.iter().all(|trained| trained.outcome == "refused") {
        bail!("no model could be trained, for the reasons above; the models in force stay");
    }
    Ok(())
}

/// Waits a moment until every partition has folded what the log holds now, and fails otherwise.
async fn require_folded(
    config: &Config,
    projections: &Projections,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    if arguments.accept_lag {
        return Ok(());
    }
    let brokers = Brokers::new(config.kafka.connection())?;
    let behind = "Training on part of the data gives wrong models: wait until `tidemark status` shows no lag, \
                  or add --accept-lag";
    lag::require_folded(
        &brokers,
        projections,
        "add --accept-lag to train anyway",
        behind,
    )
    .await
}

fn tenants(
    definitions: &Definitions,
    selected: Option<&TenantId>,
) -> anyhow::Result<Vec<Arc<TenantDefinitions>>> {
    match selected {
        None if definitions.tenants.is_empty() => {
            bail!("no tenant is defined: define one with `tidemark define apply FILE`")
        }
        None => Ok(definitions.tenants.values().map(Arc::clone).collect()),
        Some(id) => definitions
            .tenant(id)
            .map(|tenant| vec![Arc::clone(tenant)])
            .ok_or_else(|| anyhow!(unknown_tenant(definitions, id))),
    }
}

/// Returns the least clock of the partitions: up to it every partition is folded.
async fn clock(projections: &Projections, topic: &str) -> anyhow::Result<Moment> {
    let partitions = projections.partitions(topic).await?;
    let clocks = partitions.iter().filter_map(PartitionProgress::clock);
    clocks
        .min()
        .ok_or_else(|| anyhow!("no event is folded yet: start `tidemark process` first"))
}

async fn train(
    projections: &Projections,
    tenant: &TenantDefinitions,
    as_of: Date,
) -> anyhow::Result<TrainingReport> {
    let mut trainer = Trainer::new(tenant, as_of);
    let mut progress = Progress::start("customers read", None);
    let mut after = String::new();
    loop {
        let page = projections.states(tenant.id.as_str(), &after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            break;
        };
        after.clone_from(last);
        for (id, state) in page {
            let state = CustomerState::decode(&state)
                .with_context(|| format!("the state of customer {id} cannot be read"))?;
            let id = CustomerId::new(id.as_str())
                .map_err(|error| anyhow!("customer {id:?}: the id {error}"))?;
            trainer.add(&id, &state);
            progress.advance(0);
        }
    }
    progress.finish();
    Ok(trainer.train())
}

/// Publishes the trained models with the rest of the tenant's definitions in force.
async fn publish(
    log: DefinitionsLog,
    tenant: &TenantDefinitions,
    report: &TrainingReport,
    author: &str,
) -> anyhow::Result<(DefinitionsLog, &'static str, Option<i64>)> {
    let mut source = tenant.source.clone();
    let mut models = source.models.clone().unwrap_or_default();
    models.replace_with(report.models.clone());
    source.models = Some(models);
    if source == tenant.source {
        return Ok((log, "unchanged", Some(tenant.version)));
    }
    let mut bundle = Bundle::from_sources(vec![source], author);
    bundle.based_on = log.definitions.version;
    log.try_apply(&bundle, WallClock::System.now())?;
    let (log, version) = log.append(&bundle).await?;
    Ok((log, "published", Some(version)))
}

impl Trained {
    fn to_text(&self) -> String {
        let report = &self.report;
        let last = match (self.outcome, self.version) {
            ("published", Some(version)) => format!("in force as version {version}"),
            ("unchanged", _) => "unchanged: these models are in force already".to_owned(),
            ("failed_holdout", _) => format!(
                "not published, because the holdout fails: {}",
                self.failed_holdouts.join("; ")
            ),
            ("dry_run", _) => "a dry run: nothing was published".to_owned(),
            _ => "no model could be trained; the models in force stay".to_owned(),
        };
        format!("{report}{last}")
    }
}
