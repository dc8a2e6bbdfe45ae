//! `tidemark define`

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use tidemark_processor::clock::WallClock;
use tidemark_projections::definitions::{Bundle, Definitions, Offboarded, TenantDefinitions};
use tidemark_schemas::TenantId;

use crate::config::{Config, user_name};
use crate::definitions_log::DefinitionsLog;
use crate::failure::nearest;
use crate::output;

mod diff;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check definition files and apply them
    #[command(
        after_help = "Example:\n  tidemark define apply --up definitions/cdnow.yaml\n\n\
        Each tenant in the files is replaced as a whole: what a file leaves out is removed, except the\n\
        models."
    )]
    Apply {
        /// Definition files, YAML or JSON
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Check the files without applying them
        #[arg(long)]
        dry_run: bool,
        /// The author recorded with the definitions [default: the user's name]
        #[arg(long)]
        author: Option<String>,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what definition files would change, and which customers would enter or leave segments
    Diff(diff::Arguments),
    /// List tenants and the names they define
    #[command(after_help = "Example:\n  tidemark define list --up --json")]
    List {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a tenant's definitions as a file that defines the same
    #[command(after_help = "Example:\n  tidemark define show cdnow --up > cdnow.yaml")]
    Show {
        /// The tenant [default: every one]
        tenant: Option<TenantId>,
        /// Print JSON, one line for each tenant
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Apply {
            files,
            dry_run,
            author,
            json,
        } => {
            let texts = read_files(&files)?;
            let author = author.unwrap_or_else(user_name);
            let bundle = check(&texts, &author)?;
            if dry_run {
                return report(json, &Applied::checked(&bundle));
            }
            let applied = apply(&config, bundle).await?;
            report(json, &applied)
        }
        Command::Diff(arguments) => diff::run(arguments, config).await,
        Command::List { json } => list(&read_log(&config).await?.definitions, json),
        Command::Show { tenant, json } => {
            show(&read_log(&config).await?.definitions, tenant.as_ref(), json)
        }
    }
}

/// The outcome of checking or applying definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Applied {
    /// `checked`, `unchanged` or `applied`.
    outcome: &'static str,
    /// The version in force, where known.
    version: Option<i64>,
    /// The tenants that changed, or were checked.
    tenants: Vec<String>,
}

impl Applied {
    fn checked(bundle: &Bundle) -> Self {
        Self {
            outcome: "checked",
            version: None,
            tenants: names(bundle),
        }
    }
}

fn names(bundle: &Bundle) -> Vec<String> {
    bundle
        .tenants
        .iter()
        .map(|source| source.tenant.id.clone())
        .collect()
}

/// Reads files as pairs of name and text.
fn read_files(files: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    files
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            Ok((name, text))
        })
        .collect()
}

/// Validates definition texts, and prints every error in them.
pub(crate) fn check(texts: &[(String, String)], author: &str) -> anyhow::Result<Bundle> {
    Bundle::from_files(texts, author).map_err(|errors| {
        for error in &errors {
            output::note(error.to_string());
        }
        match errors.len() {
            1 => anyhow!("the definitions have an error, named above; nothing was applied"),
            count => {
                anyhow!("the definitions have {count} errors, named above; nothing was applied")
            }
        }
    })
}

/// Applies definitions, unless they are in force already.
pub(crate) async fn apply(config: &Config, bundle: Bundle) -> anyhow::Result<Applied> {
    apply_to(read_log(config).await?, bundle).await
}

/// Applies definitions to those that were read, and reports the outcome.
pub(super) async fn publish(log: DefinitionsLog, bundle: Bundle, json: bool) -> anyhow::Result<()> {
    report(json, &apply_to(log, bundle).await?)
}

async fn apply_to(log: DefinitionsLog, mut bundle: Bundle) -> anyhow::Result<Applied> {
    let in_force = &log.definitions;
    bundle.tenants.retain(|source| {
        // Files hold no models: those in force stay.
        let source = in_force.with_models(source.clone());
        !in_force
            .tenants
            .values()
            .any(|existing| existing.source == source)
    });
    if bundle.tenants.is_empty() {
        let version = in_force.version;
        return Ok(Applied {
            outcome: "unchanged",
            version,
            tenants: Vec::new(),
        });
    }
    bundle.based_on = in_force.version;
    log.try_apply(&bundle, WallClock::System.now())?;
    let tenants = names(&bundle);
    note_offboarded(in_force, &tenants);
    let (_, version) = log.append(&bundle).await?;
    Ok(Applied {
        outcome: "applied",
        version: Some(version),
        tenants,
    })
}

