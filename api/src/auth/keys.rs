//! The keys that verify tokens. The key determines the algorithm, never the token: a token that is
//! signed with HS256 and the text of an RSA key, with `none`, or with a key of another type matches
//! no key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Unauthenticated;

/// The minimum of RFC 7518, section 3.3. Shorter keys can be broken.
const MIN_RSA_BYTES: usize = 2048 / 8;
/// The maximum size of an RSA key. A larger one would only cost time to verify with.
const MAX_RSA_BYTES: usize = 8192 / 8;

/// The identity of a key, whatever its id: equal for equal key and algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn new(algorithm: Algorithm, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(format!("{algorithm:?}"));
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// A key that verifies tokens.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) fingerprint: Fingerprint,
    pub(super) decoding: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The keys that are current at one time.
#[derive(Debug, Clone)]
pub(super) struct Keys(Vec<Key>);

/// The reason why a JSON Web Key Set cannot be used, with the reasons for single keys in its text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidSet {
    #[error("it is not a JSON Web Key Set: {0}")]
    Json(#[from] serde_json::Error),
    #[error("none of its {} keys can be used: {}", .0.len(), .0.join("; "))]
    NothingUsable(Vec<String>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Returns the single key of a shared secret, for development.
    pub(super) fn from_secret(secret: &str) -> Self {
        let algorithm = Algorithm::HS256;
        Self(vec![Key {
            id: None,
            algorithm,
            fingerprint: Fingerprint::new(algorithm, &[secret.as_bytes()]),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }])
    }

    /// Parses a JSON Web Key Set (RFC 7517). Keys of unknown types or for other uses are skipped, as
    /// it requires. A set with keys, none of which is usable, is an error. An empty set is valid: it
    /// revokes every key.
    pub(super) fn from_set(text: &[u8]) -> Result<Self, InvalidSet> {
        let set = serde_json::from_slice::<Set>(text)?;
        let (mut keys, mut refused) = (Vec::new(), Vec::new());
        for value in set.keys {
            let name = value["kid"].as_str().unwrap_or("without kid").to_owned();
            let usable = serde_json::from_value::<Jwk>(value)
                .map_err(|error| error.to_string())
                .and_then(|jwk| key_from_jwk(&jwk));
            match usable {
                Ok(key) => keys.push(key),
                Err(reason) => refused.push(format!("{name:?} {reason}")),
            }
        }
        if keys.is_empty() && !refused.is_empty() {
            return Err(InvalidSet::NothingUsable(refused));
        }
        if !refused.is_empty() {
            tracing::debug!(skipped = refused.join("; "), "keys were skipped");
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the key that a token with this header must be signed with.
    pub(super) fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&Key, Unauthenticated> {
        // A single key without an id matches every token.
        let is_only = matches!(self.0.as_slice(), [Key { id: None, .. }]);
        let is_named = |key: &&Key| is_only || id.is_none() || key.id.as_deref() == id;
        let mut named = self.0.iter().filter(is_named).peekable();
        if named.peek().is_none() {
            return Err(Unauthenticated::Key);
        }
        let mut matching = named.filter(|key| key.algorithm == algorithm);
        match (matching.next(), matching.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Unauthenticated::Algorithm),
            // To try several keys would multiply the cost of a forged token.
            (Some(_), Some(_)) => Err(Unauthenticated::Key),
        }
    }

    /// Returns true if this key is current.
    pub(super) fn contains(&self, fingerprint: Fingerprint) -> bool {
        self.0.iter().any(|key| key.fingerprint == fingerprint)
    }

    /// Returns true if these are the same keys with the same ids.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let identity = |key: &Key| (key.id.clone(), key.fingerprint);
        self.0.len() == other.0.len()
            && self.0.iter().map(identity).eq(other.0.iter().map(identity))
    }
}

fn key_from_jwk(jwk: &Jwk) -> Result<Key, String> {
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Err("is not for signatures".to_owned());
    }
    let operations = common.key_operations.as_deref();
    if operations.is_some_and(|named| !named.contains(&KeyOperations::Verify)) {
        return Err("is not for verifying".to_owned());
    }
    let decode = |text: &str| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|error| format!("is not base64url: {error}"))
    };
    let (algorithm, name, parts) = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            let (modulus, exponent) = (decode(&key.n)?, decode(&key.e)?);
            let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
            if !(MIN_RSA_BYTES..=MAX_RSA_BYTES).contains(&significant) {
                return Err(format!("is an RSA key of {} bits", significant * 8));
            }
            let parts = vec![modulus, exponent];
            (Algorithm::RS256, KeyAlgorithm::RS256, parts)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            let parts = vec![decode(&key.x)?, decode(&key.y)?];
            (Algorithm::ES256, KeyAlgorithm::ES256, parts)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            let parts = vec![decode(&key.x)?];
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA, parts)
        }
        // A published secret is no secret.
        AlgorithmParameters::OctetKey(_) => return Err("is a shared secret".to_owned()),
        _ => return Err("has a type or curve that is not supported".to_owned()),
    };
    if common.key_algorithm.is_some_and(|stated| stated != name) {
        return Err("is for an algorithm that is not supported".to_owned());
    }
    let decoding = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Ok(Key {
        id: common.key_id.clone(),
        algorithm,
        fingerprint: Fingerprint::new(algorithm, &parts),
        decoding,
    })
}
