//! Keeps `up.json` current: tenants defined later get tokens too.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tidemark_schemas::TenantId;
use tokio_util::sync::CancellationToken;

use super::tokens::Signer;
use crate::database::Projections;
use crate::up_file::UpFile;

/// The pause between two queries of the defined tenants.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Writes `up.json` and adds tokens to it.
#[derive(Debug)]
pub(super) struct TokenFile {
    pub(super) data_dir: PathBuf,
    pub(super) up: UpFile,
    pub(super) signer: Signer,
}

impl TokenFile {
    /// Adds the tokens of a tenant; returns whether it had none.
    pub(super) fn add(&mut self, tenant: &TenantId) -> anyhow::Result<bool> {
        if self.up.tokens.contains_key(tenant.as_str()) {
            return Ok(false);
        }
        self.up
            .tokens
            .insert(tenant.to_string(), self.signer.every_role(tenant)?);
        Ok(true)
    }

    /// Writes the file.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        self.up.write(&self.data_dir)
    }

    /// Adds tenants as they are defined, until `shutdown`.
    pub(super) async fn follow(
        mut self,
        projections: Projections,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        while shutdown
            .run_until_cancelled(tokio::time::sleep(POLL_EVERY))
            .await
            .is_some()
        {
            let tenants = match projections.defined_tenants().await {
                Ok(tenants) => tenants,
                Err(error) => {
                    tracing::debug!(%error, "cannot read the defined tenants");
                    continue;
                }
            };
            let mut grown = false;
            for tenant in tenants {
                let tenant = TenantId::new(&tenant).context("a stored tenant id")?;
                grown |= self.add(&tenant)?;
            }
            if grown {
                self.write()?;
            }
        }
        Ok(())
    }
}