/// Says of tenants that are defined again that they begin empty.
fn note_offboarded(in_force: &Definitions, tenants: &[String]) {
    let tenants = tenants
        .iter()
        .filter_map(|id| TenantId::new(id.as_str()).ok());
    for tenant in tenants.filter(|tenant| in_force.tenant(tenant).is_none()) {
        if let Some(Offboarded { version, .. }) = in_force.last_offboarding(&tenant) {
            output::note(format!(
                "tenant {tenant} was offboarded by version {version}: it begins with the first event after that"
            ));
        }
    }
}

pub(super) async fn read_log(config: &Config) -> anyhow::Result<DefinitionsLog> {
    let kafka = config.kafka.connection();
    tokio::task::spawn_blocking(move || DefinitionsLog::read(&kafka)).await?
}

fn report(json: bool, applied: &Applied) -> anyhow::Result<()> {
    if json {
        return output::json(applied);
    }
    let tenants = applied.tenants.join(", ");
    output::line(match (applied.outcome, applied.version) {
        ("checked", _) => format!("no errors: {tenants}"),
        ("unchanged", _) => "unchanged: these definitions are in force already".to_owned(),
        (_, Some(version)) => format!("applied {tenants} as version {version}"),
        (_, None) => format!("applied {tenants}"),
    });
    Ok(())
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    tenant: &'a str,
    version: i64,
    applied_at: tidemark_schemas::Instant,
    segments: Vec<&'a str>,
    journeys: Vec<&'a str>,
    actions: Vec<&'a str>,
    triggers: Vec<&'a str>,
}

impl<'a> From<&'a TenantDefinitions> for Listed<'a> {
    fn from(tenant: &'a TenantDefinitions) -> Self {
        Self {
            tenant: tenant.id.as_str(),
            version: tenant.version,
            applied_at: tenant.appended_at,
            segments: tenant
                .segments
                .iter()
                .map(|segment| &*segment.name)
                .collect(),
            journeys: tenant.journeys.keys().map(|name| &**name).collect(),
            actions: tenant.actions.iter().map(|action| &*action.name).collect(),
            triggers: tenant
                .triggers
                .iter()
                .map(|trigger| &*trigger.name)
                .collect(),
        }
    }
}

fn list(definitions: &Definitions, json: bool) -> anyhow::Result<()> {
    let listed: Vec<Listed<'_>> = definitions
        .tenants
        .values()
        .map(|tenant| Listed::from(tenant.as_ref()))
        .collect();
    if json {
        return output::json(&listed);
    }
    if listed.is_empty() {
        output::line("no tenant is defined: define one with `tidemark define apply FILE`");
    }
    for Listed {
        tenant,
        version,
        applied_at,
        segments,
        journeys,
        actions,
        triggers,
    } in listed
    {
        output::line(format!("{tenant}: version {version}, applied {applied_at}"));
        for (kind, names) in [
            ("segments", segments),
            ("journeys", journeys),
            ("actions", actions),
            ("triggers", triggers),
        ] {
            if !names.is_empty() {
                output::line(format!("  {kind}: {}", names.join(", ")));
            }
        }
    }
    Ok(())
}

fn show(definitions: &Definitions, tenant: Option<&TenantId>, json: bool) -> anyhow::Result<()> {
    let shown: Vec<&TenantDefinitions> = match tenant {
        None => definitions.tenants.values().map(AsRef::as_ref).collect(),
        Some(id) => match definitions.tenant(id) {
            Some(found) => vec![found],
            None => bail!("{}", unknown_tenant(definitions, id)),
        },
    };
    for tenant in shown {
        if json {
            output::line(tenant.source.to_json());
        } else {
            // A line of three dashes begins a document, so that several tenants make one file.
            output::line("---");
            output::line(tenant.source.to_yaml().trim_end());
        }
    }
    Ok(())
}

pub(super) fn unknown_tenant(definitions: &Definitions, id: &TenantId) -> String {
    if let Some(Offboarded { version, .. }) = definitions.last_offboarding(id) {
        return format!(
            "tenant {id} is not defined: version {version} offboarded it, and `tidemark define apply` defines it \
             again"
        );
    }
    let known = definitions.tenants.keys().map(TenantId::as_str);
    match nearest(id.as_str(), known) {
        Some(near) => format!("tenant {id} is not defined; did you mean {near}?"),
        None => format!("tenant {id} is not defined: `tidemark define list` prints those that are"),
    }
}
