//! What was written is read back as it was.

use std::sync::Arc;

use tidemark_processor::store::{
    BundleRow, ChangeRow, Committed, ParkedRow, Reevaluation, StoreError, TenantDigest,
};
use tidemark_projections::digest::Digest;
use tidemark_projections::standing::{Cause, Change, ChangeKind};
use tidemark_schemas::{EventId, Instant};
use uuid::Uuid;

use crate::batches::{after, at, customer, key, next, tenant};
use crate::database::{Database, TOPIC};

#[tokio::test]
async fn customers() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 2, "a").await.unwrap();
    let mut batch = after(&claim, 2);
    // Odd ids, empty and binary state, the ends of time; not in order.
    for id in ["zoë", "a'b\"c\\", "Ada", "ada", "{x,null}"] {
        batch
            .customers
            .push(customer(key("acme", id), id.as_bytes()));
    }
    let mut extreme = customer(key("globex", "ada"), &[]);
    extreme.standing = (0..=255).collect();
    extreme.band = None;
    extreme.evaluated_at = Instant::MIN;
    extreme.first_seen_at = Instant::MIN;
    extreme.last_seen_at = Instant::MAX;
    batch.customers.push(extreme);
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);

    let mut keys: Vec<_> = batch.customers.iter().map(|row| row.key.clone()).collect();
    keys.push(key("acme", "nobody"));
    keys.push(keys[0].clone());
    let mut found = store.load_customers(&keys).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    batch.customers.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, batch.customers);
    assert_eq!(store.load_customers(&[]).await.unwrap(), []);

    // The last state counts.
    let mut second = next(&batch);
    second
        .customers
        .push(customer(key("acme", "ada"), b"newer"));
    store.commit(TOPIC, &second).await.unwrap();
    assert_eq!(
        store.load_customers(&[key("acme", "ada")]).await.unwrap(),
        second.customers
    );
}

