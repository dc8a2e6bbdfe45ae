//! Changes are read back by the view that takes sets of changes apart.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidemark_processor::store::{ChangeSet, Committed, StoreError};
use tidemark_projections::evaluated::{Cause, Change, ChangeKind};
use tidemark_schemas::{CustomerKey, EventId};
use uuid::Uuid;

use crate::batches::{after, at, customer, key, next};
use crate::database::{Database, TOPIC};

fn change(kind: ChangeKind, name: &str, from: Option<&str>, to: Option<&str>) -> Change {
    Change {
        kind,
        name: Arc::from(name),
        from: from.map(Arc::from),
        to: to.map(Arc::from),
        effective_at: at("2024-05-01T12:00:00Z"),
        cause: Cause::Timer,
        definition_version: 4,
    }
}

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
struct StoredChange {
    seq: i64,
    step: i64,
    kind: String,
    name: String,
    from_value: Option<String>,
    to_value: Option<String>,
    effective_at: i64,
    cause: String,
    cause_event_id: Option<Uuid>,
    definition_version: i64,
}

fn stored(seq: i64, step: i64, change: &Change) -> StoredChange {
    let text = |side: &Option<Arc<str>>| side.as_deref().map(str::to_owned);
    StoredChange {
        seq,
        step,
        kind: change.kind.name().to_owned(),
        name: change.name.to_string(),
        from_value: text(&change.from),
        to_value: text(&change.to),
        effective_at: change.effective_at.micros(),
        cause: change.cause.name().to_owned(),
        cause_event_id: match change.cause {
            Cause::Event(id) => Some(id.0),
            Cause::Timer | Cause::Definition | Cause::Evaluation => None,
        },
        definition_version: change.definition_version,
    }
}

#[tokio::test]
async fn changes() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let (ada, bob) = (key("acme", "ada"), key("acme", "bob"));
    let mut entered = change(ChangeKind::Segment, "vip", None, Some("vip"));
    entered.cause = Cause::Event(EventId(Uuid::from_u128(9)));
    let mut scored = change(ChangeKind::Band, "churn", Some("low"), Some("high"));
    scored.cause = entered.cause;
    let left = change(ChangeKind::Segment, "vip", Some("vip"), None);
    let moved = change(ChangeKind::Stage, "sales", Some("lead"), None);
    let mut defined = change(ChangeKind::Segment, "new", None, Some("new"));
    defined.cause = Cause::Definition;
    let set = |seq, key: &CustomerKey, changes: &[&Change]| ChangeSet {
        seq,
        key: key.clone(),
        definition_version: 4,
        changes: changes.iter().copied().cloned().collect(),
    };
    let mut batch = after(&claim, 0);
    batch.rows.changes = vec![
        set(2, &bob, &[&defined]),
        set(1, &ada, &[&entered, &scored, &left, &moved]),
    ];
    batch.change_seq = 2;
    store.commit(TOPIC, &batch).await.unwrap();
    let found: Vec<StoredChange> =
        sqlx::query_as("select * from gen_1.change order by seq, step, kind desc")
            .fetch_all(&mut database.admin().await)
            .await
            .unwrap();
    assert_eq!(
        found,
        [
            stored(1, 1, &entered),
            stored(1, 1, &scored),
            stored(1, 2, &moved),
            stored(1, 2, &left),
            stored(2, 1, &defined),
        ]
    );

    // A sequence given twice is a bug that must not pass, and leaves nothing behind.
    let mut again = next(&batch);
    again.rows.changes.clone_from(&batch.rows.changes);
    again.rows.customers.push(customer(ada.clone(), b"state"));
    let error = store.commit(TOPIC, &again).await.unwrap_err();
    assert!(matches!(error, StoreError::RefusedRows(_)), "{error:?}");
    assert_eq!(store.load_customers(&[ada]).await.unwrap(), []);
    let sound = next(&batch);
    assert_eq!(store.commit(TOPIC, &sound).await.unwrap(), Committed::Yes);
}

