//! The folding of a partition against tables in memory: however a log is cut into batches, and
//! wherever its owner is replaced, the tables end the same.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot make its input has nothing to say"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_schemas::event::{OrderPlaced, StageEntered};
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, CustomerKey, EventId, Instant, Payload, TenantId,
};
use uuid::Uuid;

use super::folder::{BatchEnd, Folder};
use super::timers::Due;
use crate::memory::Budget;
use crate::store::{Batch, Claim, CustomerRow, Reevaluation, TenantDigest};

const DAY: i64 = 86_400_000_000;

/// What the database would hold.
#[derive(Debug, Default, Clone, PartialEq)]
struct Tables {
    commits: i64,
    next_offset: i64,
    clock: Option<Instant>,
    change_seq: i64,
    definitions: i64,
    customers: BTreeMap<CustomerKey, CustomerRow>,
    memberships: BTreeMap<(CustomerKey, Arc<str>), (Instant, i64)>,
    timers: BTreeMap<CustomerKey, Instant>,
    changes: Vec<(i64, CustomerKey, u128)>,
    digests: BTreeMap<TenantId, TenantDigest>,
    counters: BTreeMap<(TenantId, &'static str, String), i64>,
    reevaluations: BTreeMap<TenantId, Reevaluation>,
}

impl Tables {
    fn new() -> Self {
        Self {
            definitions: -1,
            ..Self::default()
        }
    }

    fn apply(&mut self, batch: Batch) {
        assert_eq!(
            (batch.old_commits, batch.old_next_offset),
            (self.commits, self.next_offset)
        );
        self.commits += 1;
        self.next_offset = batch.new_next_offset;
        self.clock = Instant::from_micros(batch.clock);
        self.change_seq = batch.change_seq;
        self.definitions = batch.definitions;
        self.customers.extend(
            batch
                .customers
                .into_iter()
                .map(|row| (row.key.clone(), row)),
        );
        for (customer, segment, since, version) in batch.memberships {
            self.memberships
                .insert((customer, segment), (since, version));
        }
        for left in batch.memberships_left {
            assert!(
                self.memberships.remove(&left).is_some(),
                "{left:?} was not a member"
            );
        }
        self.timers.extend(batch.timers);
        for customer in batch.timers_cleared {
            self.timers.remove(&customer);
        }
        let ids = batch
            .changes
            .into_iter()
            .map(|row| (row.seq, row.change.id(&row.key), row.key));
        self.changes
            .extend(ids.map(|(seq, id, key)| (seq, key, id)));
        self.digests.extend(batch.digests);
        for (tenant, kind, name, delta) in batch.counters {
            *self.counters.entry((tenant, kind, name)).or_default() += delta;
        }
        let walks = batch
            .reevaluations
            .into_iter()
            .map(|walk| (walk.tenant.clone(), walk));
        self.reevaluations.extend(walks);
    }

    /// A new owner, which knows nothing but the tables.
    fn claim(&self, definitions: &Definitions) -> Folder {
        let claim = Claim {
            epoch: 1,
            commits: self.commits,
            next_offset: self.next_offset,
            clock: self.clock.unwrap_or(Instant::MIN),
            change_seq: self.change_seq,
            definitions: self.definitions,
            digests: self
                .digests
                .iter()
                .map(|(tenant, counts)| (tenant.clone(), *counts))
                .collect(),
            reevaluations: self
                .reevaluations
                .values()
                .filter(|walk| !walk.done)
                .cloned()
                .collect(),
        };
        let mut timers: Vec<Due> = self
            .timers
            .iter()
            .map(|(customer, due)| (*due, customer.clone()))
            .collect();
        timers.sort();
        let mut folder = Folder::new(0, claim, timers, Budget::new(usize::MAX));
        folder.activate(definitions.clone());
        folder
    }

