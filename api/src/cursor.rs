//! Cursors: the end of a page, as an opaque text that the client sends back for the next one.
//!
//! A cursor carries a fingerprint of its query (tenant, route, filters), so a cursor from another
//! query is refused. It is no secret and grants nothing: the tenant comes from the token alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidemark_schemas::CustomerId;
use xxhash_rust::xxh3::Xxh3;

/// The version of the format. A cursor of another version is refused.
const FORM: u8 = 1;
const FINGERPRINT_BYTES: usize = 16;

/// The fingerprint of the query that a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question([u8; FINGERPRINT_BYTES]);

impl Question {
    /// Returns the fingerprint of the parts of a query: tenant, route and every filter, also an
    /// absent one.
    pub(crate) fn new(parts: &[Option<&str>]) -> Self {
        let mut hasher = Xxh3::new();
        for part in parts {
            // The length keeps ("ab", "c") and ("a", "bc") apart; an absent part is not an empty one.
            let length = part.map_or(u64::MAX, |text| text.len() as u64);
            hasher.update(&length.to_le_bytes());
            hasher.update(part.unwrap_or_default().as_bytes());
        }
        Self(hasher.digest128().to_be_bytes())
    }
}

/// The reason why a text is not a cursor of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidCursor {
    /// The text is no cursor.
    #[error("not a cursor of this API")]
    Malformed,
    /// The cursor belongs to another tenant, route or set of filters.
    #[error("the cursor belongs to another query: follow it with the filters it was given for")]
    Foreign,
}

/// Encodes a cursor after the last row of a page, by the key that the list is ordered by.
pub(crate) fn encode(question: &Question, last: &str) -> String {
    let mut bytes = Vec::with_capacity(1 + FINGERPRINT_BYTES + last.len());
    bytes.push(FORM);
    bytes.extend_from_slice(&question.0);
    bytes.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the last customer of the previous page.
pub(crate) fn decode(question: &Question, text: &str) -> Result<CustomerId, InvalidCursor> {
    let last = decode_text(question, text)?;
    CustomerId::new(last).map_err(|_| InvalidCursor::Malformed)
}

/// Decodes the last key of the previous page, in a list that is not ordered by customer.
pub(crate) fn decode_text(question: &Question, text: &str) -> Result<String, InvalidCursor> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| InvalidCursor::Malformed)?;
    let (form, rest) = bytes.split_first().ok_or(InvalidCursor::Malformed)?;
    if *form != FORM {
        return Err(InvalidCursor::Malformed);
    }
    let (fingerprint, last) = rest
        .split_first_chunk::<FINGERPRINT_BYTES>()
        .ok_or(InvalidCursor::Malformed)?;
    if *fingerprint != question.0 {
        return Err(InvalidCursor::Foreign);
    }
    let last = std::str::from_utf8(last).map_err(|_| InvalidCursor::Malformed)?;
    Ok(last.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn question(parts: &[Option<&str>]) -> Question {
        Question::new(parts)
    }

    #[test]
    fn decoding_inverts_encoding() {
        let asked = question(&[Some("acme"), Some("/v1/customers"), None]);
        for id in ["a", "zoë/2", "日本", &"x".repeat(255)] {
            assert_eq!(decode(&asked, &encode(&asked, id)).unwrap().as_str(), id);
        }
    }

    #[track_caller]
    fn check_foreign(given: &[Option<&str>], asked: &[Option<&str>]) {
        let cursor = encode(&question(given), "c1");
        assert_eq!(
            decode(&question(asked), &cursor),
            Err(InvalidCursor::Foreign)
        );
    }

    #[test]
    fn a_cursor_of_another_query_is_foreign() {
        let list = Some("/v1/customers");
        check_foreign(&[Some("acme"), list, None], &[Some("other"), list, None]);
        check_foreign(&[Some("acme"), list, None], &[Some("acme"), list, Some("")]);
        check_foreign(
            &[Some("acme"), list, None],
            &[Some("acme"), list, Some("high")],
        );
        check_foreign(&[Some("ab"), Some("c")], &[Some("a"), Some("bc")]);
        check_foreign(&[None, Some("x")], &[Some("x"), None]);
    }

    #[track_caller]
    fn check_malformed(text: &str) {
        let asked = question(&[Some("acme")]);
        assert_eq!(
            decode(&asked, text),
            Err(InvalidCursor::Malformed),
            "{text:?}"
        );
    }

    #[test]
    fn any_other_text_is_malformed() {
        let asked = question(&[Some("acme")]);
        check_malformed("");
        check_malformed("not base64!");
        check_malformed("AQ");
        check_malformed(&URL_SAFE_NO_PAD.encode([0_u8; 40]));
        check_malformed(&encode(&asked, ""));
        check_malformed(&encode(&asked, "a\0b"));
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&asked.0);
        bytes.extend_from_slice(&[0xff, 0xfe]);
        check_malformed(&URL_SAFE_NO_PAD.encode(bytes));
    }
}
