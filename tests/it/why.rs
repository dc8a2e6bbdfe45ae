//! `tidemark why`: the reasons for a membership, on the command line as in the API.

use std::time::Duration;

use serde_json::{Value, json};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::CustomerEvent;
use uuid::Uuid;

use crate::support::site::Site;

const SOON: Duration = Duration::from_mins(1);
const DEFINITIONS: &str = "tenant:
  id: acme
  zone: Europe/Berlin
  currency: EUR
  attributes: { email: { personal: true } }
segments:
  - name: friends
    when:
      all:
        - orders: { count: { gte: 1 }, within: 30d }
        - not: { attribute: { name: email, ends_with: '@rival.example' } }
";

fn event(payload: &Value) -> CustomerEvent {
    let event = json!({
        "event_id": Uuid::new_v4(), "tenant_id": "acme", "customer_id": "ann", "source": "test",
        "occurred_at": WallClock::System.now(), "payload": payload,
    });
    CustomerEvent::from_json(&event.to_string()).unwrap()
}

#[tokio::test]
async fn why_command_prints_the_reasons_of_the_api_without_personal_data() {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let order = event(&json!({
        "type": "order_placed", "order_id": "o-1", "amount_minor": 1_250, "currency": "EUR",
    }));
    publisher.event(&order);
    let mail = json!({ "email": "ann@friend.example" });
    publisher.event(&event(
        &json!({ "type": "profile_updated", "attributes": mail }),
    ));
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let api = site.serve().await;
    processor.terminate();

    // As a tree on a terminal
    let told = site.run(&["why", "acme", "ann"]);
    let told = String::from_utf8(told.stdout).unwrap();
    for line in [
        "in friends\n",
        "\n  yes all",
        "\n    yes orders {\"count\":{\"gte\":1},\"within\":\"30d\"} (until ",
        "\n          revenue_minor: 1250\n",
        &format!("\n          events: [\"{}\"]\n", order.event_id),
        "\n    yes not\n      no  attribute {\"ends_with\":\"@rival.example\",\"name\":\"email\"}",
    ] {
        assert!(told.contains(line), "{line:?} is missing in\n{told}");
    }
    assert!(!told.contains("ann@"), "{told}");

    // And as JSON, the response of the API without values and times computed from them
    let json = site.run(&["why", "acme", "ann", "friends", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let answer = api.get("acme", "/v1/customers/ann/segments/friends").await;
    let mut expected = answer.body["explanation"].clone();
    let personal = &mut expected["why"]["of"][1]["of"][0]["found"];
    assert_eq!(personal["value"], "ann@friend.example");
    *personal = Value::Null;
    for time in ["since", "changes_at", "looked_until"] {
        expected[time] = Value::Null;
    }
    expected["why"]["changes_at"] = Value::Null;
    assert_eq!(json["explanations"], json!([expected]));
    assert_eq!(json["as_of"], answer.body["as_of"]);

    // And an error for a misspelt name
    let misspelt = site.run(&["why", "acme", "ann", "freinds"]);
    assert_eq!(misspelt.status.code(), Some(1));
    let said = String::from_utf8(misspelt.stderr).unwrap();
    assert!(said.contains("did you mean friends?"), "{said}");
}
