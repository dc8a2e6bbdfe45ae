//! Tests of the verification of tokens.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod garbage;
mod provider;
mod rotation;
mod signer;

use std::sync::{Arc, LazyLock};

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use jsonwebtoken::get_current_timestamp;
use serde_json::{Value, json};

use super::verifier::MAX_TOKEN_BYTES;
use super::*;
use crate::AuthConfig;

const SECRET: &str = "a secret of 32 bytes, no shorter";
const LEEWAY: u64 = 30;

fn config() -> AuthConfig {
    AuthConfig::new("tidemark", "tidemark-api", SECRET)
}

fn metrics() -> AuthMetrics {
    AuthMetrics::register(&prometheus::Registry::new()).unwrap()
}

fn opened(config: &AuthConfig) -> Result<Verifier, ApiError> {
    // A secret is available at once.
    let ring = KeyRing::open(config, metrics()).now_or_never().unwrap()?;
    Verifier::new(config, Arc::new(ring), metrics())
}

fn verifier() -> &'static Verifier {
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| opened(&config()).unwrap());
    &VERIFIER
}

fn verify(token: &str) -> Result<Caller, Unauthenticated> {
    match verifier().check(token) {
        Ok(verified) => Ok(verified.caller),
        Err(VerifyError::Unauthenticated(reason)) => Err(reason),
        Err(VerifyError::NoKeys) => panic!("a secret is a key"),
    }
}

fn claims() -> Value {
    let now = get_current_timestamp();
    json!({
        "iss": "tidemark",
        "aud": "tidemark-api",
        "sub": "ada",
        "iat": now,
        "exp": now + 60,
        "tenant": "acme",
        "role": "viewer",
    })
}

fn sign(claims: &Value) -> String {
    sign_with(&Header::new(Algorithm::HS256), claims, SECRET)
}

fn sign_with(header: &Header, claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

#[track_caller]
fn check(token: &str, expected: Unauthenticated) {
    assert_eq!(verify(token).unwrap_err(), expected);
}

/// Returns valid claims with one changed, or removed if `value` is null.
#[track_caller]
fn check_claim(name: &str, value: Value, expected: Unauthenticated) {
    let mut claims = claims();
    let fields = claims.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
    check(&sign(&claims), expected);
}

#[test]
fn a_valid_token_gives_tenant_role_and_subject() {
    let caller = verify(&sign(&claims())).unwrap();
    assert_eq!(caller.tenant.as_str(), "acme");
    assert_eq!(caller.role, Role::Viewer);
    assert_eq!(caller.subject, "ada");
}

#[test]
fn issued_tokens_are_accepted() {
    let now = get_current_timestamp();
    let claims = Claims {
        iss: "tidemark".to_owned(),
        aud: "tidemark-api".to_owned(),
        sub: "dev".to_owned(),
        iat: now,
        exp: now + 60,
        nbf: Some(now),
        tenant: TenantId::new("acme").unwrap(),
        role: Role::Admin,
    };
    let token = issue_token(SECRET, &claims).unwrap();
    assert_eq!(verify(&token).unwrap().role, Role::Admin);
}

#[test]
fn one_of_several_audiences_is_accepted() {
    let mut claims = claims();
    claims["aud"] = json!(["somebody-else", "tidemark-api"]);
    assert!(verify(&sign(&claims)).is_ok());
}

#[test]
fn expiry_and_not_before_are_checked_with_leeway() {
    let now = get_current_timestamp();
    check_claim("exp", json!(now - LEEWAY - 2), Unauthenticated::Expired);
    check_claim("exp", json!(0), Unauthenticated::Expired);
    check_claim("nbf", json!(now + LEEWAY + 60), Unauthenticated::TooEarly);
    let mut claims = claims();
    claims["exp"] = json!(now - LEEWAY / 2);
    assert!(verify(&sign(&claims)).is_ok());
}

#[test]
fn tokens_of_other_issuers_audiences_and_keys_are_refused() {
    check_claim("iss", json!("somebody-else"), Unauthenticated::Issuer);
    check_claim("aud", json!("somebody-else"), Unauthenticated::Audience);
    check_claim("aud", json!([]), Unauthenticated::Audience);
    let other = sign_with(
        &Header::new(Algorithm::HS256),
        &claims(),
        "another secret, of 32 bytes too!",
    );
    check(&other, Unauthenticated::Invalid);
}

#[test]
fn a_missing_or_malformed_claim_is_refused() {
    for name in ["iss", "aud", "sub", "exp", "tenant", "role"] {
        check_claim(name, Value::Null, Unauthenticated::Claims);
    }
    check_claim("exp", json!("tomorrow"), Unauthenticated::Claims);
    check_claim("nbf", json!("yesterday"), Unauthenticated::Claims);
    check_claim("role", json!("owner"), Unauthenticated::Claims);
    check_claim("role", json!({"admin": null}), Unauthenticated::Claims);
    check_claim("tenant", json!(""), Unauthenticated::Claims);
    check_claim("tenant", json!("a/b"), Unauthenticated::Claims);
    check_claim("tenant", json!(["acme", "other"]), Unauthenticated::Claims);
    check_claim("sub", json!(""), Unauthenticated::Claims);
    check_claim("sub", json!("a\u{0}b"), Unauthenticated::Claims);
    check_claim("sub", json!("x".repeat(256)), Unauthenticated::Claims);
}

#[test]
fn a_repeated_claim_is_refused() {
    let now = get_current_timestamp();
    let payload = format!(
        r#"{{"iss":"tidemark","aud":"tidemark-api","sub":"ada","exp":{},"role":"viewer",
            "tenant":"acme","tenant":"other"}}"#,
        now + 60
    );
    let token = sign_text(r#"{"alg":"HS256","typ":"JWT"}"#, &payload);
    check(&token, Unauthenticated::Claims);
}

