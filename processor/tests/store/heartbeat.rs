//! Heartbeats: written beside the commits, and fenced by the epoch.

use std::time::Duration;

use tidemark_processor::store::{Committed, Heartbeat, Owner};

use crate::batches::after;
use crate::database::{Database, TOPIC};

fn heartbeat(epoch: i64, log_end: Option<i64>) -> Heartbeat {
    Heartbeat {
        partition: 0,
        epoch,
        log_end,
        age: Duration::from_mins(1),
    }
}

fn owner_of_heartbeats() -> Owner {
    Owner {
        name: "a process".to_owned(),
        group: "a group".to_owned(),
    }
}

const END: &str = "select coalesce(log_end, -1) from gen_1.heartbeat";
const AGE: &str = "select extract(epoch from seen_at - log_end_at)::bigint from gen_1.heartbeat";

#[tokio::test]
async fn heartbeat_says_where_the_log_ends_without_a_commit() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "owner").await.unwrap();
    let beat = async |log_end| {
        let beats = [heartbeat(claim.epoch, log_end)];
        store
            .write_heartbeats(TOPIC, &owner_of_heartbeats(), &beats)
            .await
            .unwrap();
        database.count(END).await
    };
    assert_eq!(beat(None).await, -1, "before the broker has answered");
    assert_eq!(beat(Some(7)).await, 7);
    assert_eq!(database.count(AGE).await, 60);
    assert_eq!(beat(None).await, 7, "the last one known stays");
    // The fence has not moved.
    let committed = store.commit(TOPIC, &after(&claim, 0)).await.unwrap();
    assert_eq!(committed, Committed::Yes);
}

#[tokio::test]
async fn heartbeat_of_an_earlier_claim_or_of_none_writes_nothing() {
    let database = Database::ready().await;
    let store = database.store().await;
    let rows = "select count(*) from gen_1.heartbeat";
    store
        .write_heartbeats(TOPIC, &owner_of_heartbeats(), &[heartbeat(1, Some(7))])
        .await
        .unwrap();
    assert_eq!(database.count(rows).await, 0, "nothing is claimed");
    let zombie = store.claim(TOPIC, 0, "zombie").await.unwrap();
    let owner = store.claim(TOPIC, 0, "owner").await.unwrap();
    for (epoch, end) in [(owner.epoch, 9), (zombie.epoch, 5)] {
        let beats = [heartbeat(epoch, Some(end))];
        store
            .write_heartbeats(TOPIC, &owner_of_heartbeats(), &beats)
            .await
            .unwrap();
    }
    assert_eq!(database.count(END).await, 9);
}
