//! `tidemark generate`

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::civil::Date;
use serde::Serialize;
use tidemark_schemas::{CustomerEvent, Instant, TenantId};

use crate::failure::Usage;
use crate::generate::{Industry, Scenario, Simulation, Truth};

const DAY_MICROS: i64 = 86_400_000_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    tidemark generate --industry e-commerce --customers 500 --from 2025-01-01 --to 2025-12-31 \\\n    \
    --tenant acme --truth truth.json | tidemark publish --up\n\n\
    Prints the events of simulated customers, one JSON object a line, in order of time. The same seed,\n\
    dates and version of Tidemark give the same bytes on every machine, and more customers change\n\
    nothing about the others. Matching definitions: definitions/<industry>.yaml. Do not publish events\n\
    that lie in the future: they are parked.")]
pub(crate) struct Arguments {
    /// Industry of the customers: real-estate, saas, e-commerce or financial-services
    #[arg(long, value_parser = industry)]
    industry: Industry,
    /// Number of customers
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    customers: u32,
    /// Seed of the random numbers; another seed gives other customers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first day: the first customers join on it
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The last day, in UTC
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// The tenant of the customers [default: the sample tenant of the industry]
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// Write the parameters of the simulation to a file, as JSON
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

/// The content of the file of `--truth`.
#[derive(Serialize)]
struct TruthFile<'a> {
    industry: &'a str,
    tenant: &'a str,
    seed: u64,
    customers: u32,
    from: Date,
    to: Date,
    #[serde(flatten)]
    truth: Truth,
}

fn industry(name: &str) -> Result<Industry, String> {
    let known = Industry::ALL.into_iter().find(|known| known.name() == name);
    known.ok_or_else(|| {
        let names = Industry::ALL.map(Industry::name);
        format!("expected one of {}", names.join(", "))
    })
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let begin = midnight(arguments.from)?;
    let end = midnight(arguments.to)?.plus_micros(DAY_MICROS - 1);
    if end <= begin {
        let reason = format!("--to {} is before --from {}", arguments.to, arguments.from);
        return Err(Usage::new(reason).into());
    }
    if let Some(path) = &arguments.truth {
        let truth = truth_file(arguments);
        fs::write(path, serde_json::to_string_pretty(&truth)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let scenario = Scenario {
        industries: &[arguments.industry],
        seed: arguments.seed,
        customers: arguments.customers,
        begin,
        end,
    };
    match write(&scenario, arguments.tenant.as_ref()) {
        // The reading end of the pipe has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the events"),
    }
}

fn truth_file(arguments: &Arguments) -> TruthFile<'_> {
    let industry = arguments.industry;
    let tenant = arguments.tenant.as_ref();
    TruthFile {
        industry: industry.name(),
        tenant: tenant.map_or(industry.tenant(), TenantId::as_str),
        seed: arguments.seed,
        customers: arguments.customers,
        from: arguments.from,
        to: arguments.to,
        truth: industry.truth(),
    }
}

/// Writes the events a day at a time, so that memory holds one day of them.
fn write(scenario: &Scenario<'_>, tenant: Option<&TenantId>) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let mut simulation = Simulation::new(scenario);
    let mut day = scenario.begin;
    while day <= scenario.end {
        day = day.plus_micros(DAY_MICROS);
        for event in simulation.run_until(day.plus_micros(-1)) {
            let event = match tenant {
                Some(tenant) => CustomerEvent {
                    tenant_id: tenant.clone(),
                    ..event
                },
                None => event,
            };
            writeln!(output, "{}", event.to_json())?;
        }
    }
    output.flush()
}

/// Returns the start of a day in UTC.
fn midnight(day: Date) -> anyhow::Result<Instant> {
    let zoned = day
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|error| Usage::new(format!("{day}: {error}")))?;
    Ok(Instant::from_jiff(zoned.timestamp()))
}
