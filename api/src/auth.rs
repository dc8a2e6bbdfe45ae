//! Who asks: tokens, roles, and the middleware that lets nobody else in.
//!
//! A token names one tenant and one role; nothing else in a request can. Tokens are HS256 with a
//! shared secret, which suits development and single deployments.

use std::fmt;
use std::str::FromStr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tidemark_schemas::TenantId;

use crate::problem::Problem;
use crate::{ApiError, AuthConfig, Service};

/// RFC 7518 asks for a key as long as the hash; a shorter one can be found by trying.
pub const MIN_SECRET_BYTES: usize = 32;
/// More would be a second lifetime, not a difference of clocks.
pub const MAX_LEEWAY_SECONDS: u64 = 300;
/// Longer ones are refused unread.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
const MAX_SUBJECT_BYTES: usize = 255;

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

/// The claims beside those [`Validation`] checks. A repeated one is an error of serde.
#[derive(Deserialize)]
struct OurClaims {
    sub: String,
    tenant: TenantId,
    role: Role,
}

/// Checks tokens.
pub(crate) struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    pub(crate) fn new(config: &AuthConfig) -> Result<Self, ApiError> {
        check_secret(&config.hs256_secret)?;
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
        // The algorithm is the key's, never the token's: `none` and a swap to another family fail.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = config.leeway_seconds;
        validation.validate_nbf = true;
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self {
            key: DecodingKey::from_secret(config.hs256_secret.as_bytes()),
            validation,
        })
    }

    /// The caller of a request with these headers.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Unauthenticated> {
        self.verify(bearer_token(headers)?)
    }

    fn verify(&self, token: &str) -> Result<Caller, Unauthenticated> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Unauthenticated::Invalid);
        }
        let token = jsonwebtoken::decode::<OurClaims>(token, &self.key, &self.validation)?;
        // RFC 7515: extensions marked critical must be understood, and we understand none.
        if token.header.crit.is_some() {
            return Err(Unauthenticated::Invalid);
        }
        let claims = token.claims;
        // It goes into the audit table: PostgreSQL has no NUL in text.
        let sub_is_sane = !claims.sub.is_empty()
            && claims.sub.len() <= MAX_SUBJECT_BYTES
            && !claims.sub.chars().any(char::is_control);
        if !sub_is_sane {
            return Err(Unauthenticated::Claims);
        }
        Ok(Caller {
            tenant: claims.tenant,
            role: claims.role,
            subject: claims.sub,
        })
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

/// Middleware of every route under `/v1`: puts the [`Caller`] into the request, or answers 401.
pub(crate) async fn authenticate(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = service.verifier().caller(request.headers())?;
    tracing::Span::current().record("tenant", caller.tenant.as_str());
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests;
