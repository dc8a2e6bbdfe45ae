//! Secrets, masked wherever they would be printed.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use crate::failure::Usage;

/// The text printed in place of a secret.
pub(crate) const MASK: &str = "********";

/// A password or key, printed and serialised as a mask.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads a secret from a file, without the line feed that editors append.
    pub fn read(path: &Path) -> Result<Self, Usage> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Usage::new(format!(
                "cannot read the secret file {}: {error}",
                path.display()
            ))
        })?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Usage::new(format!(
                "the secret file {} is empty",
                path.display()
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text. Never log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Whether a librdkafka property holds a secret.
pub(super) fn is_secret_property(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "password",
        "secret",
        "jaas",
        "pem",
        "oauthbearer.config",
        "token",
    ];
    // `ssl.key.location` and `sasl.oauthbearer.token.endpoint.url` only name a place.
    let is_place = matches!(name.rsplit('.').next(), Some("url" | "location"));
    !is_place && PARTS.iter().any(|part| name.contains(part))
}

/// Whether a configuration key holds a secret, which flags may not set.
pub(super) fn is_secret_key(path: &[String]) -> bool {
    match path {
        [kafka, properties, property] if kafka == "kafka" && properties == "properties" => {
            is_secret_property(property)
        }
        [.., last] => last == "password" || last == "hs256_secret",
        [] => false,
    }
}

/// Returns the URL with its password masked.
pub(super) fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let Some((user_info, host)) = authority.rsplit_once('@') else {
        return url.to_owned();
    };
    match user_info.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{MASK}@{host}{path}"),
        None => url.to_owned(),
    }
}