    fn load(&self, folder: &mut Folder, customers: Vec<CustomerKey>) {
        let missing = folder.missing(customers.into_iter());
        let rows = missing
            .iter()
            .filter_map(|key| self.customers.get(key).cloned())
            .collect();
        folder.install(missing, rows).unwrap();
    }

    fn commit(&mut self, folder: &mut Folder, next_offset: i64) {
        self.apply(folder.flush(BatchEnd {
            next_offset,
            log_end: 0,
            checkpoint: false,
        }));
    }

    /// Folds the events of one batch, each at its clock, and commits.
    fn fold(&mut self, folder: &mut Folder, log: &[(Instant, CustomerEvent)], from: usize) {
        for (clock, event) in log {
            let mut needed = folder.timers().due(*clock, usize::MAX);
            needed.push(event.key());
            self.load(folder, needed);
            folder.advance_clock(*clock, usize::MAX);
            folder.fold(event).unwrap();
        }
        self.commit(folder, i64::try_from(from + log.len()).unwrap());
    }

    /// Without what depends on how often was committed: the count itself, stale timers, and
    /// counters that went up and down again.
    fn outcome(&self) -> Self {
        let mut outcome = self.clone();
        outcome.commits = 0;
        outcome.timers.clear();
        outcome.counters.retain(|_, value| *value != 0);
        outcome
    }
}

fn definitions(at_least: u32) -> Vec<u8> {
    let text = format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR }}
segments:
  - name: buyers
    when: {{ orders: {{ count: {{ gte: {at_least} }} }} }}
  - name: lately
    when: {{ orders: {{ count: {{ gte: 1 }}, within: 7d }} }}
  - name: going
    when: {{ churn: {{ band: [medium, high] }} }}
journeys:
  - name: sales
    stages: [lead, trial]
"
    );
    Bundle::from_files(&[("test.yaml".to_owned(), text)], "test")
        .unwrap()
        .to_record()
}

fn in_force() -> Definitions {
    Definitions::default()
        .apply(0, Instant::MIN, &definitions(2))
        .unwrap()
}

fn event(customer: u8, id: u128, occurred_at: Instant, is_order: bool) -> CustomerEvent {
    let order = OrderPlaced {
        order_id: id.to_string().into(),
        amount_minor: 100,
        currency: Currency::new("EUR").unwrap(),
        items: None,
        channel: None,
    };
    let stage = StageEntered {
        journey: "sales".into(),
        stage: "trial".into(),
    };
    CustomerEvent {
        event_id: EventId(Uuid::from_u128(id)),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(format!("c{customer}")).unwrap(),
        source: "test".into(),
        occurred_at,
        payload: if is_order {
            Payload::OrderPlaced(order)
        } else {
            Payload::StageEntered(stage)
        },
    }
}

/// Events with the clock at which each is read, some twice, some long after they happened.
fn logs() -> impl Strategy<Value = Vec<(Instant, CustomerEvent)>> {
    let begin: Instant = "2026-01-01T00:00:00Z".parse().unwrap();
    let one = (0..6_u8, 0..40_u128, 0..2 * DAY, 0..40 * DAY, any::<bool>());
    prop::collection::vec(one, 1..40).prop_map(move |all| {
        let mut clock = begin;
        let read = all
            .into_iter()
            .map(|(customer, id, passed, age, is_order)| {
                clock = clock.plus_micros(passed);
                // The same id is the same event: everything about it follows from the id.
                let occurred_at = begin.plus_micros(-DAY * i64::try_from(id).unwrap());
                let occurred_at = if is_order {
                    occurred_at
                } else {
                    clock.plus_micros(-age)
                };
                let id = if is_order {
                    id
                } else {
                    u128::from(clock.micros().unsigned_abs())
                };
                let customer = if is_order {
                    u8::try_from(id % 6).unwrap()
                } else {
                    customer
                };
                (clock, event(customer, id, occurred_at, is_order))
            });
        read.collect()
    })
}

