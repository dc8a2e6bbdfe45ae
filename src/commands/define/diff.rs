//! `tidemark define diff`: what other definitions would change, before they are applied.
//!
//! Every customer of the active generation is brought to the clock of its partition under the
//! definitions in force, then evaluated under the others: the steps that applying them takes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tidemark_processor::clock::WallClock;
use tidemark_projections::definitions::{Bundle, Definitions, TenantDefinitions};
use tidemark_schemas::{Instant, TenantId};

use self::report::{Outcome, TenantDiff};
use super::{check, read_files, read_log};
use crate::config::{Config, user_name};
use crate::database::Generation;
use crate::definitions_log::DefinitionsLog;
use crate::output;
use crate::progress::Progress;

mod report;

/// Customers read at once.
const PAGE: i64 = 2_000;
/// Ids told of those who would enter a segment, or leave it, unless a limit is asked for.
const TOLD: usize = 10;
/// Ids told at most, and to programs unless a limit is asked for.
const MAX_TOLD: usize = 10_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tidemark define diff --up definitions/cdnow.yaml\n\n\
    Changes nothing. Who would enter and leave each segment is as of the clock of each partition;\n\
    the counts are exact. Exit code 1 if the definitions would be refused."
)]
pub(crate) struct Arguments {
    /// YAML or JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How many ids are told of each segment, and of either direction, the first
    /// [default: 10; with --json 10000, which is the most]
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    limit: Option<u32>,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let texts = read_files(&arguments.files)?;
    let mut bundle = check(&texts, &user_name())?;
    let log = read_log(&config).await?;
    let generation = Generation::connect(&config.database).await?;
    let topic = &config.kafka.topic;
    let clock = least_clock(&generation, topic).await?;
    bundle.based_on = log.definitions.version;
    let trial = trial(&log, &bundle, clock)?;
    let usual = if arguments.json { MAX_TOLD } else { TOLD };
    let told = arguments
        .limit
        .and_then(|limit| usize::try_from(limit).ok());
    let told = told.unwrap_or(usual);
    let mut answers = Vec::new();
    for source in &bundle.tenants {
        let (id, after) = of_tenant(&trial, &source.tenant.id)?;
        let before = log.definitions.tenant(id).map(Arc::as_ref);
        let mut answer = TenantDiff::new(before, after, clock, told);
        if answer.outcome == Outcome::Changed
            && let Some(before) = before
        {
            Walk::new(&generation, topic, before, after)
                .take(&mut answer)
                .await?;
        }
        if !arguments.json {
            output::line(answer.to_text());
        }
        answers.push(answer);
    }
    if arguments.json {
        output::json(&answers)?;
    }
    Ok(())
}

/// The clock up to which everything is folded; none while nothing is.
async fn least_clock(generation: &Generation, topic: &str) -> anyhow::Result<Option<Instant>> {
    let partitions = generation.partitions(topic).await?;
    let clocks = partitions.iter().map(|partition| partition.clock);
    let clocks = clocks.filter_map(Instant::from_micros);
    Ok(clocks.filter(|clock| *clock > Instant::MIN).min())
}

/// What the definitions would be: as if appended when everything was folded up to now.
fn trial(
    log: &DefinitionsLog,
    bundle: &Bundle,
    clock: Option<Instant>,
) -> anyhow::Result<Definitions> {
    let now = WallClock::System.now();
    Ok(log.try_apply(bundle, clock.map_or(now, |clock| clock.min(now)))?)
}

fn of_tenant<'d>(
    trial: &'d Definitions,
    id: &str,
) -> anyhow::Result<(&'d TenantId, &'d TenantDefinitions)> {
    let mut tenants = trial.tenants.iter();
    let found = tenants.find(|(other, _)| other.as_str() == id);
    let found = found.map(|(id, definitions)| (id, definitions.as_ref()));
    found.ok_or_else(|| anyhow::anyhow!("tenant {id} was checked and is not there"))
}

/// A walk over a tenant's customers, each evaluated under both definitions.
struct Walk<'a> {
    generation: &'a Generation,
    topic: &'a str,
    before: &'a TenantDefinitions,
    after: &'a TenantDefinitions,
    /// Those customers stand on who are not evaluated under the ones in force yet, by version.
    older: BTreeMap<i64, TenantDefinitions>,
}

impl<'a> Walk<'a> {
    fn new(
        generation: &'a Generation,
        topic: &'a str,
        before: &'a TenantDefinitions,
        after: &'a TenantDefinitions,
    ) -> Self {
        Self {
            generation,
            topic,
            before,
            after,
            older: BTreeMap::new(),
        }
    }

    async fn take(mut self, answer: &mut TenantDiff) -> anyhow::Result<()> {
        let mut progress = Progress::start("customers read", None);
        let mut last = String::new();
        loop {
            let page = self
                .generation
                .customers(&self.after.id, self.topic, &last, PAGE);
            let page = page.await?;
            let Some(newest) = page.last() else {
                break;
            };
            last.clone_from(&newest.customer_id);
            for stored in &page {
                self.know(stored.definition_version).await?;
                let older = self.older.get(&stored.definition_version);
                let current = stored.current(older.unwrap_or(self.before))?;
                let at = current.as_of;
                let (state, mut before) = current.customer.into_parts();
                if before.definition_version != self.before.version {
                    before.redefine(&state, self.before, at, &mut Vec::new());
                }
                let mut after = before.clone();
                after.redefine(&state, self.after, at, &mut Vec::new());
                answer.count(&stored.customer_id, &before, &after);
                progress.advance(0);
            }
        }
        progress.finish();
        Ok(())
    }

    /// Reads the definitions an evaluated state was made with, if they are not those in force.
    async fn know(&mut self, version: i64) -> anyhow::Result<()> {
        if version != self.before.version && !self.older.contains_key(&version) {
            let older = self.generation.definitions(&self.after.id, version).await?;
            self.older.insert(version, older);
        }
        Ok(())
    }
}
