//! Checks tokens, and remembers which it found good.
//!
//! A signature is checked once. Whether the token has expired and whether its key is still in force
//! is checked each time, so a token remembered is never good for longer than one that is not.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Validation, get_current_timestamp};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tidemark_schemas::TenantId;

use super::keys::{Fingerprint, Key, Keys};
use super::ring::KeyRing;
use super::{Caller, MAX_LEEWAY_SECONDS, Role, Unauthenticated};
use crate::http::Problem;
use crate::metrics::AdmissionMetrics;
use crate::{ApiError, AuthConfig};

/// Longer ones are refused unread.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;
const MAX_SUBJECT_BYTES: usize = 255;
/// Some 10 MB of remembered tokens.
const TOKENS_REMEMBERED: u64 = 20_000;
const TOKEN_FORGOTTEN: Duration = Duration::from_mins(10);

/// A token, without being one: its SHA-256. No two tokens anybody can find have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenId([u8; 32]);

impl TokenId {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// What a good token said, and on what that rests.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) caller: Caller,
    pub(crate) token: TokenId,
    expires: u64,
    begins: Option<u64>,
    key: Fingerprint,
}

/// The claims beside those [`Validation`] checks. A repeated one is an error of serde.
#[derive(Deserialize)]
struct OurClaims {
    sub: String,
    tenant: TenantId,
    role: Role,
    exp: u64,
    #[serde(default)]
    nbf: Option<u64>,
}

/// Checks tokens.
pub(crate) struct Verifier {
    ring: Arc<KeyRing>,
    /// All but the algorithm, which is the key's.
    validation: Validation,
    good: Cache<TokenId, Arc<Verified>>,
    metrics: AdmissionMetrics,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// Whether this configuration lets in only who should.
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
        metrics: AdmissionMetrics,
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
            good: Cache::builder()
                .max_capacity(TOKENS_REMEMBERED)
                .time_to_live(TOKEN_FORGOTTEN)
                .build(),
            metrics,
        })
    }

    /// What is remembered of this token, if it is still good.
    pub(crate) fn known(&self, token: &str) -> Option<Arc<Verified>> {
        let verified = self.good.get(&TokenId::of(token))?;
        let now = get_current_timestamp();
        let leeway = self.validation.leeway;
        let has_expired = verified.expires < now.saturating_sub(leeway);
        let has_begun = verified.begins.is_none_or(|begins| begins <= now + leeway);
        let is_in_force = self.ring.keys()?.holds(verified.key);
        if has_expired || !has_begun || !is_in_force {
            // Checked from the start, it gets the answer that says which of these it is.
            return None;
        }
        self.metrics.tokens_known.inc();
        Some(verified)
    }

    /// Checks a token from the start, and remembers it if it is good.
    pub(crate) async fn verify(&self, token: &str) -> Result<Arc<Verified>, Problem> {
        let mut checked = self.check(token)?;
        if checked
            .as_ref()
            .is_err_and(|error| *error == Unauthenticated::Key)
        {
            self.ring.look_again().await;
            checked = self.check(token)?;
        }
        let verified = Arc::new(checked?);
        self.good.insert(verified.token, Arc::clone(&verified));
        Ok(verified)
    }

    /// With the keys in force now; a problem where there are none yet.
    pub(super) fn check(&self, token: &str) -> Result<Result<Verified, Unauthenticated>, Problem> {
        let keys = self.ring.keys().ok_or(Problem::Unavailable {
            detail: "the keys that tokens are checked with are not known yet",
            cause: None,
        })?;
        Ok(self.check_with(&keys, token))
    }

    fn check_with(&self, keys: &Keys, token: &str) -> Result<Verified, Unauthenticated> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Unauthenticated::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(of_header)?;
        // RFC 7515: extensions marked critical must be understood, and we understand none.
        if header.crit.is_some() {
            return Err(Unauthenticated::Invalid);
        }
        let key = keys.find(header.kid.as_deref(), header.alg)?;
        self.metrics.tokens_checked.inc();
        let claims = self.claims(key, token)?;
        // It goes into the audit table: PostgreSQL has no NUL in text.
        let sub_is_sane = !claims.sub.is_empty()
            && claims.sub.len() <= MAX_SUBJECT_BYTES
            && !claims.sub.chars().any(char::is_control);
        if !sub_is_sane {
            return Err(Unauthenticated::Claims);
        }
        Ok(Verified {
            caller: Caller {
                tenant: claims.tenant,
                role: claims.role,
                subject: claims.sub,
            },
            token: TokenId::of(token),
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

/// A header that is JSON and names no algorithm of ours is told so; any other is no token.
fn of_header(error: jsonwebtoken::errors::Error) -> Unauthenticated {
    match Unauthenticated::from(error) {
        Unauthenticated::Algorithm => Unauthenticated::Algorithm,
        _ => Unauthenticated::Invalid,
    }
}

#[cfg(test)]
impl Verifier {
    /// How many good tokens are remembered.
    pub(super) fn remembered(&self) -> u64 {
        self.good.run_pending_tasks();
        self.good.entry_count()
    }
}