proptest! {
    /// Any cut into batches, and any change of owner between them, ends in the same tables.
    #[test]
    fn batches_and_owners_leave_no_trace(
        log in logs(),
        cuts in prop::collection::vec((1..8_usize, any::<bool>()), 40),
    ) {
        let definitions = in_force();
        let mut at_once = Tables::new();
        let mut folder = at_once.claim(&definitions);
        at_once.fold(&mut folder, &log, 0);

        let mut in_parts = Tables::new();
        let mut folder = in_parts.claim(&definitions);
        let mut from = 0;
        for (length, replaced) in cuts {
            let to = (from + length).min(log.len());
            in_parts.fold(&mut folder, &log[from..to], from);
            from = to;
            if replaced {
                folder = in_parts.claim(&definitions);
            } else {
                folder.evict(folder.batch_number());
            }
        }
        in_parts.fold(&mut folder, &log[from..], from);
        prop_assert_eq!(at_once.outcome(), in_parts.outcome());

        // Every due time has a timer that is not later, and changes are numbered without a gap.
        let acme = definitions.tenant(&TenantId::new("acme").unwrap()).unwrap();
        for (key, row) in &in_parts.customers {
            let state = tidemark_projections::state::CustomerState::decode(&row.state).unwrap();
            let standing = tidemark_projections::standing::Standing::decode(&row.standing).unwrap();
            if let Some(due) = standing.next_due(&state, acme) {
                prop_assert!(in_parts.timers.get(key).is_some_and(|timer| *timer <= due));
            }
        }
        for (number, (seq, _, _)) in (1..).zip(&in_parts.changes) {
            prop_assert_eq!(number, *seq);
        }
    }

    /// New definitions reach every customer with the same result, whoever is touched first and
    /// whoever owns the partition meanwhile.
    #[test]
    fn new_definitions_reach_everybody(
        log in logs(),
        cut in 0..40_usize,
        replaced in prop::collection::vec(any::<bool>(), 8),
    ) {
        let before = in_force();
        let record = String::from_utf8(definitions(1)).unwrap()
            .replace("\"based_on\":null", "\"based_on\":0");
        let after = before.apply(1, Instant::MIN, record.as_bytes()).unwrap();
        let cut = cut.min(log.len());
        let mut tables = Tables::new();
        let mut folder = tables.claim(&before);
        tables.fold(&mut folder, &log[..cut], 0);
        folder.activate(after.clone());
        tables.fold(&mut folder, &log[cut..], cut);
        for replaced in replaced.into_iter().chain([false; 8]) {
            if replaced {
                folder = tables.claim(&after);
            }
            let Some(walk) = folder.next_reevaluation() else { break };
            let (tenant, cursor) = (walk.tenant.clone(), walk.cursor.clone());
            let next = |row: &&CustomerRow| {
                cursor.as_deref().is_none_or(|cursor| row.key.customer.as_str() > cursor)
            };
            let rows = tables.customers.values().filter(next).take(2).cloned().collect();
            folder.reevaluate(&tenant, rows).unwrap();
            tables.commit(&mut folder, i64::try_from(log.len()).unwrap());
        }
        prop_assert!(folder.next_reevaluation().is_none());
        for row in tables.customers.values() {
            prop_assert_eq!(row.definition_version, 1);
            let state = tidemark_projections::state::CustomerState::decode(&row.state).unwrap();
            let buys = !state.orders.is_empty();
            let membership = (row.key.clone(), Arc::from("buyers"));
            prop_assert_eq!(tables.memberships.contains_key(&membership), buys);
        }
        let members = tables.memberships.keys().filter(|(_, segment)| &**segment == "buyers").count();
        let counter = (TenantId::new("acme").unwrap(), "segment", "buyers".to_owned());
        let counted = tables.counters.get(&counter).copied().unwrap_or(0);
        prop_assert_eq!(counted, i64::try_from(members).unwrap());
    }
}