/// Signs a header and payload that the library does not produce.
fn sign_text(header: &str, payload: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[test]
fn an_algorithm_other_than_that_of_the_key_is_refused() {
    let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
    for algorithm in ["none", "None", "NONE", "HS999"] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#));
        let unsigned = format!("{header}.{payload}.");
        assert!(verify(&unsigned).is_err(), "{algorithm}");
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = sign_with(&Header::new(algorithm), &claims(), SECRET);
        check(&token, Unauthenticated::Algorithm);
    }
}

#[test]
fn a_critical_extension_is_refused() {
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["exp".to_owned()]);
    check(
        &sign_with(&header, &claims(), SECRET),
        Unauthenticated::Invalid,
    );
}

#[test]
fn a_tampered_token_is_refused() {
    let token = sign(&claims());
    let mut parts = token.split('.');
    let (header, payload, signature) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let mut other = claims();
    other["tenant"] = json!("other");
    let forged = URL_SAFE_NO_PAD.encode(other.to_string());
    check(
        &format!("{header}.{forged}.{signature}"),
        Unauthenticated::Invalid,
    );
    check(&format!("{header}.{payload}."), Unauthenticated::Invalid);
    check(&format!("{header}.{payload}"), Unauthenticated::Invalid);
    check(&format!("{token}.{signature}"), Unauthenticated::Invalid);
    check("", Unauthenticated::Invalid);
    check("...", Unauthenticated::Invalid);
    check(&"x".repeat(MAX_TOKEN_BYTES + 1), Unauthenticated::Invalid);
}

#[track_caller]
fn check_header(values: &[&[u8]], expected: Result<&str, Unauthenticated>) {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            header::AUTHORIZATION,
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    assert_eq!(bearer_token(&headers), expected);
}

#[test]
fn exactly_one_bearer_token_is_accepted() {
    check_header(&[b"Bearer abc"], Ok("abc"));
    check_header(&[b"bearer  abc"], Ok("abc"));
    check_header(&[], Err(Unauthenticated::Missing));
    let malformed: [&[&[u8]]; 6] = [
        &[b"Basic abc"],
        &[b"Bearer"],
        &[b"Bearer "],
        &[b"Bearer a b"],
        &[b"Bearer a", b"Bearer b"],
        &[b"Bearer \xff"],
    ];
    for values in malformed {
        check_header(values, Err(Unauthenticated::Malformed));
    }
}

#[test]
fn challenges_follow_rfc_6750() {
    assert_eq!(
        Unauthenticated::Missing.challenge(),
        "Bearer realm=\"tidemark\""
    );
    assert_eq!(
        Unauthenticated::Expired.challenge(),
        "Bearer realm=\"tidemark\", error=\"invalid_token\", \
         error_description=\"the token has expired\""
    );
    assert!(
        Unauthenticated::Malformed
            .challenge()
            .contains("invalid_request")
    );
}

#[test]
fn a_weak_configuration_is_an_error_at_the_start() {
    let short = "x".repeat(MIN_SECRET_BYTES - 1);
    let short = AuthConfig::new("tidemark", "tidemark-api", short);
    assert!(matches!(
        opened(&short),
        Err(ApiError::ShortSecret { bytes: 31, .. })
    ));
    assert!(check_secret(SECRET).is_ok());
    let mut open = config();
    open.issuer.clear();
    assert!(matches!(opened(&open), Err(ApiError::EmptyClaim("issuer"))));
    let mut open = config();
    open.audience.clear();
    assert!(matches!(
        opened(&open),
        Err(ApiError::EmptyClaim("audience"))
    ));
    let mut long = config();
    long.leeway_seconds = MAX_LEEWAY_SECONDS + 1;
    assert!(matches!(opened(&long), Err(ApiError::LongLeeway { .. })));
}

#[test]
fn debug_output_has_no_secrets() {
    let shown = format!("{:?} {:?}", config(), verifier());
    assert!(!shown.contains(SECRET));
}

#[test]
fn role_names_are_the_same_in_all_formats() {
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), json!(role.as_str()));
    }
    assert!("root".parse::<Role>().is_err());
    assert!(!Role::Viewer.sees_personal_attributes());
    assert!(Role::Analyst.sees_personal_attributes() && Role::Admin.sees_personal_attributes());
}
