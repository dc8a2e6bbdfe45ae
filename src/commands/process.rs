//! `tidemark process`

use tidemark_schemas::Instant;
use tokio::sync::watch;

use crate::config::Config;
use crate::secrets::Secrets;
use crate::services::{Parts, listen, serve_metrics, start_processor, wall_clock};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tidemark --config /etc/tidemark.toml process\n\n\
    Run any number of processes: they divide the partitions among them. Run `tidemark migrate` first."
)]
pub(crate) struct Arguments {
    /// A fixed instant instead of the wall clock (RFC 3339), for historic data
    #[arg(long, value_name = "TIME")]
    clock: Option<Instant>,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let registry = prometheus::Registry::new();
    let mut parts = Parts::new()?;
    let metrics = listen(config.processor.metrics_listen, "processor.metrics_listen").await?;
    let secrets = Secrets::from_config(&config);
    let (changed, credentials) = watch::channel(secrets.credentials().clone());
    let processor = start_processor(&config, wall_clock(arguments.clock), &registry)
        .await?
        .with_credentials(credentials);
    let keep = secrets.keep(parts.shutdown(), move |credentials| {
        changed.send_replace(credentials.clone());
    });
    parts.spawn("reader of secret files", keep);
    parts.spawn(
        "metrics server",
        serve_metrics(
            metrics,
            registry,
            Some(processor.progress()),
            parts.shutdown(),
        ),
    );
    let shutdown = parts.shutdown();
    parts.spawn(
        "processor",
        async move { Ok(processor.run(shutdown).await?) },
    );
    parts.run().await
}
