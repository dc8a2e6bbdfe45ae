//! Who asks: tokens and roles, and who lets nobody else in.
//!
//! A token names one tenant and one role; nothing else in a request can. [`keys`] are what tokens
//! are checked with, [`ring`] is where they come from and how they change, [`verifier`] checks.

mod keys;
mod ring;
mod verifier;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use tidemark_schemas::TenantId;

pub(crate) use self::ring::KeyRing;
pub(crate) use self::verifier::{TokenId, Verified, Verifier, check_config};
use crate::http::Problem;
use crate::{ApiError, Service};

/// RFC 7518 asks for a key as long as the hash; a shorter one can be found by trying.
pub const MIN_SECRET_BYTES: usize = 32;
/// More would be a second lifetime, not a difference of clocks.
pub const MAX_LEEWAY_SECONDS: u64 = 300;

/// What the bearer of a token may do in its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything of the tenant; each access to personal attributes is audited.
    Admin,
    /// Like [`Role::Admin`] for now: what only administrators may do is not read but changed.
    Analyst,
    /// Reads everything but the values of personal attributes.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Analyst, Self::Viewer];

    /// As in the `role` claim.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::Viewer => "viewer",
        }
    }

    /// Whether values of personal attributes are shown.
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

/// Not the name of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role: expected admin, analyst or viewer")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// What a token of ours says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made the token.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// Who bears it: recorded when personal attributes are read.
    pub sub: String,
    /// Issued at, in seconds since 1970.
    pub iat: u64,
    /// Expires at, in seconds since 1970.
    pub exp: u64,
    /// Not valid before, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The only tenant it opens.
    pub tenant: TenantId,
    /// What it may do there.
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

/// Who asks, once the token is believed.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The only tenant whose rows this request can reach.
    pub(crate) tenant: TenantId,
    pub(crate) role: Role,
    pub(crate) subject: String,
}

/// Why a request has no caller. The wording is the client's help and gives nothing away: it depends
/// on the token alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unauthenticated {
    #[error("a bearer token is needed")]
    Missing,
    #[error("the Authorization header is not of the form `Bearer <token>`")]
    Malformed,
    #[error("the token is not a valid JSON web token for this API")]
    Invalid,
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    #[error("the token is signed with a key that is not known, or not any more")]
    Key,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token lacks a claim or has one of a wrong form: iss, aud, sub, exp, tenant, role")]
    Claims,
}

impl Unauthenticated {
    /// The `WWW-Authenticate` challenge of RFC 6750: no error code where no token was sent.
    pub(crate) fn challenge(self) -> String {
        match self {
            Self::Missing => "Bearer realm=\"tidemark\"".to_owned(),
            Self::Malformed => "Bearer realm=\"tidemark\", error=\"invalid_request\"".to_owned(),
            _ => format!(
                "Bearer realm=\"tidemark\", error=\"invalid_token\", error_description=\"{self}\""
            ),
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
        // Two would let a proxy and us believe different ones.
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

/// Who asks, by the request's token.
///
/// A token seen before costs a look into a table. Any other costs the peer a piece of its share,
/// before its signature is looked at.
pub(crate) async fn authenticate(
    service: &Service,
    request: &mut Request,
) -> Result<Arc<Verified>, Problem> {
    let verifier = service.verifier();
    let token = bearer_token(request.headers());
    let known = token.ok().and_then(|token| verifier.known(token));
    let good = if let Some(good) = known {
        good
    } else {
        service.rates().peers.draw(request).inspect_err(|_| {
            service.admission_metrics().limited("peer");
        })?;
        verifier.verify(token?).await?
    };
    tracing::Span::current().record("tenant", good.caller.tenant.as_str());
    Ok(good)
}

#[cfg(test)]
mod tests;
