//! Authentication: tokens, roles and keys.
//!
//! A token names one tenant and one role; nothing else in a request can. [`verifier`] verifies
//! tokens with [`keys`], which [`ring`] reads and refreshes.

mod keys;
mod metrics;
mod ring;
mod verifier;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use tidemark_schemas::TenantId;

pub(crate) use self::metrics::AuthMetrics;
pub(crate) use self::ring::KeyRing;
use self::verifier::VerifyError;
pub(crate) use self::verifier::{TokenId, Verified, Verifier, check_config};
use crate::ApiError;
use crate::http::{Peers, Problem};

/// The minimum length of a secret. RFC 7518 requires a key as long as the hash; a shorter one can be
/// found by brute force.
pub const MIN_SECRET_BYTES: usize = 32;
/// The maximum leeway. More would extend the lifetime of tokens rather than allow for clock skew.
pub const MAX_LEEWAY_SECONDS: u64 = 300;

/// The role of a token in its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Role {
    /// Reads all data of the tenant. Each access to personal attributes is audited.
    Admin,
    /// Reads the same as [`Role::Admin`]; the difference between them is in writes.
    Analyst,
    /// Reads all data but the values of personal attributes.
    Viewer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Analyst, Self::Viewer];

    /// Returns the role as in the `role` claim.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::Viewer => "viewer",
        }
    }

    /// Returns true if this role reads the values of personal attributes.
    pub const fn sees_personal_attributes(self) -> bool {
        match self {
            Self::Admin | Self::Analyst => true,
            Self::Viewer => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error for a text that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role: expected admin, analyst or viewer")]
pub struct UnknownRole(String);

// A derived implementation would also accept an object, such as `{"admin": null}`.
impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(text: String) -> Result<Self, UnknownRole> {
        text.parse()
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The audience.
    pub aud: String,
    /// The subject, which is recorded when personal attributes are read.
    pub sub: String,
    /// The time of issue, in seconds since 1970.
    pub iat: u64,
    /// The time of expiry, in seconds since 1970.
    pub exp: u64,
    /// The time before which the token is not valid, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The tenant that the token grants access to.
    pub tenant: TenantId,
    /// The role in that tenant.
    pub role: Role,
}

/// Signs a token with HS256.
pub fn issue_token(secret: &str, claims: &Claims) -> Result<String, ApiError> {
    check_secret(secret)?;
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).map_err(ApiError::Signing)
}

fn check_secret(secret: &str) -> Result<(), ApiError> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(ApiError::ShortSecret {
            bytes: secret.len(),
            minimum: MIN_SECRET_BYTES,
        });
    }
    Ok(())
}

/// The authenticated caller of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The tenant, which alone is visible to the request.
    pub(crate) tenant: TenantId,
    pub(crate) role: Role,
    pub(crate) subject: String,
}

/// The reason why a request is not authenticated. Its text is sent to the client. It depends on the
/// token alone, so it discloses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unauthenticated {
    #[error("a bearer token is required")]
    Missing,
    #[error("the Authorization header is not of the form `Bearer <token>`")]
    Malformed,
    #[error("the token is not a valid JSON web token for this API")]
    Invalid,
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    #[error("the token is signed with a key that is unknown or was removed")]
    Key,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token lacks a claim, or has a malformed one: iss, aud, sub, exp, tenant, role")]
    Claims,
}

impl Unauthenticated {
    /// Returns the `WWW-Authenticate` challenge of RFC 6750, without an error code if no token was
    /// sent.
    fn challenge(self) -> String {
        match self {
            Self::Missing => "Bearer realm=\"tidemark\"".to_owned(),
            Self::Malformed => "Bearer realm=\"tidemark\", error=\"invalid_request\"".to_owned(),
            _ => format!(
                "Bearer realm=\"tidemark\", error=\"invalid_token\", error_description=\"{self}\""
            ),
        }
    }
}

impl From<Unauthenticated> for Problem {
    fn from(reason: Unauthenticated) -> Self {
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Not authenticated",
            reason.to_string(),
        );
        if let Ok(challenge) = HeaderValue::try_from(reason.challenge()) {
            let headers = problem.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        problem
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Unauthenticated(reason) => reason.into(),
            VerifyError::NoKeys => {
                Self::unavailable("the keys that verify tokens are not known yet")
            }
        }
    }
}

impl From<JwtError> for Unauthenticated {
    fn from(error: JwtError) -> Self {
        match error.kind() {
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::TooEarly,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Self::Algorithm,
            ErrorKind::MissingRequiredClaim(_)
            | ErrorKind::InvalidClaimFormat(_)
            | ErrorKind::Json(_)
            | ErrorKind::InvalidSubject => Self::Claims,
            _ => Self::Invalid,
        }
    }
}

fn bearer_token(headers: &HeaderMap) -> Result<&str, Unauthenticated> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Unauthenticated::Missing)?;
    if values.next().is_some() {
        // With two headers, a proxy and this API might each use a different one.
        return Err(Unauthenticated::Malformed);
    }
    let value = value.to_str().map_err(|_| Unauthenticated::Malformed)?;
    let (scheme, token) = value.split_once(' ').ok_or(Unauthenticated::Malformed)?;
    let token = token.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(' ') {
        return Err(Unauthenticated::Malformed);
    }
    Ok(token)
}

/// Authenticates requests by their token.
#[derive(Debug)]
pub(crate) struct Authenticator {
    verifier: Verifier,
    peers: Arc<Peers>,
}

impl Authenticator {
    pub(crate) fn new(verifier: Verifier, peers: Arc<Peers>) -> Self {
        Self { verifier, peers }
    }

    /// Returns the verified token of a request.
    ///
    /// A token that was verified before costs a lookup. Any other is charged to the rate limit of
    /// the peer, before its signature is verified.
    pub(crate) async fn authenticate(
        &self,
        request: &mut Request,
    ) -> Result<Arc<Verified>, Problem> {
        let token = bearer_token(request.headers());
        let known = token.ok().and_then(|token| self.verifier.known(token));
        let verified = if let Some(verified) = known {
            verified
        } else {
            self.peers.draw(request)?;
            self.verifier.verify(token?).await?
        };
        tracing::Span::current().record("tenant", verified.caller.tenant.as_str());
        Ok(verified)
    }

    #[cfg(test)]
    pub(crate) fn metrics(&self) -> &AuthMetrics {
        self.verifier.metrics()
    }
}

#[cfg(test)]
mod tests;
