//! Fuzz tests: an arbitrary token is refused without a panic.

use proptest::prelude::*;

use super::*;

/// Generates text that resembles a token.
fn token_like() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(String::new()),
        Just(URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#)),
        Just(URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#)),
        Just(URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":["a"]}"#)),
        Just(URL_SAFE_NO_PAD.encode(claims().to_string())),
        "[A-Za-z0-9_-]{1,40}",
        any::<Vec<u8>>().prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.join("."))
}

/// Generates a valid token with some bytes changed.
fn nearly_good() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), "[A-Za-z0-9._=-]");
    prop::collection::vec(change, 1..4).prop_map(|changes| {
        let mut token = sign(&claims()).into_bytes();
        for (place, letter) in changes {
            let place = place.index(token.len());
            token[place] = letter.as_bytes()[0];
        }
        String::from_utf8(token).unwrap()
    })
}

fn headers(values: &[Vec<u8>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(header::AUTHORIZATION, value);
        }
    }
    headers
}

proptest! {
    #[test]
    fn arbitrary_tokens_are_refused(token in prop_oneof![token_like(), ".*"]) {
        prop_assert!(verify(&token).is_err());
        prop_assert!(verifier().known(&token).is_none());
    }

    /// The last character of a signature has unused bits, so a changed token may have the same bytes.
    #[test]
    fn a_changed_token_is_refused_or_has_the_same_claims(token in nearly_good()) {
        if let Ok(caller) = verify(&token) {
            prop_assert_eq!(caller.tenant.as_str(), "acme");
            prop_assert_eq!(caller.role, Role::Viewer);
        }
    }

    #[test]
    fn any_headers_are_read_or_refused(
        values in prop::collection::vec(
            prop_oneof![
                any::<Vec<u8>>(),
                "[Bb]earer .{0,40}".prop_map(String::into_bytes),
                token_like().prop_map(|token| format!("Bearer {token}").into_bytes()),
            ],
            0..3,
        ),
    ) {
        let headers = headers(&values);
        if let Ok(token) = bearer_token(&headers) {
            prop_assert!(!token.is_empty() && !token.contains(' '));
            prop_assert!(verify(token).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_key_set(text in any::<Vec<u8>>()) {
        prop_assert!(keys::Keys::from_set(&text).is_err());
    }
}
