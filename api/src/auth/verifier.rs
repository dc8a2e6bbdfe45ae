//! Verifies tokens, and caches the valid ones.
//!
//! A signature is verified once. The expiry of the token and of its key are checked each time, so a
//! cached token is never valid for longer than one that is not cached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Validation, get_current_timestamp};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tidemark_schemas::TenantId;

use super::keys::{Fingerprint, Key, Keys};
use super::metrics::AuthMetrics;
use super::ring::KeyRing;
use super::{Caller, MAX_LEEWAY_SECONDS, Role, Unauthenticated};
use crate::{ApiError, AuthConfig};

/// The maximum length of a token, in bytes. A longer one is refused unread.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;
const MAX_SUBJECT_BYTES: usize = 255;
/// The number of cached tokens: some 10 MB.
const CACHED_TOKENS: u64 = 20_000;
const CACHED_FOR: Duration = Duration::from_mins(10);

/// The SHA-256 of a token, which identifies it without disclosing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenId([u8; 32]);

impl TokenId {
    fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// A verified token: its caller, its lifetime and its key.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) caller: Caller,
    pub(crate) token: TokenId,
    expires: u64,
    begins: Option<u64>,
    key: Fingerprint,
}

/// The claims beside those that [`Validation`] checks. A repeated claim is an error of serde.
#[derive(Deserialize)]
struct OurClaims {
    sub: String,
    tenant: TenantId,
    role: Role,
    exp: u64,
    #[serde(default)]
    nbf: Option<u64>,
}

/// The reason why a token cannot be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifyError {
    /// The token is not valid.
    Unauthenticated(Unauthenticated),
    /// No keys could be read so far.
    NoKeys,
}

impl From<Unauthenticated> for VerifyError {
    fn from(reason: Unauthenticated) -> Self {
        Self::Unauthenticated(reason)
    }
}

/// Verifies tokens.
pub(crate) struct Verifier {
    ring: Arc<KeyRing>,
    /// The rules for claims, without the algorithm, which the key determines.
    validation: Validation,
    cache: Cache<TokenId, Arc<Verified>>,
    metrics: AuthMetrics,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// Checks that the configuration excludes tokens of other issuers and audiences, and expired ones.
pub(crate) fn check_config(config: &AuthConfig) -> Result<(), ApiError> {
    if config.issuer.is_empty() {
        return Err(ApiError::EmptyClaim("issuer"));
    }
    if config.audience.is_empty() {
        return Err(ApiError::EmptyClaim("audience"));
    }
    if config.leeway_seconds > MAX_LEEWAY_SECONDS {
        return Err(ApiError::LongLeeway {
            seconds: config.leeway_seconds,
            maximum: MAX_LEEWAY_SECONDS,
        });
    }
    Ok(())
}

impl Verifier {
    pub(crate) fn new(
        config: &AuthConfig,
        ring: Arc<KeyRing>,
        metrics: AuthMetrics,
    ) -> Result<Self, ApiError> {
        check_config(config)?;
        let mut validation = Validation {
            leeway: config.leeway_seconds,
            validate_nbf: true,
            ..Validation::default()
        };
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self {
            ring,
            validation,
            cache: Cache::builder()
                .max_capacity(CACHED_TOKENS)
                .time_to_live(CACHED_FOR)
                .build(),
            metrics,
        })
    }

    /// Returns the cached token, if it is still valid.
    pub(crate) fn known(&self, token: &str) -> Option<Arc<Verified>> {
        let verified = self.cache.get(&TokenId::new(token))?;
        let now = get_current_timestamp();
        let leeway = self.validation.leeway;
        let has_expired = verified.expires < now.saturating_sub(leeway);
        let has_begun = verified.begins.is_none_or(|begins| begins <= now + leeway);
        let is_in_force = self.ring.keys()?.contains(verified.key);
        if has_expired || !has_begun || !is_in_force {
            // A full verification finds the reason, which the response states.
            return None;
        }
        self.metrics.tokens_known.inc();
        Some(verified)
    }

    /// Verifies a token, and caches it if it is valid. If its key is unknown, the keys are refreshed
    /// first.
    pub(crate) async fn verify(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        let mut checked = self.check(token);
        if matches!(
            checked,
            Err(VerifyError::Unauthenticated(Unauthenticated::Key))
        ) {
            self.ring.refresh_for_unknown_key().await;
            checked = self.check(token);
        }
        let verified = Arc::new(checked?);
        self.cache.insert(verified.token, Arc::clone(&verified));
        Ok(verified)
    }

    /// Verifies a token with the current keys.
    pub(super) fn check(&self, token: &str) -> Result<Verified, VerifyError> {
        let keys = self.ring.keys().ok_or(VerifyError::NoKeys)?;
        Ok(self.check_with(&keys, token)?)
    }

    fn check_with(&self, keys: &Keys, token: &str) -> Result<Verified, Unauthenticated> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Unauthenticated::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(header_error)?;
        // RFC 7515: critical extensions must be supported, and none is.
        if header.crit.is_some() {
            return Err(Unauthenticated::Invalid);
        }
        let key = keys.find(header.kid.as_deref(), header.alg)?;
        self.metrics.tokens_checked.inc();
        let claims = self.claims(key, token)?;
        // The subject is written to the audit table, and text in Postgres has no NUL.
        let subject_is_valid = !claims.sub.is_empty()
            && claims.sub.len() <= MAX_SUBJECT_BYTES
            && !claims.sub.chars().any(char::is_control);
        if !subject_is_valid {
            return Err(Unauthenticated::Claims);
        }
        Ok(Verified {
            caller: Caller {
                tenant: claims.tenant,
                role: claims.role,
                subject: claims.sub,
            },
            token: TokenId::new(token),
            expires: claims.exp,
            begins: claims.nbf,
            key: key.fingerprint,
        })
    }

    fn claims(&self, key: &Key, token: &str) -> Result<OurClaims, Unauthenticated> {
        let mut validation = self.validation.clone();
        validation.algorithms = vec![key.algorithm];
        let token = jsonwebtoken::decode::<OurClaims>(token, &key.decoding, &validation)?;
        Ok(token.claims)
    }
}

/// Returns the reason for an invalid header: an unknown algorithm, or not a token at all.
fn header_error(error: jsonwebtoken::errors::Error) -> Unauthenticated {
    match Unauthenticated::from(error) {
        Unauthenticated::Algorithm => Unauthenticated::Algorithm,
        _ => Unauthenticated::Invalid,
    }
}

#[cfg(test)]
impl Verifier {
    pub(super) fn metrics(&self) -> &AuthMetrics {
        &self.metrics
    }

    /// Returns the number of cached tokens.
    pub(super) fn cached(&self) -> u64 {
        self.cache.run_pending_tasks();
        self.cache.entry_count()
    }
}
