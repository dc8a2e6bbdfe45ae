//! Faults of hosts and versions: a process with a wrong clock, and an old binary beside the new.

use rand::RngExt as _;
use tidemark_processor::clock::WallClock;
use tokio_util::sync::CancellationToken;

use super::world::{MEMBERS, RECOVERED_WITHIN, World};
use crate::support::ports::free_port;
use crate::support::read;
use crate::support::wait::wait_for;
use crate::support::{processor, site};

const HOUR_MICROS: i64 = 3_600_000_000;
/// A record of definitions as a newer version writes it.
const NEWER: &str = r#"{"format": 1000, "author": "a newer binary", "writer": "9.9.0"}"#;

impl World {
    /// Lets a process fold whose clock is an hour ahead or behind, until it has a partition and more records are
    /// folded.
    pub(super) async fn fold_with_wrong_clock(&mut self) -> usize {
        if self.members.len() == MEMBERS {
            self.shrink();
        }
        let skew = if self.random.random() {
            HOUR_MICROS
        } else {
            -HOUR_MICROS
        };
        let separator = if self.site.database.url.contains('?') {
            '&'
        } else {
            '?'
        };
        // The name in its sessions, as in its claims.
        let url = format!(
            "{}{separator}application_name={}",
            self.site.database.url,
            processor::NAME
        );
        let clock = WallClock::Skewed(skew);
        let wrong = processor::start_at(&self.site, &url, clock).await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(wrong.run(stop.clone()));
        self.owned(
            "the process with the wrong clock to own a partition",
            |owners| owners.values().any(|owner| owner == processor::NAME),
        )
        .await;
        self.wait_for_progress().await;
        stop.cancel();
        running.await.unwrap().unwrap();
        1
    }

    /// Starts a process that does not know a format of definitions which a newer one has put in force: it stands
    /// by while the others fold, also when one of them is killed.
    pub(super) async fn stand_by(&mut self) -> usize {
        let ends = read::ends(self.site.kafka, &self.site.definitions_topic);
        let [(_, version)] = ends[..] else {
            panic!("{ends:?}")
        };
        // Only a process that starts now meets the record.
        sqlx::query(
            "insert into tidemark.bundle (version, appended_at, bundle, format) values ($1, 0, $2, 1000)",
        )
        .bind(version)
        .bind(NEWER)
        .execute(&self.site.database.pool)
        .await
        .unwrap();
        let name = self.next_name();
        let old = self.site.member(&name, free_port(), &[]);
        let told = |old: &site::Running| old.log().contains("stands by");
        wait_for(RECOVERED_WITHIN, "the old binary to stand by", async || {
            if told(&old) { Ok(()) } else { Err(old.log()) }
        })
        .await;
        sqlx::query("delete from tidemark.bundle where format = 1000")
            .execute(&self.site.database.pool)
            .await
            .unwrap();
        self.kill(1);
        self.all_owned().await;
        self.wait_for_progress().await;
        assert!(!old.log().contains("owned partitions"), "{}", old.log());
        old.terminate();
        1
    }
}
