//! Test support: generated keys, tokens signed with them, and verifiers with those keys.

use jsonwebtoken::jwk::Jwk;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};

use super::super::verifier::Verified;
use super::*;
use crate::KeySource;

/// A generated key of an identity provider.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pub(super) private: EncodingKey,
    pub(super) public: Value,
    pub(super) pem: String,
}

impl Signer {
    pub(super) fn new(algorithm: Algorithm, id: &str) -> Self {
        let kind = match algorithm {
            Algorithm::RS256 => &PKCS_RSA_SHA256,
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            _ => &PKCS_ED25519,
        };
        let pair = KeyPair::generate_for(kind).unwrap();
        let pem = pair.serialize_pem();
        let private = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            _ => EncodingKey::from_ed_pem(pem.as_bytes()),
        }
        .unwrap();
        let mut public = if algorithm == Algorithm::EdDSA {
            let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
            json!({"kty": "OKP", "crv": "Ed25519", "x": x})
        } else {
            let jwk = Jwk::from_encoding_key(&private, algorithm).unwrap();
            serde_json::to_value(jwk).unwrap()
        };
        public["kid"] = json!(id);
        public["use"] = json!("sig");
        Self {
            algorithm,
            private,
            public,
            pem: pair.public_key_pem(),
        }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = self.public["kid"].as_str().map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }

    pub(super) fn token(&self) -> String {
        self.sign(&claims())
    }
}

pub(super) fn set_of(keys: &[&Signer]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| &key.public).collect();
    json!({ "keys": keys }).to_string()
}

pub(super) async fn over(
    source: KeySource,
    change: impl FnOnce(&mut AuthConfig),
) -> (Arc<KeyRing>, Verifier) {
    let mut config = AuthConfig::with_keys("tidemark", "tidemark-api", source);
    change(&mut config);
    let ring = Arc::new(KeyRing::open(&config, metrics()).await.unwrap());
    let verifier = Verifier::new(&config, Arc::clone(&ring), metrics()).unwrap();
    (ring, verifier)
}

/// Returns a file with these keys, and a verifier that reads it.
pub(super) async fn file_of(keys: &[&Signer]) -> (tempfile::NamedTempFile, Arc<KeyRing>, Verifier) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set_of(keys)).unwrap();
    let (ring, verifier) = over(KeySource::JwksFile(file.path().to_owned()), |_| {}).await;
    (file, ring, verifier)
}

#[track_caller]
pub(super) fn refused(answer: Result<Arc<Verified>, VerifyError>) -> Unauthenticated {
    match answer {
        Err(VerifyError::Unauthenticated(reason)) => reason,
        other => panic!("expected a refusal of the token, got {other:?}"),
    }
}
