//! `tidemark demo`: four tenants, folded as in memory, and a stream of live events.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tidemark::generate::{Industry, Scenario, Simulation};
use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_schemas::{CustomerEvent, Instant, Partitioner};

use crate::support::compare::Projections;
use crate::support::guarded::Signal;
use crate::support::reference::Reference;
use crate::support::up::{Up, last_line, tidemark};
use crate::support::wait::{wait_for, wait_until};

const PATIENCE: Duration = Duration::from_mins(3);
const CLOCK: &str = "2026-05-01T12:00:00Z";
const SIX_MONTHS_MICROS: i64 = 180 * 86_400_000_000;

/// Returns the events that the demo publishes, and their fold in memory.
fn history(customers: u32) -> (Vec<CustomerEvent>, Reference) {
    let end: Instant = CLOCK.parse().unwrap();
    let begin = end.plus_micros(-SIX_MONTHS_MICROS);
    let scenario = Scenario {
        industries: &Industry::ALL,
        seed: 1,
        customers,
        begin,
        end,
    };
    let events = Simulation::new(&scenario).run_until(end);
    let files = Industry::ALL.map(|industry| {
        let (file, text) = industry.definitions();
        (file.to_owned(), text.to_owned())
    });
    let bundle = Bundle::from_files(&files, "test").unwrap();
    let definitions = Definitions::default()
        .apply(0, end, &bundle.to_record())
        .unwrap();
    let mut reference = Reference::new(definitions, 4, Partitioner::Murmur2);
    for event in &events {
        reference.fold(event).unwrap().unwrap();
    }
    (events, reference)
}

#[test]
fn demo_with_once_prints_its_summary_and_ends() {
    let folder = TempDir::new().unwrap();
    let arguments = [
        "demo",
        "--once",
        "--json",
        "--port",
        "0",
        "--customers",
        "40",
        "--clock",
        CLOCK,
    ];
    let output = tidemark(folder.path(), &arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let summary = last_line(&output);
    let (events, _) = history(40);
    assert_eq!(summary["events_published"], events.len());
    assert_eq!(summary["events_folded"], events.len());
    assert_eq!(summary["customers"], 160);
    assert_eq!(summary["parked"], 0);
    assert_eq!(summary["parked_by_reason"], json!({}));
    let tenants = ["fernway", "granite-bank", "harbor-homes", "loopdesk"];
    assert_eq!(summary["tenants"], json!(tenants));
    assert!(summary["elapsed_seconds"].as_f64().unwrap() > 0.0);
    let said = String::from_utf8_lossy(&output.stdout);
    for tenant in tenants {
        assert!(said.contains(tenant), "{said}");
    }
    let left: Vec<_> = fs::read_dir(folder.path().join(".tidemark"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["up.lock"], "remaining files");
}

#[tokio::test]
async fn demo_tables_equal_a_fold_in_memory_of_the_same_seed() {
    let mut demo = Up::start_as(&["demo", "--customers", "60", "--clock", CLOCK]);
    wait_until_summary(&mut demo);
    let (_, reference) = history(60);
    let json = demo.json();
    let pool = PgPool::connect(json["database_url"].as_str().unwrap())
        .await
        .unwrap();
    let projections = Projections::active(&pool).await;
    projections.assert_equal(&reference).await;
    projections.assert_consistent().await;
    for industry in Industry::ALL {
        for role in ["admin", "analyst", "viewer"] {
            let token = json["tokens"][industry.tenant()][role].as_str().unwrap();
            let answer = demo.get(token, "/v1/segments").await;
            let segments: Value = answer.json().await.unwrap();
            let segments = segments["items"].as_array().unwrap();
            assert!(segments.len() >= 6, "{segments:?}");
            let filled = segments.iter().filter(|found| found["size"] != 0).count();
            assert!(filled >= 5, "{industry}: {segments:?}");
        }
    }
}

#[tokio::test]
async fn demo_streams_events_until_it_is_stopped() {
    let mut demo = Up::start_as(&["demo", "--customers", "20", "--rate", "20"]);
    wait_until_summary(&mut demo);
    let json = demo.json();
    let pool = PgPool::connect(json["database_url"].as_str().unwrap())
        .await
        .unwrap();
    let projections = Projections::active(&pool).await;
    let folded = "select coalesce(sum(events), 0)::bigint from $gen.digest";
    let before = projections.number(folded).await;
    wait_for(PATIENCE, "live events to be folded", async || {
        let now = projections.number(folded).await;
        if now >= before + 100 {
            Ok(())
        } else {
            Err(format!("{now} of {before} + 100"))
        }
    })
    .await;
    assert_eq!(
        projections.number("select count(*) from $gen.parked").await,
        0
    );
    pool.close().await;
    // The printed commands name files that exist and that only their owner can read.
    let header = header(&demo);
    let mode = fs::metadata(&header).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Up { process, folder } = demo;
    let status = process.end(Signal::Terminate);
    assert!(status.success(), "{status}");
    assert!(!header.exists(), "the file with the token was not removed");
    drop(folder);
}

fn header(demo: &Up) -> PathBuf {
    demo.folder.path().join(".tidemark/fernway.header")
}

/// Waits until the demo has folded its history and printed its summary.
#[track_caller]
fn wait_until_summary(demo: &mut Up) {
    wait_until(PATIENCE, "the demo's summary", || {
        assert!(demo.process.is_running(), "{}", demo.process.log_tail());
        header(demo).exists()
    });
}
