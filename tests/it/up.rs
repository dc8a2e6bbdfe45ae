//! `tidemark up`: all components in one process, with the embedded broker.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::guarded::Signal;
use crate::support::up::{READY_WITHIN, Up, is_listening, last_line, tidemark};
use crate::support::wait::wait_until;

const CLOCK: &str = "1997-09-30T00:00:00Z";
const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/cdnow.yaml");

#[tokio::test]
async fn repeated_import_of_a_log_changes_nothing() {
    let up = Up::start(&["--clock", CLOCK]);
    assert_eq!(
        up.answer(&["define", "apply", DEFINITIONS])["outcome"],
        "applied"
    );
    assert_eq!(
        up.answer(&["define", "apply", DEFINITIONS])["outcome"],
        "unchanged"
    );
    assert_eq!(up.import()["published"], 4_960);
    up.wait_until_folded(4_960);
    let once = up.status()["tenants"].clone();
    assert_eq!(
        once,
        serde_json::json!([
            {"tenant": "cdnow", "name": null, "customers": 2_357, "events": 4_960}
        ])
    );
    assert_eq!(up.import()["published"], 4_960);
    up.wait_until_folded(2 * 4_960);
    assert_eq!(up.status()["tenants"], once);

    // A tenant that is defined later gets its tokens, too.
    wait_until(READY_WITHIN, "tokens of the tenant", || {
        up.json()["tokens"]["cdnow"]["viewer"].is_string()
    });
    let json = up.json();
    let viewer = json["tokens"]["cdnow"]["viewer"].as_str().unwrap();
    let customer: Value = up
        .get(viewer, "/v1/customers/0001")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(customer["orders"]["repeat_purchase_days"], 2);
    // By the fixed clock, these data are current rather than decades old.
    let ready: Value = up.get(viewer, "/readyz").await.json().await.unwrap();
    let age = ready["staleness_seconds"].as_f64().unwrap();
    assert!((0.0..60.0).contains(&age), "{ready}");
    let stranger = json["tokens"]["dev"]["admin"].as_str().unwrap();
    assert_eq!(up.get(stranger, "/v1/customers/0001").await.status(), 404);
    let token = up.run(&[
        "token", "--tenant", "cdnow", "--role", "analyst", "--ttl", "5m",
    ]);
    let token = String::from_utf8(token.stdout).unwrap();
    assert_eq!(up.get(token.trim(), "/v1/segments").await.status(), 200);

    let file = up.file();
    let status = up.process.end(Signal::Terminate);
    assert!(status.success(), "{status}");
    assert!(!file.exists(), "up.json was not removed");
    assert!(!is_listening(&json["database_url"]), "Postgres still runs");
}

#[test]
fn up_json_is_private_and_accurate() {
    let up = Up::start(&[]);
    let mode = fs::metadata(up.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let json = up.json();
    for url in ["api_url", "registry_url", "database_url", "metrics_url"] {
        assert!(is_listening(&json[url]), "{url}");
    }
    for role in ["admin", "analyst", "viewer"] {
        assert!(json["tokens"]["dev"][role].is_string(), "{role}");
    }

    // A second run in the same directory is rejected.
    let second = tidemark(up.folder.path(), &["up", "--port", "0"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{errors}");
    assert!(errors.contains("another `tidemark up`"), "{errors}");
    assert!(up.file().exists());
}

#[test]
fn killed_up_leaves_no_process() {
    let Up { process, folder } = Up::start(&[]);
    let file = folder.path().join(".tidemark/up.json");
    let json: Value = serde_json::from_reader(File::open(&file).unwrap()).unwrap();
    process.end(Signal::Kill);
    wait_until(READY_WITHIN, "Postgres to end with its owner", || {
        !is_listening(&json["database_url"])
    });
    // The file that it left is recognised as stale.
    let output = tidemark(folder.path(), &["--up", "status"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("stale"), "{errors}");
}

#[test]
fn invalid_line_is_named_and_the_other_lines_are_published() {
    let up = Up::start(&[]);
    let event = |id: u32, amount: i64| {
        format!(
            r#"{{"event_id": "00000000-0000-4000-8000-{id:012}", "tenant_id": "cdnow",
            "customer_id": "c-{id}", "source": "test", "occurred_at": "2026-01-01T00:00:00Z",
            "payload": {{"type": "order_placed", "order_id": "o", "amount_minor": {amount},
            "currency": "USD", "channel": "{}"}}}}"#,
            "web"
        )
        .replace('\n', "")
    };
    let oversized = event(3, 1).replace("\"web\"", &format!("\"{}\"", "x".repeat(2_000_000)));
    let lines = [
        event(1, 100),
        event(2, -100),
        "{".to_owned(),
        oversized,
        event(5, 100),
    ];
    let file = up.folder.path().join("events.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let output = up.run(&["publish", file.to_str().unwrap(), "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(last_line(&output)["published"], 2, "{errors}");
    for part in [
        "line 2: payload.amount_minor",
        "line 3: not JSON",
        "line 4: ",
    ] {
        assert!(errors.contains(part), "{part:?} is missing in {errors}");
    }
    // Events of an undefined tenant wait in the log, and are folded once it is defined.
    wait_until(
        READY_WITHIN,
        "the events of an undefined tenant to be deferred",
        || {
            let deferred = up.status()["deferred"].clone();
            deferred[0]["reason"] == "undefined" && deferred[0]["events"] == 2
        },
    );
    up.answer(&["define", "apply", DEFINITIONS]);
    wait_until(READY_WITHIN, "deferred events to be folded", || {
        let status = up.status();
        status["deferred"] == serde_json::json!([]) && status["tenants"][0]["events"] == 2
    });
}

/// Asserts that a publisher of twice the 5 MiB that the embedded broker keeps of a partition loses
/// nothing.
#[test]
fn publisher_does_not_outrun_the_embedded_broker() {
    let up = Up::start(&[]);
    up.answer(&["define", "apply", DEFINITIONS]);
    let events: Vec<String> = (0..350)
        .map(|id| {
            format!(
                r#"{{"event_id": "00000000-0000-4000-8000-{id:012}", "tenant_id": "cdnow",
                "customer_id": "c-{id}", "source": "test", "occurred_at": "2026-01-01T00:00:00Z",
                "payload": {{"type": "profile_updated", "attributes": {{"text": "{}"}}}}}}"#,
                "x".repeat(30_000)
            )
            .replace('\n', "")
        })
        .collect();
    let file = up.folder.path().join("events.jsonl");
    fs::write(&file, events.join("\n")).unwrap();
    assert_eq!(
        up.answer(&["publish", file.to_str().unwrap()])["published"],
        350
    );
    up.wait_until_folded(350);
    assert_eq!(up.status()["tenants"][0]["events"], 350);
}
