//! Records kept with their bytes: parked events and bundles of definitions.

use tidemark_kafka::headers::Header;
use tidemark_processor::parking::Reason;
use tidemark_processor::store::{BundleEffect, BundleRow, Committed, ParkedRow, StoreError};
use tidemark_projections::definitions::Definitions;
use tidemark_schemas::EventId;
use uuid::Uuid;

use crate::batches::{after, at, bundle, next, tenant};
use crate::database::{Database, TOPIC};

fn header(name: &[u8], value: Option<&[u8]>) -> Header {
    Header {
        name: name.to_vec(),
        value: value.map(<[u8]>::to_vec),
    }
}

fn parked(offset: i64) -> ParkedRow {
    ParkedRow {
        offset,
        tenant: Some(tenant("acme")),
        customer: Some("ada".to_owned()),
        source: Some("shop".to_owned()),
        reason: Reason::UnknownTenant,
        detail: "no tenant acme".to_owned(),
        field: None,
        key: Some(b"acme/ada".to_vec()),
        value: Some((0..=255).collect()),
        headers: vec![
            header(b"traceparent", Some(&[0, 255])),
            header(b"twice", None),
            header(b"twice", Some(&[])),
            header(b"\xff", Some(b"1")),
        ],
        appended_at: at("2024-05-01T12:00:00.123456Z"),
    }
}

#[tokio::test]
async fn parked_events() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let mut batch = after(&claim, 0);
    let bare = ParkedRow {
        tenant: None,
        customer: Some("a\0b".to_owned()),
        reason: Reason::Undecodable,
        detail: "magic byte \0".to_owned(),
        field: Some("payload.\0".to_owned()),
        key: None,
        value: None,
        headers: Vec::new(),
        ..parked(5)
    };
    batch.rows.parked.parked = vec![parked(9), bare, parked(7), parked(8)];
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
    let load = async |after, limit| {
        let acme = tenant("acme");
        store
            .load_parked(TOPIC, 0, Reason::UnknownTenant, &acme, after, limit)
            .await
            .unwrap()
    };
    assert_eq!(load(-1, 2).await, [parked(7), parked(8)]);
    assert_eq!(load(8, 2).await, [parked(9)]);
    let nul = "select count(*) from gen_1.parked where detail = 'magic byte ' || chr(65533)";
    assert_eq!(database.count(nul).await, 1);

    // One is folded, one is parked again for another reason, one is both at once by mistake.
    let mut second = next(&batch);
    let late = ParkedRow {
        reason: Reason::Late,
        detail: "too old".to_owned(),
        ..parked(8)
    };
    second.rows.parked.unparked = vec![7, 8];
    second.rows.parked.parked = vec![late.clone()];
    store.commit(TOPIC, &second).await.unwrap();
    assert_eq!(load(-1, 9).await, [parked(9)]);
    let found = store
        .load_parked(TOPIC, 0, Reason::Late, &tenant("acme"), -1, 9)
        .await
        .unwrap();
    assert_eq!(found, [late]);
}