#[tokio::test]
async fn changes_of_scores() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let changes = [
        change(ChangeKind::Rfm, "rfm", Some("544"), Some("345")),
        change(ChangeKind::Cluster, "cluster", None, Some("2")),
        change(ChangeKind::RenewalBand, "renewal_band", Some("low"), None),
        change(ChangeKind::Trigger, "win_back", None, Some("discount")),
    ];
    let mut batch = after(&claim, 0);
    batch.rows.changes = vec![ChangeSet {
        seq: 1,
        key: key("acme", "ada"),
        definition_version: 4,
        changes: changes.to_vec(),
    }];
    batch.change_seq = 1;
    store.commit(TOPIC, &batch).await.unwrap();
    let found: Vec<StoredChange> =
        sqlx::query_as("select * from gen_1.change order by from_value nulls last, kind")
            .fetch_all(&mut database.admin().await)
            .await
            .unwrap();
    let [cell, group, renewal, fired] = &changes;
    assert_eq!(
        found,
        [
            stored(1, 1, cell),
            stored(1, 1, renewal),
            stored(1, 1, group),
            stored(1, 1, fired)
        ]
    );
}

/// Changes that differ from this one in one thing each.
fn unlike(alike: &Change) -> [Change; 7] {
    [
        Change {
            kind: ChangeKind::Stage,
            ..alike.clone()
        },
        Change {
            name: "b".into(),
            ..alike.clone()
        },
        Change {
            from: Some("a".into()),
            to: None,
            ..alike.clone()
        },
        Change {
            effective_at: alike.effective_at.plus_micros(1),
            ..alike.clone()
        },
        Change {
            cause: Cause::Definition,
            ..alike.clone()
        },
        Change {
            cause: Cause::Event(EventId(Uuid::nil())),
            ..alike.clone()
        },
        Change {
            cause: Cause::Event(EventId(Uuid::max())),
            ..alike.clone()
        },
    ]
}

#[tokio::test]
async fn ids_of_changes_follow_from_their_content() {
    let database = Database::ready().await;
    let store = database.store().await;
    let alike = change(ChangeKind::Segment, "a", None, Some("a"));
    let others = unlike(&alike);
    let set = |seq, customer, definition_version, changes: &[Change]| ChangeSet {
        seq,
        key: key("acme", customer),
        definition_version,
        changes: changes.to_vec(),
    };
    // The first of them stands in each partition, elsewhere among what changed.
    for partition in 0..2 {
        let claim = store.claim(TOPIC, partition, "a").await.unwrap();
        let mut batch = after(&claim, partition);
        let first = std::slice::from_ref(&alike);
        batch.rows.changes = vec![set(1, "ada", 4, first)];
        if partition == 1 {
            batch.rows.changes = vec![
                set(1, "bob", 4, first),
                set(2, "ada", 5, first),
                set(3, "ada", 4, &[first, &others].concat()),
            ];
        }
        batch.change_seq = 3;
        store.commit(TOPIC, &batch).await.unwrap();
    }
    let mut admin = database.admin().await;
    let ids = "select id from gen_1.change where partition = 1";
    let ids: Vec<Uuid> = sqlx::query_scalar(ids).fetch_all(&mut admin).await.unwrap();
    let first = "select id from gen_1.change where partition = 0";
    let first: Uuid = sqlx::query_scalar(first)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(ids.iter().filter(|id| **id == first).count(), 1);
    assert_eq!(BTreeSet::from_iter(&ids).len(), others.len() + 3);
    for id in &ids {
        let marks = (id.get_version_num(), id.get_variant());
        assert_eq!(marks, (8, uuid::Variant::RFC4122), "{id}");
    }
    // Ids once published must stay what they are.
    assert_eq!(first.to_string(), "3ece60ae-33ce-8d60-8a4f-c912331578d9");
}
