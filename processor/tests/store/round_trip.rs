//! Written rows are read back unchanged.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_processor::store::{Committed, Reevaluation, TenantDigest};
use tidemark_projections::counter::CounterKind;
use tidemark_projections::digest::Digest;
use tidemark_schemas::Instant;

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
            .rows
            .customers
            .push(customer(key("acme", id), id.as_bytes()));
    }
    let mut extreme = customer(key("globex", "ada"), &[]);
    extreme.evaluated = (0..=255).collect();
    extreme.band = None;
    extreme.value_minor = None;
    extreme.evaluated_at = Instant::MIN;
    extreme.first_seen_at = Instant::MIN;
    extreme.last_seen_at = Instant::MAX;
    batch.rows.customers.push(extreme);
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);

    let mut keys: Vec<_> = batch
        .rows
        .customers
        .iter()
        .map(|row| row.key.clone())
        .collect();
    keys.push(key("acme", "nobody"));
    keys.push(keys[0].clone());
    let mut found = store.load_customers(&keys).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    batch.rows.customers.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, batch.rows.customers);
    assert_eq!(store.load_customers(&[]).await.unwrap(), []);

    // The last state counts.
    let mut second = next(&batch);
    second
        .rows
        .customers
        .push(customer(key("acme", "ada"), b"newer"));
    store.commit(TOPIC, &second).await.unwrap();
    assert_eq!(
        store.load_customers(&[key("acme", "ada")]).await.unwrap(),
        second.rows.customers
    );
}

#[tokio::test]
async fn a_tenants_customers_in_pages() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 1, "a").await.unwrap();
    let mut batch = after(&claim, 1);
    for id in ["b", "B", "é", "a", "c"] {
        batch.rows.customers.push(customer(key("acme", id), b""));
        batch.rows.customers.push(customer(key("globex", id), b""));
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
    for timer in [
        (night, key("b", "1")),
        (night, key("a", "2")),
        (night, key("a", "1")),
        (noon, key("c", "1")),
        (Instant::MIN, key("d", "1")),
    ] {
        batch.rows.timers.set(timer.1, Some(timer.0));
    }
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
    // A timer that moves, and an existing one; then one that is removed, and an unknown one
    for timer in [(noon, key("a", "1")), (night, key("a", "2"))] {
        second.rows.timers.set(timer.1, Some(timer.0));
    }
    for customer in [key("b", "1"), key("b", "9")] {
        second.rows.timers.set(customer, None);
    }
    store.commit(TOPIC, &second).await.unwrap();
    expected.pop();
    expected.remove(2);
    expected.insert(1, (noon, key("a", "1")));
    assert_eq!(store.load_timers(0, None, 10).await.unwrap(), expected);
}

fn reevaluation(tenant_id: &str, done: bool) -> Reevaluation {
    Reevaluation {
        tenant: tenant(tenant_id),
        version: 12,
        activated_at: at("2024-05-01T09:59:00Z"),
        cursor: Some("ada".to_owned()),
        evaluated: 1,
        done,
    }
}

#[tokio::test]
async fn claims() {
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
    let mut batch = after(&claim, 3);
    batch.definitions = 12;
    batch.change_seq = 77;
    batch.rows.counts.digests = vec![(tenant("b"), counts(1)), (tenant("a"), counts(2))];
    batch.rows.checkpoint = Some(batch.rows.counts.digests.clone());
    batch.rows.activation = Some((12, at("2024-05-01T10:00:00Z")));
    for started in [reevaluation("b", false), reevaluation("a", true)] {
        batch.rows.reevaluations.set(started);
    }
    store.commit(TOPIC, &batch).await.unwrap();

    let claim = store.claim(TOPIC, 3, "b").await.unwrap();
    assert_eq!(
        (claim.clock.micros(), claim.fired_to.micros()),
        (batch.clock, batch.fired_to)
    );
    assert_eq!((claim.definitions, claim.change_seq), (12, 77));
    assert_eq!(
        claim.digests,
        [(tenant("a"), counts(2)), (tenant("b"), counts(1))]
    );
    assert_eq!(claim.reevaluations, [reevaluation("b", false)]);
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
        batch.old_next_offset
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
async fn memberships_positions_and_counters() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let (ada, since) = (key("acme", "ada"), at("2024-05-01T12:00:00Z"));
    let later = at("2024-06-01T00:00:00Z");
    let counted = |delta| {
        let counter = (ada.tenant.clone(), CounterKind::Segment, "vip".to_owned());
        BTreeMap::from([(counter, delta)])
    };
    let (vip, lost) = (Arc::<str>::from("vip"), Arc::<str>::from("lost"));
    let (sales, support) = (Arc::<str>::from("sales"), Arc::<str>::from("support"));
    let lead = Arc::<str>::from("lead");
    let mut batch = after(&claim, 0);
    batch.rows.memberships.entered = vec![
        (ada.clone(), Arc::clone(&vip), since),
        (ada.clone(), Arc::clone(&lost), since),
    ];
    batch.rows.positions.entered = vec![
        (ada.clone(), Arc::clone(&support), Arc::clone(&lead), since),
        (ada.clone(), Arc::clone(&sales), Arc::clone(&lead), since),
    ];
    batch.rows.counts.counters = counted(1);
    store.commit(TOPIC, &batch).await.unwrap();
    let mut second = next(&batch);
    second.rows.memberships.entered = vec![(ada.clone(), vip, later)];
    second.rows.memberships.left = vec![(ada.clone(), lost)];
    second.rows.positions.entered = vec![(ada.clone(), sales, Arc::from("won"), later)];
    second.rows.positions.left = vec![(ada.clone(), support)];
    second.rows.counts.counters = counted(-3);
    store.commit(TOPIC, &second).await.unwrap();

    let mut admin = database.admin().await;
    let memberships: Vec<(String, i64)> =
        sqlx::query_as("select segment, since from gen_1.membership")
            .fetch_all(&mut admin)
            .await
            .unwrap();
    assert_eq!(memberships, [("vip".to_owned(), later.micros())]);
    let positions: Vec<(String, String, i64)> =
        sqlx::query_as("select journey, stage, since from gen_1.position")
            .fetch_all(&mut admin)
            .await
            .unwrap();
    assert_eq!(
        positions,
        [("sales".to_owned(), "won".to_owned(), later.micros())]
    );
    assert_eq!(database.count("select value from gen_1.counter").await, -2);
}
