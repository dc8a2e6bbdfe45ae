//! `tidemark serve`

use tidemark_schemas::Instant;

use crate::config::Config;
use crate::secrets::Secrets;
use crate::services::{Parts, api_config, connect_api, listen, serve_metrics};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    TIDEMARK_API__LISTEN=0.0.0.0:8080 tidemark --config /etc/tidemark.toml serve\n\n\
    Responses are as of the clock that the processor keeps for each partition.")]
pub(crate) struct Arguments {
    /// A fixed instant instead of the wall clock (RFC 3339), for historic data: the age of the data
    /// is measured by it
    #[arg(long, value_name = "TIME")]
    clock: Option<Instant>,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let registry = prometheus::Registry::new();
    let mut parts = Parts::new()?;
    let api = api_config(&config, arguments.clock)?;
    let listener = listen(config.api.listen, "api.listen").await?;
    let metrics = listen(config.api.metrics_listen, "api.metrics_listen").await?;
    let secrets = Secrets::from_config(&config);
    let service = connect_api(&config, api, &registry).await?;
    let told = service.clone();
    let keep = secrets.keep(parts.shutdown(), move |credentials| {
        if let Some(password) = &credentials.database_password {
            told.set_database_password(password);
        }
    });
    parts.spawn("reader of secret files", keep);
    tracing::info!("serving http://{}", listener.local_addr()?);
    parts.spawn(
        "metrics server",
        serve_metrics(metrics, registry, None, parts.shutdown()),
    );
    let shutdown = parts.shutdown();
    parts.spawn(
        "API",
        async move { Ok(service.run(listener, shutdown).await?) },
    );
    parts.run().await
}
