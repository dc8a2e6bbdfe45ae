//! The headers of a parked record as JSON: `[[name, base64 value or null], …]`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::store::error::StoreError;

/// A record's headers: names with values, in order, names possibly more than once.
type Headers = Vec<(String, Option<Vec<u8>>)>;

pub(super) fn encode_headers(headers: &[(String, Option<Vec<u8>>)]) -> Vec<u8> {
    let pairs = headers
        .iter()
        .map(|(name, value)| serde_json::json!([name, value.as_ref().map(|v| BASE64.encode(v))]));
    serde_json::Value::Array(pairs.collect())
        .to_string()
        .into_bytes()
}

pub(super) fn decode_headers(json: &[u8]) -> Result<Headers, StoreError> {
    let damaged = |error: &dyn std::fmt::Display| {
        StoreError::Damaged(format!("the headers of a parked event: {error}"))
    };
    let pairs: Vec<(String, Option<String>)> =
        serde_json::from_slice(json).map_err(|error| damaged(&error))?;
    pairs
        .into_iter()
        .map(|(name, value)| {
            let value = value.map(|text| BASE64.decode(text)).transpose();
            Ok((name, value.map_err(|error| damaged(&error))?))
        })
        .collect()
}
