//! Late events that an operator accepts, after a search of the log for an earlier copy.

use serde_json::json;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::{ActivityTracked, AttributeMap};
use tidemark_schemas::{CustomerEvent, Partitioner, Payload};

use super::{DEFINITIONS, SOON, answer, order};
use crate::support::reference::Reference;
use crate::support::site::Site;

const DAY_MICROS: i64 = 86_400_000_000;

fn login(days_ago: i64) -> CustomerEvent {
    let mut event = order("ann", 0);
    event.occurred_at = WallClock::System.now().plus_micros(-days_ago * DAY_MICROS);
    event.payload = Payload::ActivityTracked(ActivityTracked {
        name: "login".into(),
        properties: AttributeMap::new(),
    });
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn late_event_is_accepted_unless_the_log_shows_that_it_was_folded() {
    // Given a late event that was folded weeks ago, and one that was never folded
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let (old, new, never_folded) = (login(30), login(0), login(20));
    let publisher = site.publisher().await;
    for event in [&old, &new, &never_folded, &old] {
        publisher.event(event);
    }
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let parked = answer(&site.run(&["parked", "list", "--json"]), 0);
    assert_eq!(parked.as_array().map(Vec::len), Some(2), "{parked}");

    // When acceptance runs dry, then nothing changes
    let ask = ["parked", "redrive", "--accept-late", "--json"];
    let dry = answer(&site.run(&ask), 0);
    let told = |answer: &serde_json::Value| {
        json!([answer["matching"], answer["accepted"], answer["waiting"]])
    };
    assert_eq!(told(&dry), json!([2, 1, 0]), "{dry}");
    let why = dry["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains("folded before, from offset 0"), "{why}");
    let parked = answer(&site.run(&["parked", "list", "--json"]), 0);
    assert_eq!(parked.as_array().map(Vec::len), Some(2), "{parked}");

    // When they are accepted, then the one is folded and the other stays parked
    let apply = [&ask[..], &["--apply"]].concat();
    let done = answer(&site.run(&apply), 1);
    assert_eq!(told(&done), json!([2, 1, 0]), "{done}");
    let left = answer(&site.run(&["parked", "list", "--json"]), 0);
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    processor.terminate();

    // And the tables equal a fold of the log with the decision in it
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let expected =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;

    // And other events than late ones cannot be accepted
    let wrong = [
        "parked",
        "redrive",
        "--accept-late",
        "--parked-reason",
        "invalid",
    ];
    assert_eq!(site.run(&wrong).status.code(), Some(2));
}
