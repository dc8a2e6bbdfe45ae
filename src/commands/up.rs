//! `tidemark up`

use std::path::PathBuf;

use anyhow::anyhow;
use tidemark_projections::definitions::Bundle;
use tidemark_schemas::{Instant, TenantId};

use crate::config::{Config, user_name};
use crate::output;
use crate::up::stack::{Stack, StackOptions};

/// The tenant that exists, and has tokens, before any other is defined.
const DEVELOPMENT_TENANT: &str = "dev";

/// The clients that the embedded broker answers in a form that they understand.
const EMBEDDED_CLIENTS: &str = "            for librdkafka's clients (confluent-kafka, kcat), kafkajs and \
    aiokafka;\n            Java, franz-go and sarama need a real broker: --kafka HOST:PORT";

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark up --port 8080 &\n  \
    tidemark define apply --up tenant.yaml\n  \
    tidemark publish --up events.jsonl\n\n\
    Writes up.json in its data directory: addresses, and tokens by tenant and role. The embedded\n\
    broker and the database lose their data when the process ends, unless --kafka names a real\n\
    broker. The embedded broker serves librdkafka's clients, kafkajs and aiokafka. Java, franz-go\n\
    and sarama do not understand it: use --kafka for them (docs/producers.md).")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Use this Kafka broker instead of the embedded one (host:port)
    #[arg(long, value_name = "BOOTSTRAP")]
    pub(crate) kafka: Option<String>,
    /// Use this schema registry instead of the development one
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// A fixed instant instead of the wall clock (RFC 3339), for historic data
    #[arg(long, value_name = "TIME")]
    clock: Option<Instant>,
}

/// The data directory and the ports of an `up`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Place {
    /// Directory of up.json and, with --kafka, of the database's files
    #[arg(long, value_name = "DIR", default_value = ".tidemark")]
    pub(crate) data_dir: PathBuf,
    /// Port of the API; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Partitions of the topic of events, if it is created
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=1024))]
    pub(crate) partitions: i32,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let Arguments {
        place,
        kafka,
        registry,
        clock,
    } = arguments;
    let options = StackOptions {
        data_dir: place.data_dir,
        port: place.port,
        partitions: place.partitions,
        kafka,
        registry,
        clock,
        tenants: vec![TenantId::new(DEVELOPMENT_TENANT)?],
        first_definitions: Some(development_tenant()?),
    };
    let mut stack = Stack::start(options, config).await?;
    announce(&stack);
    let ended = stack.watch().await;
    output::note("stopping");
    let stopped = stack.stop().await;
    ended.and(stopped)
}

/// Returns the definitions of the development tenant: with them, its events are folded.
fn development_tenant() -> anyhow::Result<Bundle> {
    let text = format!("tenant: {{ id: {DEVELOPMENT_TENANT}, zone: UTC, currency: EUR }}\n");
    let file = ("the tenant of up".to_owned(), text);
    Bundle::from_files(&[file], &user_name()).map_err(|errors| {
        anyhow!(
            "{}",
            errors.iter().map(ToString::to_string).collect::<String>()
        )
    })
}

/// Prints the address of every part.
pub(crate) fn announce(stack: &Stack) {
    let up = &stack.up;
    let (broker, clients) = if up.embedded_broker {
        (" (embedded, in memory)", Some(EMBEDDED_CLIENTS))
    } else {
        ("", None)
    };
    for text in [
        "Tidemark is up.".to_owned(),
        format!("  API       {}", up.api_url),
        format!("  Kafka     {}{broker}", up.kafka_bootstrap),
        clients.unwrap_or_default().to_owned(),
        format!("  registry  {}", up.registry_url),
        format!("  metrics   {}", up.metrics_url),
        format!(
            "  details   {} (tokens, URL of the database)",
            stack.up_file().display()
        ),
        "Press Ctrl-C to stop it.".to_owned(),
    ] {
        if !text.is_empty() {
            output::line(text);
        }
    }
}
