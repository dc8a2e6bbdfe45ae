//! What operators and developers meet first: wrong set-ups that are named, and first steps that work.

use std::fs;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::CustomerEvent;
use uuid::Uuid;

use crate::support::ports::free_port;
use crate::support::site::Site;
use crate::support::up::{READY_WITHIN, Up};
use crate::support::wait::{wait_for, wait_until};

const SOON: Duration = Duration::from_mins(1);
const DEFINITIONS: &str = "tenant: { id: acme, zone: UTC, currency: EUR }";

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn second_consumer_group_on_one_database_is_named_once() {
    // Given two processors of different groups over the same tables
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let first = site.member("first", free_port(), &["--set", "kafka.group=one"]);
    let projections = site.projections().await;
    wait_for(SOON, "the heartbeats of the first", async || {
        let query = "select count(*) from $gen.heartbeat where log_end is not null";
        match projections.number(query).await {
            4 => Ok(()),
            count => Err(format!("{count} partitions")),
        }
    })
    .await;
    let second = site.member("second", free_port(), &["--set", "kafka.group=two"]);

    // When they have taken partitions from each other, more than once
    wait_for(SOON, "three claims of every partition", async || {
        let query = "select min(epoch) from $gen.progress";
        match projections.number(query).await {
            3.. => Ok(()),
            epoch => Err(format!("epoch {epoch}")),
        }
    })
    .await;

    // Then the second has said once who the first is
    let said =
        "the consumer groups two (process second) and one (process first) fold into the same";
    assert_eq!(second.log().matches(said).count(), 1, "{}", second.log());
    assert_eq!(first.log().matches("the consumer groups").count(), 1);
    first.kill();
    second.kill();
}

#[tokio::test]
async fn processor_without_a_definitions_topic_ends_with_the_reason() {
    let site = Site::new().await;
    let missing = ["--set", "kafka.definitions_topic=nowhere", "process"];
    let output = site.run(&missing);
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("topic nowhere: does not exist: create it"),
        "{errors}"
    );
}

