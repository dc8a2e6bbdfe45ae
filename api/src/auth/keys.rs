//! The keys that tokens are checked with. Each has one algorithm, which is the key's and never the
//! token's: a token signed with HS256 and the text of an RSA key, with `none`, or with the key of
//! another type finds no key to be checked with.

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

/// RFC 7518, 3.3: shorter ones can be broken.
const MIN_RSA_BYTES: usize = 2048 / 8;
/// RSA of absurd size is only a way to keep us busy.
const MAX_RSA_BYTES: usize = 8192 / 8;

/// What a key is, whatever it is called: equal for equal key and algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(algorithm: Algorithm, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(format!("{algorithm:?}"));
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// One key.
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

/// All keys in force at one time.
#[derive(Debug, Clone)]
pub(super) struct Keys(Vec<Key>);

/// Why a JSON Web Key Set cannot be used. What is not usable about single keys is in the text.
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
    /// The one key of development.
    pub(super) fn of_secret(secret: &str) -> Self {
        let algorithm = Algorithm::HS256;
        Self(vec![Key {
            id: None,
            algorithm,
            fingerprint: Fingerprint::of(algorithm, &[secret.as_bytes()]),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }])
    }

    /// Reads a JSON Web Key Set (RFC 7517). Keys of unknown types or for other uses are passed over,
    /// as it asks; a set that has keys and none for us is a mistake. An empty one is not: it says
    /// that every key is revoked.
    pub(super) fn of_set(text: &[u8]) -> Result<Self, InvalidSet> {
        let set = serde_json::from_slice::<Set>(text)?;
        let (mut keys, mut refused) = (Vec::new(), Vec::new());
        for value in set.keys {
            let name = value["kid"].as_str().unwrap_or("without kid").to_owned();
            let usable = serde_json::from_value::<Jwk>(value)
                .map_err(|error| error.to_string())
                .and_then(|jwk| key_of(&jwk));
            match usable {
                Ok(key) => keys.push(key),
                Err(reason) => refused.push(format!("{name:?} {reason}")),
            }
        }
        if keys.is_empty() && !refused.is_empty() {
            return Err(InvalidSet::NothingUsable(refused));
        }
        if !refused.is_empty() {
            tracing::debug!(passed_over = refused.join("; "), "keys not for us");
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key that a token with this header must have been signed with.
    pub(super) fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&Key, Unauthenticated> {
        // One key without a name is meant by every token.
        let is_only = matches!(self.0.as_slice(), [Key { id: None, .. }]);
        let is_meant = |key: &&Key| is_only || id.is_none() || key.id.as_deref() == id;
        let mut meant = self.0.iter().filter(is_meant).peekable();
        if meant.peek().is_none() {
            return Err(Unauthenticated::Key);
        }
        let mut fitting = meant.filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Unauthenticated::Algorithm),
            // Trying one after the other would make each guess as dear as all of them.
            (Some(_), Some(_)) => Err(Unauthenticated::Key),
        }
    }

    /// Whether this key is still in force.
    pub(super) fn holds(&self, fingerprint: Fingerprint) -> bool {
        self.0.iter().any(|key| key.fingerprint == fingerprint)
    }

    /// Whether these are the same keys under the same names.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let named = |key: &Key| (key.id.clone(), key.fingerprint);
        self.0.len() == other.0.len() && self.0.iter().map(named).eq(other.0.iter().map(named))
    }
}

fn key_of(jwk: &Jwk) -> Result<Key, String> {
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
        // A shared secret that is published is none.
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
        fingerprint: Fingerprint::of(algorithm, &parts),
        decoding,
    })
}