#[tokio::test]
async fn a_tenants_customers_in_pages() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 1, "a").await.unwrap();
    let mut batch = after(&claim, 1);
    for id in ["b", "B", "é", "a", "c"] {
        batch.customers.push(customer(key("acme", id), b""));
        batch.customers.push(customer(key("globex", id), b""));
    }
    store.commit(TOPIC, &batch).await.unwrap();
    let acme = tenant("acme");
    let mut ids = Vec::new();
    loop {
        let after = ids.last().map(String::as_str);
        let page = store
            .load_tenant_customers(1, &acme, after, 2)
            .await
            .unwrap();
        ids.extend(page.iter().map(|row| row.key.customer.to_string()));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(ids, ["B", "a", "b", "c", "é"]);
    assert_eq!(
        store
            .load_tenant_customers(0, &acme, None, 9)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn timers() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let (noon, night) = (at("2024-05-01T12:00:00Z"), at("2024-05-02T00:00:00Z"));
    let mut batch = after(&claim, 0);
    batch.timers = vec![
        (key("b", "1"), night),
        (key("a", "2"), night),
        (key("a", "1"), night),
        (key("c", "1"), noon),
        (key("d", "1"), Instant::MIN),
    ];
    store.commit(TOPIC, &batch).await.unwrap();
    let mut expected = vec![
        (Instant::MIN, key("d", "1")),
        (noon, key("c", "1")),
        (night, key("a", "1")),
        (night, key("a", "2")),
        (night, key("b", "1")),
    ];
    assert_eq!(store.load_timers(0, None, 10).await.unwrap(), expected);
    // Page by page, through a page that ends between equal instants.
    let mut walked: Vec<(Instant, _)> = Vec::new();
    while let Some(timer) = store.load_timers(0, walked.last(), 1).await.unwrap().pop() {
        walked.push(timer);
    }
    assert_eq!(walked, expected);
    assert_eq!(store.load_timers(1, None, 10).await.unwrap(), []);

    let mut second = next(&batch);
    second.timers = vec![(key("a", "1"), noon)];
    second.timers_cleared = vec![key("b", "1"), key("nobody", "1")];
    store.commit(TOPIC, &second).await.unwrap();
    expected.pop();
    expected.remove(2);
    expected.insert(1, (noon, key("a", "1")));
    assert_eq!(store.load_timers(0, None, 10).await.unwrap(), expected);
}

fn parked(offset: i64) -> ParkedRow {
    ParkedRow {
        offset,
        tenant: Some(tenant("acme")),
        customer: Some("ada".to_owned()),
        reason: "unknown_tenant",
        detail: "no tenant acme".to_owned(),
        field: None,
        key: Some(b"acme/ada".to_vec()),
        value: Some((0..=255).collect()),
        headers: vec![
            ("traceparent".to_owned(), Some(vec![0, 255])),
            ("twice".to_owned(), None),
            ("twice".to_owned(), Some(Vec::new())),
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
        reason: "undecodable",
        detail: "magic byte \0".to_owned(),
        field: Some("payload.\0".to_owned()),
        key: None,
        value: None,
        headers: Vec::new(),
        ..parked(5)
    };
    batch.parked = vec![parked(9), bare, parked(7), parked(8)];
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
    let load = async |after, limit| {
        let acme = tenant("acme");
        store
            .load_parked(TOPIC, 0, "unknown_tenant", &acme, after, limit)
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
        reason: "late",
        detail: "too old".to_owned(),
        ..parked(8)
    };
    second.unparked = vec![7, 8];
    second.parked = vec![late.clone()];
    store.commit(TOPIC, &second).await.unwrap();
    assert_eq!(load(-1, 9).await, [parked(9)]);
    let found = store
        .load_parked(TOPIC, 0, "late", &tenant("acme"), -1, 9)
        .await
        .unwrap();
    assert_eq!(found, [late]);
}

#[tokio::test]
async fn what_a_claim_finds() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 3, "a").await.unwrap();
    assert_eq!((claim.clock, claim.definitions), (Instant::MIN, -1));
    assert_eq!((claim.digests.len(), claim.reevaluations.len()), (0, 0));
    let counts = |customers| TenantDigest {
        customers,
        events: 4,
        digest: Digest(u128::MAX - 1),
    };
    let going = |tenant_id: &str, done| Reevaluation {
        tenant: tenant(tenant_id),
        version: 12,
        activated_at: at("2024-05-01T09:59:00Z"),
        cursor: Some("ada".to_owned()),
        evaluated: 1,
        done,
    };
    let mut batch = after(&claim, 3);
    batch.definitions = 12;
    batch.change_seq = 77;
    batch.digests = vec![(tenant("b"), counts(1)), (tenant("a"), counts(2))];
    batch.checkpoint = Some(batch.digests.clone());
    batch.activation = Some((12, at("2024-05-01T10:00:00Z")));
    batch.reevaluations = vec![going("b", false), going("a", true)];
    store.commit(TOPIC, &batch).await.unwrap();

    let claim = store.claim(TOPIC, 3, "b").await.unwrap();
    assert_eq!(claim.clock.micros(), batch.clock);
    assert_eq!((claim.definitions, claim.change_seq), (12, 77));
    assert_eq!(
        claim.digests,
        [(tenant("a"), counts(2)), (tenant("b"), counts(1))]
    );
    assert_eq!(claim.reevaluations, [going("b", false)]);
    let other = store.claim(TOPIC, 2, "b").await.unwrap();
    assert_eq!((other.digests.len(), other.reevaluations.len()), (0, 0));
    assert_eq!(
        database
            .count("select count(*) from gen_1.checkpoint")
            .await,
        2
    );
    assert_eq!(
        database
            .count("select next_offset from gen_1.activation")
            .await,
        10
    );

    // The clock never goes back.
    let mut second = after(&claim, 3);
    second.clock -= 1;
    store.commit(TOPIC, &second).await.unwrap();
    assert_eq!(
        store.claim(TOPIC, 3, "c").await.unwrap().clock.micros(),
        batch.clock
    );
}