#[tokio::test]
async fn api_on_a_database_that_was_created_again_is_unavailable_until_it_is_migrated() {
    // Given an API on a database
    let site = Site::new().await;
    let api = site.serve().await;
    let status = "/v1/status"; // never cached
    assert_eq!(api.get("acme", status).await.status, 200);

    // When the database is dropped and created again, without tables
    let (server, name) = site.database.url.rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap();
    let mut admin = PgConnection::connect(&format!("{server}/postgres"))
        .await
        .unwrap();
    site.database.pool.close().await;
    for statement in [
        format!("drop database \"{name}\" with (force)"),
        format!("create database \"{name}\""),
    ] {
        admin.execute(AssertSqlSafe(statement)).await.unwrap();
    }

    // Then the readiness check, which is made once a second, is answered 503 soon, and with it every request, with
    // new connections as with old ones
    wait_for(SOON, "the readiness check to fail", async || {
        match api.get("acme", "/readyz").await {
            answer if answer.status == 503 => Ok(()),
            answer => Err(answer.body.to_string()),
        }
    })
    .await;
    for _ in 0..5 {
        for path in [status, "/readyz"] {
            let answer = api.get("acme", path).await;
            assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        }
    }

    // And once there are tables again, they are answered
    let migrated = site.run(&["migrate"]);
    assert!(migrated.status.success(), "{}", errors(&migrated));
    wait_for(SOON, "the API to answer", async || {
        match api.get("acme", status).await {
            answer if answer.status == 200 => Ok(()),
            answer => Err(answer.body.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn tenants_are_listed_with_their_customers_events_and_definitions() {
    // Given a defined tenant with an event, one without, and an event of a tenant that is not defined
    let site = Site::new().await;
    site.define(DEFINITIONS);
    site.define("tenant: { id: initech, zone: UTC, currency: EUR }");
    let publisher = site.publisher().await;
    let at = WallClock::System.now();
    for tenant in ["acme", "globex"] {
        let event = json!({
            "event_id": Uuid::new_v4(), "tenant_id": tenant, "customer_id": "ann", "source": "test",
            "occurred_at": at,
            "payload": { "type": "activity_tracked", "name": "seen", "properties": {} },
        });
        publisher.event(&CustomerEvent::from_json(&event.to_string()).unwrap());
    }
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // Then all three are listed
    let listed = site.run(&["tenants", "list", "--json"]);
    assert!(listed.status.success(), "{}", errors(&listed));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let tenant = |tenant: &str, definitions: Value, folded: i64, deferred: i64| {
        let last = (folded > 0).then_some(at);
        json!({
            "tenant": tenant, "definitions": definitions, "customers": folded, "events": folded,
            "parked": 0, "deferred": deferred, "last_event_at": last, "name": null,
            "offboarding": 0,
        })
    };
    let expected = json!([
        tenant("acme", json!(0), 1, 0),
        tenant("globex", Value::Null, 0, 1),
        tenant("initech", json!(1), 0, 0),
    ]);
    assert_eq!(listed, expected);
    let text = String::from_utf8(site.run(&["tenants", "list"]).stdout).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[tokio::test]
async fn statement_that_is_slow_does_not_appear_in_the_output_of_a_command() {
    // Given a table that is locked for longer than a statement may take without a warning
    let site = Site::new().await;
    let mut lock = site.database.pool.begin().await.unwrap();
    lock.execute("lock table gen_1.parked in access exclusive mode")
        .await
        .unwrap();

    // When a command waits for it
    let command = site.spawn(&["parked", "list"]);
    wait_for(SOON, "the command to wait for two seconds", async || {
        let query = "select count(*) from pg_stat_activity
             where wait_event_type = 'Lock' and now() - query_start > interval '2 seconds'";
        let waiting: i64 = sqlx::query_scalar(query)
            .fetch_one(&site.database.pool)
            .await
            .unwrap();
        (waiting > 0).then_some(()).ok_or_else(|| "none".to_owned())
    })
    .await;
    lock.rollback().await.unwrap();

    // Then it succeeds without a word about the statement
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(errors(&output), "");
}

#[test]
fn up_flag_beats_the_configuration_of_the_folder_and_the_first_example_is_folded() {
    // Given an `up` in a folder with the configuration of a production
    let up = Up::start(&[]);
    let elsewhere = "[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\n\
        properties = { \"security.protocol\" = \"SSL\" }\n\
        [database]\nurl = \"postgres://127.0.0.1:1/elsewhere\"\npassword = \"secret\"\n";
    fs::write(up.folder.path().join("tidemark.toml"), elsewhere).unwrap();

    // When the example of `publish --help` is published
    let help = up.run(&["publish", "--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, example) = help.split_once("echo '").unwrap();
    let (event, _) = example.split_once('\'').unwrap();
    let file = up.folder.path().join("example.jsonl");
    fs::write(&file, event.replace('\n', "")).unwrap();
    let published = up.run(&["publish", file.to_str().unwrap()]);
    assert!(published.status.success(), "{}", errors(&published));

    // Then it is folded, and nothing is parked
    wait_until(READY_WITHIN, "the example to be folded", || {
        let status = up.status();
        assert_eq!(status["parked"], serde_json::json!([]), "{status}");
        status["tenants"][0]["tenant"] == "dev" && status["tenants"][0]["events"] == 1
    });
}

#[test]
fn up_refuses_to_set_what_it_sets_itself() {
    for (set, advice) in [
        ("kafka.bootstrap_servers=localhost:9092", "--kafka"),
        ("database.url=postgres://localhost/x", "Postgres of its own"),
        ("api.listen=127.0.0.1:80", "--port"),
        ("kafka.properties.security.protocol=SSL", "--kafka"),
    ] {
        for command in ["up", "demo"] {
            let folder = tempfile::TempDir::new().unwrap();
            let arguments = [command, "--set", set];
            let output = crate::support::up::tidemark(folder.path(), &arguments)
                .output()
                .unwrap();
            let errors = errors(&output);
            assert_eq!(output.status.code(), Some(2), "{command} {set}: {errors}");
            assert!(errors.contains(advice), "{command} {set}: {errors}");
        }
    }
}
