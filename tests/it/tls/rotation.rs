//! Rotation of passwords, certificates and keys in their files, without a restart.

use std::fs;

use super::{SOON, Secure, Settings, wait_until_logged};
use crate::support::guarded::{Guarded, Signal};
use crate::support::secure::USER;
use crate::support::wait::wait_until;

const READ: &str = "secret files have changed";
const JOINED: &str = "Kafka accepts the new credentials";
const CLAIMED: &str = "claimed";

/// Asserts that each event is folded once and none is parked.
fn assert_folded(secure: &Secure, process: &mut Guarded, access: &Settings, events: u32) {
    let status = secure.wait_until_folded(process, access, events);
    assert_eq!(status["tenants"][0]["customers"], events, "{status}");
    assert_eq!(status["partitions"][0]["next_offset"], events, "{status}");
    assert_eq!(status["parked"].as_array().map(Vec::len), Some(0));
    assert!(!process.log().contains("fenced"), "{}", process.log_tail());
}

fn end(process: Guarded) {
    let tail = process.log_tail();
    assert!(process.end(Signal::Terminate).success(), "{tail}");
}

#[tokio::test]
async fn credentials_change_without_a_restart_while_folding_continues() {
    let mut secure = Secure::start().await;
    let access = secure.by_password();
    secure.define(&access).await;

    passwords(&mut secure, access).await;
    certificates(&secure);
}

async fn passwords(secure: &mut Secure, mut access: Settings) {
    // Given an authenticated processor and API
    access.set("session.timeout.ms", "6000");
    let mut process = secure.start_command(&access, "process");
    let mut api = secure.start_command(&access, "serve");
    wait_until_logged(&mut process, CLAIMED, 1);
    secure.wait_until_ready(&mut api, 200);

    // When the password of the registry changes before the first lookup
    access.registry_password = "second-of-the-registry";
    secure.registry.set_password(access.registry_password);
    secure.configure(&access);
    wait_until_logged(&mut process, READ, 1);
    secure.publish(&access, 1);
    assert_folded(secure, &mut process, &access, 1);

    // When that of Postgres changes and all sessions end; its file is empty for a moment
    access.database_password = Some("second-of-postgres");
    secure.postgres.set_password("second-of-postgres").await;
    wait_until_logged(&mut process, "password authentication failed", 1);
    secure.wait_until_ready(&mut api, 503);
    fs::write(secure.folder.path().join("database-password"), "").unwrap();
    wait_until_logged(&mut process, "is empty; the secret stays as it was", 1);
    secure.configure(&access);
    secure.wait_until_ready(&mut api, 200);
    secure.publish(&access, 2);
    assert_folded(secure, &mut process, &access, 2);

    // When the file with Kafka's password changes before the broker does: open connections stay
    // until the broker knows it
    access.kafka_password = Some("second-of-kafka");
    secure.configure(&access);
    wait_until_logged(&mut process, "Kafka refuses the new credentials", 1);
    assert!(!process.log().contains(JOINED), "{}", process.log_tail());
    secure.kafka.set_password("second-of-kafka");
    wait_until_logged(&mut process, JOINED, 1);
    secure.publish(&access, 3);
    assert_folded(secure, &mut process, &access, 3);

    // When the broker's password changes before the file, and all connections end
    secure.kafka.set_password("third-of-kafka");
    secure.kafka.restart();
    wait_until_logged(&mut process, "invalid credentials", 1);
    access.kafka_password = Some("third-of-kafka");
    secure.configure(&access);
    wait_until_logged(&mut process, JOINED, 2);
    secure.publish(&access, 4);
    assert_folded(secure, &mut process, &access, 4);

    // When definitions are published, they are followed, too
    let more = secure.write(
        "globex.yaml",
        "tenant: { id: globex, zone: UTC, currency: EUR }\n",
    );
    secure.succeeds(&access, &["define", "apply", more.to_str().unwrap()]);
    wait_until_logged(&mut process, "definitions applied", 2);
    end(process);
    end(api);
}

fn certificates(secure: &Secure) {
    let mut access = secure.by_certificate();
    access.registry_password = "second-of-the-registry";
    access.set("session.timeout.ms", "6000");
    let mut process = secure.start_command(&access, "process");
    let claims = process.log().matches(CLAIMED).count();
    let joined = process.log().matches(JOINED).count();
    wait_until(SOON, "the partition to be claimed", || {
        assert!(process.is_running(), "{}", process.log_tail());
        process.log().matches(CLAIMED).count() > claims
    });
    secure.certificates.write_client(USER);
    wait_until_logged(&mut process, JOINED, joined + 1);
    secure.publish(&access, 5);
    assert_folded(secure, &mut process, &access, 5);

    claims_wait_for_whole_files(secure, access, process);
}

fn claims_wait_for_whole_files(secure: &Secure, mut access: Settings, mut first: Guarded) {
    // Given another member of the group, with a password for Postgres
    access.database = secure.by_password().database;
    access.database_password = Some("second-of-postgres");
    let mut second = secure.start_logged(&access, "process", "second.log");
    wait_until_logged(&mut second, "owned partitions", 1);

    // When the partition goes to it while the certificate is half written
    let file = secure.certificates.file("client.crt");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    first.pause();
    wait_until_logged(&mut second, "waiting for whole certificates and keys", 1);

    // Then its claim waits for the whole file, and it folds
    fs::write(&file, &whole).unwrap();
    secure.publish(&access, 6);
    assert_folded(secure, &mut second, &access, 6);
    first.resume();
    end(first);
    end(second);
}
