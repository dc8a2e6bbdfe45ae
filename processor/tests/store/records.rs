//! Records kept with their bytes: parked events and bundles of definitions.

use tidemark_kafka::headers::Header;
use tidemark_processor::parking::Reason;
use tidemark_processor::store::{BundleRow, Committed, ParkedRow, StoreError};

use crate::batches::{after, at, next, tenant};
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

#[tokio::test]
async fn bundles() {
    let database = Database::ready().await;
    let store = database.store().await;
    let bundle = |version, rejected: Option<&str>| BundleRow {
        version,
        appended_at: at("2024-05-01T12:00:00Z"),
        bundle: format!("{{\"n\":{version}}}"),
        rejected: rejected.map(str::to_owned),
    };
    let tenants = [
        (tenant("acme"), "{}".to_owned()),
        (tenant("globex"), "{}".to_owned()),
    ];
    for _ in 0..2 {
        store
            .database()
            .record_bundle(&bundle(0, None), &tenants)
            .await
            .unwrap();
    }
    store
        .database()
        .record_bundle(&bundle(3, Some("conflict")), &[])
        .await
        .unwrap();
    assert_eq!(
        store.database().load_bundles(-1).await.unwrap(),
        [bundle(0, None), bundle(3, Some("conflict"))]
    );
    assert_eq!(
        store.database().load_bundles(0).await.unwrap(),
        [bundle(3, Some("conflict"))]
    );
    assert_eq!(
        database
            .count("select count(*) from tidemark.tenant_definition")
            .await,
        2
    );
    // The topic was created again.
    let other = BundleRow {
        bundle: "{}".to_owned(),
        ..bundle(0, None)
    };
    let error = store
        .database()
        .record_bundle(&other, &[])
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged(text) if text.contains("version 0")),
        "{error}"
    );
}
