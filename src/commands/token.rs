//! `tidemark token`

use std::time::Duration;

use tidemark_api::auth::Role;
use tidemark_schemas::TenantId;

use crate::config::Config;
use crate::output;
use crate::up::tokens::Signer;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tidemark token --up --tenant dev --role analyst\n  \
    TIDEMARK_API__AUTH__HS256_SECRET_FILE=key tidemark token --tenant acme --role viewer --ttl 8h\n\n\
    Prints the token. Its key is api.auth.hs256_secret, which `tidemark serve` must have too.")]
pub(crate) struct Arguments {
    /// The tenant that the token grants access to
    #[arg(long)]
    tenant: TenantId,
    /// The role, which decides what the token may read
    #[arg(long, value_name = "admin|analyst|viewer")]
    role: Role,
    /// Time until the token expires, for example 30m, 8h or 7d
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    ttl: Duration,
    /// The subject named in the audit [default: the user's name]
    #[arg(long)]
    subject: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let signer = Signer::new(&config.api.auth)?;
    let subject = arguments
        .subject
        .clone()
        .unwrap_or_else(crate::config::user_name);
    let token = signer.issue(&arguments.tenant, arguments.role, &subject, arguments.ttl)?;
    output::line(token);
    Ok(())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = jiff::fmt::friendly::SpanParser::new()
        .parse_duration(text)
        .or_else(|_| {
            // To jiff, days are no part of a duration, since a day may have 23 hours. Here it has 24.
            let days = text
                .strip_suffix('d')
                .and_then(|days| days.parse::<i64>().ok());
            days.and_then(|days| days.checked_mul(24))
                .map(jiff::SignedDuration::from_hours)
                .ok_or_else(|| format!("`{text}` is not a duration such as 30m, 8h or 7d"))
        })?;
    match Duration::try_from(span) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err("must be longer than zero".to_owned()),
    }
}
