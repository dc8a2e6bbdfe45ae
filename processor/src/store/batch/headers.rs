//! The headers of a parked record as JSON: `[[name, base64 value or null], …]`.
//!
//! A name is a string, or `{"base64": "…"}` if it is not UTF-8. Earlier versions kept such a header
//! under the name U+FFFD without its value; those rows read as they were written.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use tidemark_kafka::headers::Header;

use crate::store::error::StoreError;

/// A name as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Bytes { base64: String },
}

impl Name {
    fn encode(header: &Header) -> Self {
        match header.name_as_text() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes {
                base64: BASE64.encode(&header.name),
            },
        }
    }

    fn decode(self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Bytes { base64 } => BASE64.decode(base64),
        }
    }
}

pub(super) fn encode_headers(headers: &[Header]) -> Vec<u8> {
    let pairs = headers.iter().map(|header| {
        let value = header.value.as_ref().map(|value| BASE64.encode(value));
        serde_json::json!([Name::encode(header), value])
    });
    serde_json::Value::Array(pairs.collect())
        .to_string()
        .into_bytes()
}

pub(super) fn decode_headers(json: &[u8]) -> Result<Vec<Header>, StoreError> {
    let damaged = |error: &dyn std::fmt::Display| {
        StoreError::Damaged(format!("the headers of a parked event: {error}"))
    };
    let pairs: Vec<(Name, Option<String>)> =
        serde_json::from_slice(json).map_err(|error| damaged(&error))?;
    pairs
        .into_iter()
        .map(|(name, value)| {
            let value = value.map(|text| BASE64.decode(text)).transpose();
            Ok(Header {
                name: name.decode().map_err(|error| damaged(&error))?,
                value: value.map_err(|error| damaged(&error))?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn header(name: &[u8], value: Option<&[u8]>) -> Header {
        Header {
            name: name.to_vec(),
            value: value.map(<[u8]>::to_vec),
        }
    }

    #[test]
    fn stored_headers_read_as_they_were_encoded() {
        let headers = [
            header(b"before", Some(b"1")),
            header(b"\xff\xfe", Some(b"2")),
            header(b"", None),
            header("\u{fffd}".as_bytes(), Some(b"")),
            header(b"\"{\\\n", Some(b"\0\xff")),
        ];
        let json = encode_headers(&headers);
        assert_eq!(
            std::str::from_utf8(&json).unwrap(),
            "[[\"before\",\"MQ==\"],[{\"base64\":\"//4=\"},\"Mg==\"],[\"\",null],[\"\u{fffd}\",\"\"],\
             [\"\\\"{\\\\\\n\",\"AP8=\"]]"
        );
        assert_eq!(decode_headers(&json).unwrap(), headers);
    }

    #[test]
    fn rows_of_earlier_versions_read_as_they_were_written() {
        let json = "[[\"trace\",\"MQ==\"],[\"\u{fffd}\",null]]";
        assert_eq!(
            decode_headers(json.as_bytes()).unwrap(),
            [
                header(b"trace", Some(b"1")),
                header("\u{fffd}".as_bytes(), None)
            ]
        );
    }

    #[test]
    fn damaged_headers_are_refused() {
        for json in [
            "",
            "{}",
            r#"[["a"]]"#,
            "[[null,null]]",
            r#"[["a","?"]]"#,
            r#"[[{"base64":"?"},null]]"#,
        ] {
            let error = decode_headers(json.as_bytes()).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{json}: {error}");
        }
    }
}
