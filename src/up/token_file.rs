//! Keeping `up.json` current: a tenant that is defined later gets its tokens, too.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tidemark_schemas::TenantId;
use tokio_util::sync::CancellationToken;

use super::state_file::UpFile;
use super::tokens::Signer;
use crate::database::Generation;

/// Between two looks at who is defined.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Writes `up.json` and adds tokens to it.
#[derive(Debug)]
pub(super) struct TokenFile {
    pub(super) data_dir: PathBuf,
    pub(super) up: UpFile,
    pub(super) signer: Signer,
}

impl TokenFile {
    /// Adds the tokens of a tenant. Returns whether it had none.
    pub(super) fn add(&mut self, tenant: &TenantId) -> anyhow::Result<bool> {
        if self.up.tokens.contains_key(tenant.as_str()) {
            return Ok(false);
        }
        self.up
            .tokens
            .insert(tenant.to_string(), self.signer.every_role(tenant)?);
        Ok(true)
    }

    /// Replaces the file.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        self.up.write(&self.data_dir)
    }

    /// Adds tenants as they are defined, until told to stop.
    pub(super) async fn follow(
        mut self,
        generation: Generation,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        while shutdown
            .run_until_cancelled(tokio::time::sleep(LOOK_EVERY))
            .await
            .is_some()
        {
            let tenants = match generation.defined_tenants().await {
                Ok(tenants) => tenants,
                Err(error) => {
                    tracing::debug!(%error, "cannot look up who is defined");
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