#[tokio::test]
async fn outputs_and_their_history() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let (ada, since) = (key("acme", "ada"), at("2024-05-01T12:00:00Z"));
    let (vip, lost, sales): (Arc<str>, Arc<str>, Arc<str>) =
        ("vip".into(), "lost".into(), "sales".into());
    let change = |kind, name: &Arc<str>, from, to, cause| Change {
        kind,
        name: Arc::clone(name),
        from,
        to,
        effective_at: since,
        cause,
        definition_version: 4,
    };
    let event = Cause::Event(EventId(Uuid::from_u128(9)));
    let entered = change(
        ChangeKind::Segment,
        &vip,
        None,
        Some(Arc::clone(&vip)),
        event,
    );
    let moved = change(
        ChangeKind::Stage,
        &sales,
        Some("lead".into()),
        None,
        Cause::Timer,
    );
    let mut batch = after(&claim, 0);
    batch.memberships = vec![
        (ada.clone(), Arc::clone(&vip), since, 4),
        (ada.clone(), Arc::clone(&lost), since, 4),
    ];
    batch.positions = vec![(ada.clone(), Arc::clone(&sales), "lead".into(), since)];
    batch.changes = vec![
        ChangeRow {
            seq: 2,
            key: ada.clone(),
            change: moved.clone(),
        },
        ChangeRow {
            seq: 1,
            key: ada.clone(),
            change: entered.clone(),
        },
    ];
    batch.change_seq = 2;
    batch.counters = vec![(ada.tenant.clone(), "segment", "vip".to_owned(), 1)];
    store.commit(TOPIC, &batch).await.unwrap();

    let mut admin = database.admin().await;
    let changes: Vec<(i64, Uuid, String, Option<String>, String, Option<Uuid>)> = sqlx::query_as(
        "select seq, id, kind, to_value, cause, cause_event_id from gen_1.change order by seq",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let id = |change: &Change| Uuid::from_u128(change.id(&ada));
    assert_eq!(
        changes,
        [
            (
                1,
                id(&entered),
                "segment".into(),
                Some("vip".into()),
                "event".into(),
                Some(Uuid::from_u128(9))
            ),
            (2, id(&moved), "stage".into(), None, "timer".into(), None),
        ]
    );

    let mut second = next(&batch);
    second.memberships = vec![(ada.clone(), Arc::clone(&vip), at("2024-06-01T00:00:00Z"), 5)];
    second.memberships_left = vec![(ada.clone(), Arc::clone(&lost))];
    second.positions_left = vec![(ada.clone(), Arc::clone(&sales))];
    second.counters = vec![(ada.tenant.clone(), "segment", "vip".to_owned(), -3)];
    store.commit(TOPIC, &second).await.unwrap();
    let memberships: Vec<(String, i64, i64)> =
        sqlx::query_as("select segment, since, version from gen_1.membership")
            .fetch_all(&mut admin)
            .await
            .unwrap();
    assert_eq!(
        memberships,
        [("vip".into(), at("2024-06-01T00:00:00Z").micros(), 5)]
    );
    assert_eq!(
        database.count("select count(*) from gen_1.position").await,
        0
    );
    assert_eq!(database.count("select value from gen_1.counter").await, -2);

    // A sequence given twice is a bug that must not pass, and leaves nothing behind.
    let mut third = next(&second);
    third.changes = batch.changes.clone();
    third.customers.push(customer(ada, b"state"));
    let error = store.commit(TOPIC, &third).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert_eq!(
        database.count("select count(*) from gen_1.customer").await,
        0
    );
    assert_eq!(
        store.commit(TOPIC, &next(&second)).await.unwrap(),
        Committed::Yes
    );
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
            .record_bundle(&bundle(0, None), &tenants)
            .await
            .unwrap();
    }
    store
        .record_bundle(&bundle(3, Some("conflict")), &[])
        .await
        .unwrap();
    assert_eq!(
        store.load_bundles(-1).await.unwrap(),
        [bundle(0, None), bundle(3, Some("conflict"))]
    );
    assert_eq!(
        store.load_bundles(0).await.unwrap(),
        [bundle(3, Some("conflict"))]
    );
    assert_eq!(
        database
            .count("select count(*) from tidemark.tenant_definition")
            .await,
        2
    );
    // The topic was made anew under our feet.
    let other = BundleRow {
        bundle: "{}".to_owned(),
        ..bundle(0, None)
    };
    let error = store.record_bundle(&other, &[]).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged(text) if text.contains("version 0")),
        "{error}"
    );
}
