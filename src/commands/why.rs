//! `tidemark why`: explains why a customer is in a segment, or not.

use anyhow::{anyhow, bail};
use serde::Serialize;
use serde_json::Value;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::explain::{Explanation, Reason, explain};
use tidemark_schemas::{CustomerId, Instant, TenantId};

use crate::config::Config;
use crate::database::{Current, Projections};
use crate::failure::nearest;
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark why --up acme c-17 at_risk\n\n\
    Reads Postgres, at the clock of the customer's partition. Values of personal attributes are\n\
    masked.")]
pub(crate) struct Arguments {
    /// The tenant
    tenant: TenantId,
    /// The customer's id
    customer: CustomerId,
    /// The segment [default: every one]
    segment: Option<String>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The explanations for one customer.
#[derive(Debug, Serialize)]
struct Why {
    tenant: TenantId,
    customer: CustomerId,
    /// The instant at which the explanations hold.
    as_of: Instant,
    /// The version of the tenant's definitions.
    definitions: i64,
    /// The explanations, ordered by the segments' names.
    explanations: Vec<Explanation>,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let Arguments {
        tenant,
        customer,
        segment,
        json,
    } = arguments;
    let projections = Projections::connect(&config.database).await?;
    let topic = &config.kafka.topic;
    let stored = projections.customer(&tenant, &customer, topic).await?;
    let stored = stored.ok_or_else(|| {
        anyhow!(
            "tenant {tenant} has no customer {customer}: none of its events is folded (see \
             `tidemark status` and `tidemark parked list --tenant {tenant}`)"
        )
    })?;
    let definitions = projections.definitions(&tenant, stored.definition_version);
    let definitions = definitions.await?;
    let current = stored.current(&definitions)?;
    // An attribute is masked from the moment it is declared personal.
    let newest = projections.definitions(&tenant, i64::MAX).await?;
    let mut explanations = explain_segments(&current, &definitions, segment.as_deref())?;
    let is_personal = |name: &str| definitions.is_personal(name) || newest.is_personal(name);
    let hidden = definitions.derived_from(is_personal);
    for explanation in &mut explanations {
        explanation.mask(&hidden);
    }
    let why = Why {
        tenant,
        customer,
        as_of: current.as_of,
        definitions: definitions.version,
        explanations,
    };
    if json {
        return output::json(&why);
    }
    output::line(format!(
        "{}/{} at {}, definitions {}",
        why.tenant, why.customer, why.as_of, why.definitions
    ));
    for explanation in &why.explanations {
        output::line(to_text(explanation));
    }
    Ok(())
}

fn explain_segments(
    current: &Current,
    definitions: &TenantDefinitions,
    segment: Option<&str>,
) -> anyhow::Result<Vec<Explanation>> {
    let segments = definitions.segments.iter();
    let mut names: Vec<&str> = segments.map(|other| &*other.name).collect();
    names.sort_unstable();
    if let Some(segment) = segment {
        if !names.contains(&segment) {
            let tenant = &definitions.id;
            match nearest(segment, names) {
                Some(near) => {
                    bail!("tenant {tenant} has no segment {segment}; did you mean {near}?")
                }
                None => bail!(
                    "tenant {tenant} has no segment {segment}: `tidemark define list` prints those \
                     it has"
                ),
            }
        }
        names = vec![segment];
    }
    let Current { customer, as_of } = current;
    let (state, evaluated) = (customer.state(), customer.evaluated());
    let explain = |name: &str| explain(state, evaluated, definitions, name, *as_of);
    Ok(names.into_iter().filter_map(explain).collect())
}

fn to_text(explanation: &Explanation) -> String {
    let (member, verb) = if explanation.member {
        ("in", "leaves")
    } else {
        ("not in", "enters")
    };
    let since = explanation.since.map(|since| format!(" since {since}"));
    let changes_at = explanation.changes_at;
    let changes = changes_at.map(|at| format!(", {verb} at {at} without further events"));
    let mut lines = vec![format!(
        "\n{member} {}{}{}",
        explanation.segment,
        since.unwrap_or_default(),
        changes.unwrap_or_default()
    )];
    add_reason(&explanation.why, "  ", &mut lines);
    lines.join("\n")
}

/// Adds a condition, the values found, and its inner conditions with more indent.
fn add_reason(reason: &Reason, indent: &str, lines: &mut Vec<String>) {
    let holds = if reason.holds { "yes" } else { "no " };
    let asked = reason.asked.as_ref().map(|asked| format!(" {asked}"));
    let until = reason.changes_at.map(|at| format!(" (until {at})"));
    lines.push(format!(
        "{indent}{holds} {}{}{}",
        reason.kind,
        asked.unwrap_or_default(),
        until.unwrap_or_default()
    ));
    for (name, value) in reason.found.iter().flatten() {
        if *value != Value::Null {
            lines.push(format!("{indent}      {name}: {value}"));
        }
    }
    for inner in &reason.of {
        add_reason(inner, &format!("{indent}  "), lines);
    }
}
