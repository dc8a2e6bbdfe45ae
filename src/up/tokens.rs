//! Development tokens, signed with a shared key.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use tidemark_api::auth::{Claims, Role, issue_token};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::TenantId;

use crate::config::{Auth, Secret};
use crate::failure::Usage;

/// The lifetime of the tokens of an `up`: longer than one usually runs.
const UP_TOKENS: Duration = Duration::from_hours(30 * 24);

/// Issues and signs tokens.
#[derive(Debug, Clone)]
pub struct Signer {
    issuer: String,
    audience: String,
    secret: Secret,
}

impl Signer {
    /// Creates a signer with the configured key, issuer and audience.
    pub fn new(auth: &Auth) -> Result<Self, Usage> {
        let secret = auth.hs256_secret.clone().ok_or_else(|| {
            Usage::new(
                "no key to sign tokens with: set api.auth.hs256_secret_file, or \
                 TIDEMARK_API__AUTH__HS256_SECRET, or use a running `tidemark up` with --up",
            )
        })?;
        Ok(Self {
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            secret,
        })
    }

    /// Issues a token for a tenant and role. It expires by real time, even with `--clock`.
    pub fn issue(
        &self,
        tenant: &TenantId,
        role: Role,
        subject: &str,
        ttl: Duration,
    ) -> anyhow::Result<String> {
        let now = u64::try_from(WallClock::System.now().micros() / 1_000_000)
            .context("the clock is before 1970")?;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: subject.to_owned(),
            iat: now,
            exp: now.saturating_add(ttl.as_secs()),
            nbf: None,
            tenant: tenant.clone(),
            role,
        };
        issue_token(self.secret.reveal(), &claims).context("cannot sign a token")
    }

    /// Issues a token for each role in a tenant, by the role's name.
    pub fn every_role(&self, tenant: &TenantId) -> anyhow::Result<BTreeMap<String, String>> {
        Role::ALL
            .into_iter()
            .map(|role| Ok((role.to_string(), self.issue(tenant, role, "up", UP_TOKENS)?)))
            .collect()
    }
}
