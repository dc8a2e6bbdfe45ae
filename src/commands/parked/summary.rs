//! Counting parked events by source, reason and day.

use serde::Serialize;
use tidemark_processor::store::{OperatorStore, ParkedGroup};
use tidemark_schemas::TenantId;

use super::selection::{Position, parse_age};
use crate::output;

/// The events to count.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Events of this source, the `source` field of events
    #[arg(long)]
    source: Option<String>,
    /// Events of this tenant
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Events parked at most so long ago: 90s, 30m, 12h, 7d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    newer_than: Option<f64>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Group {
    day: String,
    tenant: Option<String>,
    source: Option<String>,
    reason: &'static str,
    events: i64,
    /// The bytes of their keys and values.
    bytes: i64,
    examples: Vec<Example>,
}

#[derive(Debug, Serialize)]
struct Example {
    position: String,
    detail: String,
}

impl From<ParkedGroup> for Group {
    fn from(group: ParkedGroup) -> Self {
        let example = |(partition, offset, detail)| Example {
            position: Position { partition, offset }.to_string(),
            detail,
        };
        Self {
            day: group.day,
            tenant: group.tenant,
            source: group.source,
            reason: group.reason.as_str(),
            events: group.events,
            bytes: group.bytes,
            examples: group.examples.into_iter().map(example).collect(),
        }
    }
}

pub(super) async fn summarize(store: &OperatorStore, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments {
        source,
        tenant,
        newer_than,
        json,
    } = arguments;
    let groups = store
        .summarize_parked(tenant.as_ref(), source.as_deref(), newer_than)
        .await?;
    let groups: Vec<Group> = groups.into_iter().map(Group::from).collect();
    if json {
        return output::json(&groups);
    }
    if groups.is_empty() {
        output::line("no parked event matches");
    }
    for group in groups {
        output::line(format!(
            "{}  source {}, tenant {}: {} events {}, {} bytes",
            group.day,
            group.source.as_deref().unwrap_or("unknown"),
            group.tenant.as_deref().unwrap_or("unknown"),
            group.events,
            group.reason,
            group.bytes,
        ));
        for Example { position, detail } in group.examples {
            output::line(format!("    {position}  {detail}"));
        }
    }
    Ok(())
}
