//! Rollups are written by their deltas, however large they become.

use std::sync::Arc;

use tidemark_projections::rollups::{Crossing, RevenueRollup, Rollup, RollupKind, Rollups};
use tidemark_schemas::Currency;

use crate::batches::{after, next, tenant};
use crate::database::{Database, TOPIC};

fn rollups(sums: &[(&Rollup, i128)]) -> Rollups {
    let mut rollups = Rollups::default();
    for (rollup, by) in sums {
        rollups.add(Rollup::clone(rollup), *by);
    }
    rollups
}

#[tokio::test]
async fn rollups_exceed_64_bits_and_are_separate_by_dimension() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let gross = Rollup::new(RollupKind::Revenue(RevenueRollup::Gross), 19_844)
        .in_currency(Currency::new("EUR").unwrap());
    let (sales, lead) = (Arc::from("sales"), Arc::from("lead"));
    let stage = Rollup::new(RollupKind::Stage(Crossing::Entered), -1).named(&sales);
    let lead = stage.clone().by(&lead, &Arc::from("third"));
    let mut batch = after(&claim, 0);
    let much = i128::from(i64::MAX) * 10;
    batch.rows.rollups.add(
        &tenant("acme"),
        rollups(&[(&gross, much), (&stage, 1), (&lead, 2)]),
    );
    store.commit(TOPIC, &batch).await.unwrap();
    let mut second = next(&batch);
    second
        .rows
        .rollups
        .add(&tenant("acme"), rollups(&[(&gross, 7), (&stage, -1)]));
    second
        .rows
        .rollups
        .add(&tenant("globex"), rollups(&[(&gross, 5)]));
    store.commit(TOPIC, &second).await.unwrap();

    let rows: Vec<(String,)> = sqlx::query_as(
        "select concat_ws('|', tenant_id, kind, subject, day, item, detail, currency, partition, value)
         from gen_1.rollup order by 1",
    )
    .fetch_all(&mut database.admin().await)
    .await
    .unwrap();
    let rows: Vec<&str> = rows.iter().map(|(row,)| &**row).collect();
    assert_eq!(
        rows,
        [
            &*format!("acme|revenue.gross||19844|||EUR|0|{}", much + 7),
            "acme|stage.entered|sales|-1|lead|third||0|2",
            "acme|stage.entered|sales|-1||||0|0",
            "globex|revenue.gross||19844|||EUR|0|5",
        ]
    );
}
