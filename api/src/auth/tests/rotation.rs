//! Tests of keys of every type, in files that change or are damaged.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::signer::{Signer, file_of, over, refused, set_of};
use super::*;
use crate::KeySource;

#[tokio::test]
async fn a_token_of_every_algorithm_is_verified_with_its_key() {
    let keys = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
    let keys = keys.map(|algorithm| Signer::new(algorithm, &format!("{algorithm:?}")));
    let (_file, _, verifier) = file_of(&keys.each_ref()).await;
    for key in &keys {
        let good = verifier.verify(&key.token()).await.unwrap();
        assert_eq!(good.caller.subject, "ada", "{:?}", key.algorithm);
        let stranger = Signer::new(key.algorithm, &format!("{:?}", key.algorithm));
        let reason = refused(verifier.verify(&stranger.token()).await);
        assert_eq!(reason, Unauthenticated::Invalid, "{:?}", key.algorithm);
    }
}

#[tokio::test]
async fn a_public_key_does_not_verify_as_a_shared_secret() {
    let rsa = Signer::new(Algorithm::RS256, "a");
    let ec = Signer::new(Algorithm::ES256, "b");
    let (_file, _, verifier) = file_of(&[&rsa, &ec]).await;
    let modulus = rsa.public["n"].as_str().unwrap().as_bytes();
    for (id, secret) in [
        ("a", rsa.pem.as_bytes()),
        ("a", modulus),
        ("b", ec.pem.as_bytes()),
    ] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(id.to_owned());
        let forged = EncodingKey::from_secret(secret);
        let forged = jsonwebtoken::encode(&header, &claims(), &forged).unwrap();
        assert_eq!(
            refused(verifier.verify(&forged).await),
            Unauthenticated::Algorithm
        );
    }
    // The id of a key of another type.
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("a".to_owned());
    let confused = jsonwebtoken::encode(&header, &claims(), &ec.private).unwrap();
    assert_eq!(
        refused(verifier.verify(&confused).await),
        Unauthenticated::Algorithm
    );
    for algorithm in ["none", "None", "HS384", "RS512", "PS256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "kid": "a"}).to_string());
        let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
        for signature in ["", "AAAA"] {
            let unsigned = format!("{header}.{payload}.{signature}");
            refused(verifier.verify(&unsigned).await);
        }
    }
}

#[tokio::test]
async fn a_cached_token_expires_with_its_key_and_its_time() {
    let (old, new) = (
        Signer::new(Algorithm::ES256, "old"),
        Signer::new(Algorithm::EdDSA, "new"),
    );
    let (file, ring, verifier) = file_of(&[&old]).await;
    let token = old.token();
    assert!(verifier.known(&token).is_none(), "not seen before");
    verifier.verify(&token).await.unwrap();
    assert!(verifier.known(&token).is_some());
    // A key with another id is still the same key.
    let mut renamed = Signer::new(Algorithm::ES256, "x");
    renamed.public = old.public.clone();
    renamed.public["kid"] = json!("renamed");
    std::fs::write(file.path(), set_of(&[&renamed])).unwrap();
    ring.refresh().await;
    assert!(verifier.known(&token).is_some());
    std::fs::write(file.path(), set_of(&[&new])).unwrap();
    ring.refresh().await;
    assert!(verifier.known(&token).is_none(), "its key was revoked");
    assert_eq!(refused(verifier.verify(&token).await), Unauthenticated::Key);

    let mut ending = claims();
    ending["exp"] = json!(get_current_timestamp() - LEEWAY + 1);
    let ending = new.sign(&ending);
    verifier.verify(&ending).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while verifier.known(&ending).is_some() {
        assert!(std::time::Instant::now() < deadline, "it never expired");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        refused(verifier.verify(&ending).await),
        Unauthenticated::Expired
    );
    assert!(verifier.cached() <= 2);
}

#[tokio::test]
async fn a_changed_key_set_file_is_read_and_a_damaged_one_leaves_the_keys() {
    let (first, second) = (
        Signer::new(Algorithm::ES256, "1"),
        Signer::new(Algorithm::ES256, "2"),
    );
    let (file, ring, verifier) = file_of(&[&first]).await;
    let stop = CancellationToken::new();
    let keeping = TaskTracker::new().spawn({
        let (ring, stop) = (Arc::clone(&ring), stop.clone());
        async move { ring.refresh_until(stop).await }
    });
    std::fs::write(file.path(), set_of(&[&second])).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while verifier.check(&second.token()).is_err() {
        assert!(
            std::time::Instant::now() < deadline,
            "the file was not read again"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    keeping.await.unwrap();
    let unusable = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}).to_string();
    for damage in ["", "{", "[]", "{}", r#"{"keys": {}}"#, &unusable] {
        std::fs::write(file.path(), damage).unwrap();
        ring.refresh().await;
        assert!(verifier.check(&second.token()).is_ok(), "after {damage:?}");
    }
    std::fs::write(file.path(), r#"{"keys": []}"#).unwrap();
    ring.refresh().await;
    assert_eq!(
        refused(verifier.verify(&second.token()).await),
        Unauthenticated::Key
    );
}

#[tokio::test]
async fn a_changed_secret_file_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();
    let (ring, verifier) = over(KeySource::SecretFile(file.path().to_owned()), |_| {}).await;
    assert!(verifier.verify(&sign(&claims())).await.is_ok());
    std::fs::write(file.path(), "another secret, of 32 bytes too!").unwrap();
    ring.refresh().await;
    assert!(verifier.known(&sign(&claims())).is_none());
    let changed = sign_with(
        &Header::new(Algorithm::HS256),
        &claims(),
        "another secret, of 32 bytes too!",
    );
    assert!(verifier.verify(&changed).await.is_ok());
    std::fs::write(file.path(), "short").unwrap();
    ring.refresh().await;
    assert!(verifier.verify(&changed).await.is_ok());
}

#[test]
fn unusable_keys_of_a_set_are_skipped() {
    let good = Signer::new(Algorithm::ES256, "good");
    let with = |name: &str, value: Value| {
        let mut key = good.public.clone();
        key[name] = value;
        key
    };
    let short_rsa = json!({"kty": "RSA", "kid": "short", "e": "AQAB",
        "n": URL_SAFE_NO_PAD.encode([0xff; 128])});
    let unusable = [
        with("use", json!("enc")),
        with("key_ops", json!(["sign"])),
        with("alg", json!("ES384")),
        with("crv", json!("P-384")),
        with("x", json!("!")),
        with("kty", json!("unheard of")),
        short_rsa,
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}),
        json!(7),
    ];
    for key in &unusable {
        let alone = json!({ "keys": [key] }).to_string();
        let refused = keys::Keys::from_set(alone.as_bytes());
        assert!(refused.is_err(), "{key} was taken");
    }
    let mut all = unusable.to_vec();
    all.push(good.public.clone());
    let all = json!({ "keys": all }).to_string();
    assert_eq!(keys::Keys::from_set(all.as_bytes()).unwrap().len(), 1);
}

#[tokio::test]
async fn an_invalid_key_source_is_an_error_at_the_start() {
    let missing = KeySource::JwksFile("no/such/file".into());
    let ftp = KeySource::JwksUrl {
        url: "ftp://example.com/keys".to_owned(),
        ca_file: None,
    };
    for source in [missing, ftp, KeySource::SecretFile("no/such/file".into())] {
        let config = AuthConfig::with_keys("tidemark", "tidemark-api", source);
        let refused = KeyRing::open(&config, metrics()).await;
        assert!(matches!(refused, Err(ApiError::Keys(_))), "{refused:?}");
    }
}
