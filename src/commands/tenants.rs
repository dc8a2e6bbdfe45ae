//! `tidemark tenants`

use serde::Serialize;
use tidemark_schemas::Instant;

use crate::config::Config;
use crate::database::{Projections, TenantOverview};
use crate::output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List tenants: customers, events, the last event, definitions, parked events
    #[command(after_help = "Example:\n  tidemark tenants list --json\n\n\
        Lists every tenant that is defined, or that events name: without a version, a tenant is not\n\
        defined, and its events are parked.")]
    List {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
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
    let Command::List { json } = command;
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
    output::line("customers     events     parked  version  last event                tenant");
    for tenant in &tenants {
        output::line(tenant.to_text());
    }
    Ok(())
}

impl Listed {
    fn to_text(&self) -> String {
        let TenantOverview {
            tenant,
            definitions,
            customers,
            events,
            parked,
            ..
        } = &self.overview;
        let version = definitions.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let last = self.last_event_at;
        let last = last.map_or_else(|| "none".to_owned(), |at| at.to_string());
        format!("{customers:>9} {events:>10} {parked:>10} {version:>8}  {last:<24}  {tenant}")
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
