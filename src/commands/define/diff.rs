//! `tidemark define diff`: the changes that definitions would make, before they are applied.
//!
//! Every customer of the active generation is advanced to the clock of its partition under the
//! definitions in force, then evaluated under the new ones: the steps that applying them takes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tidemark_processor::clock::WallClock;
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_projections::explain::mismatches;
use tidemark_schemas::{Instant, TenantId};

use self::report::{Outcome, TenantDiff};
use super::{check, read_files, read_log};
use crate::config::{Config, user_name};
use crate::database::{PartitionProgress, Projections};
use crate::definitions_log::DefinitionsLog;
use crate::output;
use crate::progress::Progress;

mod report;

/// The number of customers read at once.
const PAGE: i64 = 2_000;
/// The default number of ids listed of the customers that would enter a segment, or leave it.
const LISTED: usize = 10;
/// The most ids listed, and the default number with `--json`.
const MAX_LISTED: usize = 10_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tidemark define diff --up definitions/cdnow.yaml\n\n\
    Changes nothing. The customers that would enter and leave each segment are evaluated at the clock\n\
    of their partition; the counts are exact. Exit code 1 if the definitions would be refused."
)]
pub(crate) struct Arguments {
    /// Definition files, YAML or JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Ids listed of each segment in either direction, at most 10000 [default: 10; with --json 10000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    limit: Option<u32>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let texts = read_files(&arguments.files)?;
    let mut bundle = check(&texts, &user_name())?;
    let log = read_log(&config).await?;
    let projections = Projections::connect(&config.database).await?;
    let topic = &config.kafka.topic;
    let clock = least_clock(&projections, topic).await?;
    bundle.based_on = log.definitions.version;
    let trial = trial(&log, &bundle, clock)?;
    let default = if arguments.json { MAX_LISTED } else { LISTED };
    let listed = arguments
        .limit
        .and_then(|limit| usize::try_from(limit).ok());
    let listed = listed.unwrap_or(default);
    let mut diffs = Vec::new();
    for source in &bundle.tenants {
        let (id, after) = find_tenant(&trial, &source.tenant.id)?;
        let before = log.definitions.tenant(id).map(Arc::as_ref);
        let mut diff = TenantDiff::new(before, after, clock, listed);
        if diff.outcome == Outcome::Changed
            && let Some(before) = before
        {
            Comparison::new(&projections, topic, before, after)
                .count_members(&mut diff)
                .await?;
        }
        if !arguments.json {
            output::line(diff.to_text());
        }
        diffs.push(diff);
    }
    if arguments.json {
        output::json(&diffs)?;
    }
    Ok(())
}

/// Returns the clock up to which every partition is folded; `None` before the first record.
async fn least_clock(projections: &Projections, topic: &str) -> anyhow::Result<Option<Instant>> {
    let partitions = projections.partitions(topic).await?;
    let clocks = partitions.iter().filter_map(PartitionProgress::clock);
    Ok(clocks.min())
}

/// Returns the definitions with the bundle applied, as if appended at the clock.
fn trial(
    log: &DefinitionsLog,
    bundle: &Bundle,
    clock: Option<Instant>,
) -> anyhow::Result<Definitions> {
    let now = WallClock::System.now();
    Ok(log.try_apply(bundle, clock.map_or(now, |clock| clock.min(now)))?)
}

fn find_tenant<'d>(
    trial: &'d Definitions,
    id: &str,
) -> anyhow::Result<(&'d TenantId, &'d TenantDefinitions)> {
    let mut tenants = trial.tenants.iter();
    let found = tenants.find(|(other, _)| other.as_str() == id);
    let found = found.map(|(id, definitions)| (id, definitions.as_ref()));
    found.ok_or_else(|| anyhow::anyhow!("tenant {id} is missing from the checked definitions"))
}

/// The comparison of a tenant's customers under two definitions.
struct Comparison<'a> {
    projections: &'a Projections,
    topic: &'a str,
    before: &'a TenantDefinitions,
    after: &'a TenantDefinitions,
    /// Older definitions by version, under which some customers are still evaluated.
    older: BTreeMap<i64, TenantDefinitions>,
}

impl<'a> Comparison<'a> {
    fn new(
        projections: &'a Projections,
        topic: &'a str,
        before: &'a TenantDefinitions,
        after: &'a TenantDefinitions,
    ) -> Self {
        Self {
            projections,
            topic,
            before,
            after,
            older: BTreeMap::new(),
        }
    }

    async fn count_members(mut self, diff: &mut TenantDiff) -> anyhow::Result<()> {
        let mut progress = Progress::start("customers read", None);
        let mut last = String::new();
        loop {
            let page = self
                .projections
                .customers(&self.after.id, self.topic, &last, PAGE);
            let page = page.await?;
            let Some(newest) = page.last() else {
                break;
            };
            last.clone_from(&newest.customer_id);
            for stored in &page {
                self.load_older(stored.definition_version).await?;
                let older = self.older.get(&stored.definition_version);
                let current = stored.current(older.unwrap_or(self.before))?;
                let at = current.as_of;
                let (state, mut before) = current.customer.into_parts();
                if before.definition_version != self.before.version {
                    before.redefine(&state, self.before, at, &mut Vec::new());
                }
                let mut after = before.clone();
                after.redefine(&state, self.after, at, &mut Vec::new());
                diff.count(&stored.customer_id, &before, &after);
                diff.count_mismatches(mismatches(&state, self.after));
                progress.advance(0);
            }
        }
        progress.finish();
        Ok(())
    }

    /// Reads the definitions of an evaluated state, unless they are those in force.
    async fn load_older(&mut self, version: i64) -> anyhow::Result<()> {
        if version != self.before.version && !self.older.contains_key(&version) {
            let older = self
                .projections
                .definitions(&self.after.id, version)
                .await?;
            self.older.insert(version, older);
        }
        Ok(())
    }
}
