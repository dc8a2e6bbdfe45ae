//! `tidemark tenants`

mod offboard;

use anyhow::bail;
use serde::Serialize;
use tidemark_projections::definitions::Bundle;
use tidemark_schemas::{Instant, TenantId};

use super::define;
use crate::config::{Config, user_name};
use crate::database::{Projections, TenantOverview};
use crate::output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List tenants: customers, events, the last event, definitions, parked and deferred events
    #[command(after_help = "Example:\n  tidemark tenants list --json\n\n\
        Lists every tenant that is defined, or that events name: without a version, a tenant is not\n\
        defined, and its events wait in the log.")]
    List {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a tenant another name; its id stays
    #[command(
        after_help = "Example:\n  tidemark tenants rename acme 'ACME GmbH'\n\n\
        Publishes the tenant's definitions in force with the name. Customers are not evaluated again.\n\
        Write the name into the tenant's definition file as well: applying a file without one removes it."
    )]
    Rename {
        /// The tenant's id
        tenant: TenantId,
        /// The new name
        name: String,
        /// The author recorded with the definitions [default: the user's name]
        #[arg(long)]
        author: Option<String>,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Erase everything that was folded of a tenant; its events are not folded any more
    Offboard(offboard::Arguments),
}

/// A tenant of the list.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    overview: TenantOverview,
    /// The latest instant at which an event of the tenant occurred.
    last_event_at: Option<Instant>,
}

pub(crate) async fn run(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::List { json } => list(&config, json).await,
        Command::Rename {
            tenant,
            name,
            author,
            json,
        } => {
            let author = author.unwrap_or_else(user_name);
            rename(&config, &tenant, name, &author, json).await
        }
        Command::Offboard(arguments) => offboard::run(arguments, &config).await,
    }
}

/// Publishes the tenant's definitions with another name.
async fn rename(
    config: &Config,
    tenant: &TenantId,
    name: String,
    author: &str,
    json: bool,
) -> anyhow::Result<()> {
    let log = define::read_log(config).await?;
    let Some(in_force) = log.definitions.tenant(tenant) else {
        bail!("{}", define::unknown_tenant(&log.definitions, tenant));
    };
    let mut source = in_force.source.clone();
    source.tenant.name = Some(name);
    define::publish(
        log.clone(),
        Bundle::from_sources(vec![source], author),
        json,
    )
    .await
}

async fn list(config: &Config, json: bool) -> anyhow::Result<()> {
    let projections = Projections::connect(&config.database).await?;
    let tenants = projections.tenant_overviews().await?.into_iter();
    let tenants: Vec<Listed> = tenants.map(Listed::from).collect();
    if json {
        return output::json(&tenants);
    }
    if tenants.is_empty() {
        output::line("no tenant is defined: define one with `tidemark define apply FILE`");
        return Ok(());
    }
    output::line(
        "customers     events     parked   deferred  version  last event                tenant",
    );
    for tenant in &tenants {
        output::line(tenant.to_text());
    }
    Ok(())
}

impl Listed {
    fn to_text(&self) -> String {
        let TenantOverview {
            tenant,
            name,
            definitions,
            customers,
            events,
            parked,
            deferred,
            offboarding,
            ..
        } = &self.overview;
        let version = definitions.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let last = self.last_event_at;
        let last = last.map_or_else(|| "none".to_owned(), |at| at.to_string());
        let name = name.as_ref().map(|name| format!(" ({name})"));
        let name = name.unwrap_or_default();
        let offboarding = match offboarding {
            0 => String::new(),
            partitions => format!(", being offboarded: rows are left in {partitions} partitions"),
        };
        format!(
            "{customers:>9} {events:>10} {parked:>10} {deferred:>10} {version:>8}  {last:<24}  \
             {tenant}{name}{offboarding}"
        )
    }
}

impl From<TenantOverview> for Listed {
    fn from(overview: TenantOverview) -> Self {
        Self {
            last_event_at: overview.last_event.and_then(Instant::from_micros),
            overview,
        }
    }
}
