//! Keys and tokens of the bench: RS256, as identity providers use.

use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use tidemark_api::auth::{Claims, Role};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::TenantId;

const KEY_ID: &str = "a bench";

/// The key that signs tokens.
pub(super) struct Keys {
    key: EncodingKey,
    jwks_file: PathBuf,
}

impl Keys {
    /// Generates keys, and writes the public key set to a folder.
    pub(super) fn new(folder: &Path) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let mut public = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
        public.common.key_id = Some(KEY_ID.to_owned());
        let set = JwkSet { keys: vec![public] };
        let jwks_file = folder.join("jwks.json");
        std::fs::write(&jwks_file, serde_json::to_string(&set).unwrap()).unwrap();
        Self { key, jwks_file }
    }

    /// Returns the settings with which the API accepts the tokens, without a limit.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let unlimited = || "0".to_owned();
        vec![
            (
                "TIDEMARK_API__AUTH__JWKS_FILE",
                self.jwks_file.display().to_string(),
            ),
            ("TIDEMARK_API__LIMITS__TENANT_PER_SECOND", unlimited()),
            ("TIDEMARK_API__LIMITS__TOKEN_PER_SECOND", unlimited()),
        ]
    }

    /// Returns a token that is valid for an hour.
    pub(super) fn token(&self, tenant: &str) -> String {
        let now = u64::try_from(WallClock::System.now().micros() / 1_000_000).unwrap();
        let claims = Claims {
            iss: "tidemark".to_owned(),
            aud: "tidemark".to_owned(),
            sub: "a bench".to_owned(),
            iat: now,
            exp: now + 3_600,
            nbf: None,
            tenant: TenantId::new(tenant).unwrap(),
            role: Role::Viewer,
        };
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(KEY_ID.to_owned());
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }
}
