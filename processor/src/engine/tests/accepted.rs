//! Late events that it was decided to accept.

use tidemark_projections::definitions::Bundle;
use tidemark_projections::state::CustomerState;

use super::history::{before, entry};
use super::*;

fn login() -> Payload {
    Payload::ActivityTracked(ActivityTracked {
        name: "login".into(),
        properties: BTreeMap::new(),
    })
}

fn logins(rig: &Rig<'_>) -> Vec<u64> {
    let states = rig.table.customers.values();
    let states = states.map(|row| CustomerState::decode(&row.state).expect("a state"));
    states
        .filter_map(|state| state.activity.get("login").map(|logins| logins.count))
        .collect()
}

#[test]
fn an_accepted_late_event_is_folded_once_and_parked_no_more() {
    let log = [
        entry(1, "a", "2024-02-01T12:00:00Z", order(1)),
        entry(2, "a", "2024-02-20T12:00:00Z", login()),
        entry(3, "a", "2024-02-01T13:00:00Z", login()),
        entry(4, "a", "2024-02-01T14:00:00Z", login()),
        entry(5, "a", "2024-02-20T13:00:00Z", order(2)),
        entry(3, "a", "2024-02-01T13:00:00Z", login()), // Sent again.
    ];
    let mut definitions = before();
    let (_, defined) = definitions.last_key_value().expect("some");
    let acme = TenantId::new("acme").expect("an id");
    let third = EventId(Uuid::from_u128(3));
    let mut bundle = Bundle::accepting_late(&acme, [third], "test");
    bundle.based_on = defined.version;
    let version = defined.version.expect("defined") + 1;
    let accepting = defined.apply(version, at("2024-02-21T00:00:00Z"), &bundle.to_record());
    definitions.insert(5, accepting.expect("accepted"));

    for landed in [true, false] {
        let mut rig = Rig::new(&log, &definitions, PLENTY);
        while rig.folder.next_offset() < 5 {
            rig.turn(1);
        }
        rig.settle();
        assert_eq!((rig.table.parked.len(), logins(&rig)), (2, vec![1]));
        rig.turn(1);
        rig.restart(landed);
        rig.read_all(1);
        assert_eq!(rig.table.parked.keys().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(logins(&rig), [2]);
        rig.assert_counters_add_up();
    }
}