/// A bundle's effect: a tenant each, with its zone, and a late event of globex.
fn effect(tenants: &[(&str, &str)]) -> BundleEffect {
    let source = |zone: &str, id: &str| {
        format!(r#"{{"tenant": {{"id": "{id}", "zone": "{zone}", "currency": "EUR"}}}}"#)
    };
    BundleEffect {
        tenants: tenants
            .iter()
            .map(|(id, zone)| (tenant(id), source(zone, id)))
            .collect(),
        renamed: Vec::new(),
        accepted_late: vec![(tenant("globex"), EventId(Uuid::from_u128(7)))],
        offboarded: Vec::new(),
    }
}

#[tokio::test]
async fn kept_bundles_give_the_definitions_in_force() {
    // Given two tenants, of which one is defined twice, and a rejected record
    let database = Database::ready().await;
    let store = database.store().await;
    let shared = store.database();
    let (both, again) = (
        effect(&[("acme", "UTC"), ("globex", "UTC")]),
        effect(&[("acme", "Europe/Berlin")]),
    );
    let rejected = bundle(3, Some("conflict"));
    for _ in 0..2 {
        shared.record_bundle(&bundle(0, None), &both).await.unwrap();
    }
    shared
        .record_bundle(&bundle(2, None), &again)
        .await
        .unwrap();
    shared
        .record_bundle(&rejected, &BundleEffect::default())
        .await
        .unwrap();
    // When they are loaded
    let kept = shared.load_definitions().await.unwrap();
    // Then the newest of each tenant are in force, as of the newest record that was applied
    assert_eq!((kept.next_offset, kept.unknown), (4, None));
    let definitions = kept.definitions;
    assert_eq!(definitions.version, Some(2));
    let versions = definitions
        .versions()
        .map(|(id, version)| (id.as_str(), version));
    assert_eq!(versions.collect::<Vec<_>>(), [("acme", 2), ("globex", 0)]);
    let accepted = definitions.accepted_late().map(|(_, events)| events);
    assert_eq!(accepted.sum::<usize>(), 1);
    let all = [bundle(0, None), bundle(2, None), rejected];
    assert_eq!(shared.load_bundles().await.unwrap(), all);
}

#[tokio::test]
async fn offboarded_tenant_is_not_loaded_until_it_is_defined_again() {
    // Given two tenants, one with an accepted late event
    let database = Database::ready().await;
    let store = database.store().await;
    let shared = store.database();
    let both = effect(&[("acme", "UTC"), ("globex", "UTC")]);
    shared.record_bundle(&bundle(0, None), &both).await.unwrap();
    // When that one is offboarded, then it is not in force from that version on
    let offboarding = BundleEffect {
        offboarded: vec![tenant("globex")],
        ..BundleEffect::default()
    };
    let appended_at = bundle(3, None).appended_at;
    let record = async |version, effect: &BundleEffect| {
        let row = bundle(version, None);
        shared.record_bundle(&row, effect).await.unwrap();
    };
    record(3, &offboarding).await;
    let load = async |version| shared.load_definitions_of(version).await.unwrap();
    let summary = |definitions: &Definitions| {
        let versions = definitions.versions();
        let versions: Vec<_> = versions
            .map(|(id, version)| (id.to_string(), version))
            .collect();
        let accepted = definitions.accepted_late().map(|(_, events)| events);
        let is_offboarded = definitions.is_offboarded(&tenant("globex"), appended_at);
        (versions, accepted.sum::<usize>(), is_offboarded)
    };
    let (acme, globex) = (
        || ("acme".to_owned(), 0),
        |version| ("globex".to_owned(), version),
    );
    assert_eq!(summary(&load(0).await), (vec![acme(), globex(0)], 1, false));
    assert_eq!(summary(&load(3).await), (vec![acme()], 0, true));
    let again = effect(&[("globex", "Europe/Berlin")]);
    record(5, &again).await;
    assert_eq!(summary(&load(3).await), (vec![acme()], 0, true));
    assert_eq!(summary(&load(5).await), (vec![acme(), globex(5)], 1, true));
}

#[tokio::test]
async fn definitions_before_an_unknown_format_are_in_force() {
    // Given definitions, and newer ones that a newer binary kept
    let database = Database::ready().await;
    let store = database.store().await;
    let shared = store.database();
    let newer = BundleRow {
        bundle: r#"{"format": 9, "based_on": 2, "writer": "9.0.0"}"#.to_owned(),
        format: 9,
        ..bundle(7, None)
    };
    let known = effect(&[("acme", "UTC")]);
    shared
        .record_bundle(&bundle(2, None), &known)
        .await
        .unwrap();
    shared
        .record_bundle(&newer, &effect(&[("acme", "Europe/Berlin")]))
        .await
        .unwrap();
    // When they are loaded
    let kept = shared.load_definitions().await.unwrap();
    // Then what was before is in force, and the record is named
    assert_eq!((kept.next_offset, kept.definitions.version), (7, Some(2)));
    let unknown = kept.unknown.unwrap();
    assert_eq!((unknown.version, unknown.format), (7, 9));
    assert_eq!(unknown.writer.as_deref(), Some("9.0.0"));
}

#[tokio::test]
async fn another_record_under_a_kept_version_is_refused() {
    let database = Database::ready().await;
    let store = database.store().await;
    let nothing = BundleEffect::default();
    store
        .database()
        .record_bundle(&bundle(0, None), &nothing)
        .await
        .unwrap();
    // The topic was created again.
    let other = BundleRow {
        bundle: "{}".to_owned(),
        ..bundle(0, None)
    };
    let error = store
        .database()
        .record_bundle(&other, &nothing)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged(text) if text.contains("version 0")),
        "{error}"
    );
}
