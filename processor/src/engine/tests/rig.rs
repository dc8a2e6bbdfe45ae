//! A partition's task without Kafka and Postgres: the same steps over a log and a [`Table`].

use std::collections::BTreeMap;

use rdkafka::Timestamp;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::customer::{Customer, Encoded};
use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_projections::evaluated::{Change, EvaluatedState};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerEvent, CustomerKey, Instant};

use super::rollups::naive;
use super::table::{Counters, Table};
use crate::engine::folder::{BatchEnd, Before, Folder, NotFolded};
use crate::engine::park::Park;
use crate::engine::timers::WINDOW;
use crate::memory::Budget;
use crate::parking::Reason;
use crate::record::Record;
use crate::store::{Batch, CustomerRow, ParkedRow};

const REEVALUATED_PER_BATCH: usize = 2;

/// One record of the log.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) appended_at: Instant,
    pub(super) event: CustomerEvent,
}

/// Definitions that come into force before an offset.
pub(super) type Activations = BTreeMap<i64, Definitions>;

/// See the module.
pub(super) struct Rig<'a> {
    log: &'a [Entry],
    activations: &'a Activations,
    pub(super) table: Table,
    pub(super) folder: Folder,
    memory: usize,
    /// The largest number of timers that fire in a batch: as in the task, but small.
    pub(super) timers: usize,
    in_flight: Option<(u64, Batch)>,
    committed: u64,
}

/// The offset of a place in a log.
pub(super) fn offset(place: usize) -> i64 {
    i64::try_from(place).expect("a short log")
}

/// Definitions made of one more file than others.
pub(super) fn define(before: &Definitions, version: i64, at: Instant, yaml: &str) -> Definitions {
    let files = [("test.yaml".to_owned(), yaml.to_owned())];
    let mut bundle = Bundle::from_files(&files, "test").expect("valid definitions");
    bundle.based_on = before.version;
    let record = bundle.to_record();
    before.apply(version, at, &record).expect("accepted")
}

impl<'a> Rig<'a> {
    pub(super) fn new(log: &'a [Entry], activations: &'a Activations, memory: usize) -> Self {
        let mut table = Table::new();
        let folder = claimed(&mut table, memory);
        Self {
            log,
            activations,
            table,
            folder,
            memory,
            timers: 2,
            in_flight: None,
            committed: 0,
        }
    }

    /// The process dies and comes back; its last commit has landed, or has not.
    pub(super) fn restart(&mut self, landed: bool) {
        let in_flight = self.in_flight.take().map(|(_, batch)| batch);
        if let (true, Some(batch)) = (landed, in_flight.clone()) {
            assert!(self.table.commit(batch), "nobody else claimed");
        }
        self.folder = claimed(&mut self.table, self.memory);
        self.committed = 0;
        if let Some(stale) = in_flight {
            assert!(
                !self.table.commit(stale),
                "a zombie does not pass the fence"
            );
        }
    }

    pub(super) fn settle(&mut self) {
        if let Some((number, batch)) = self.in_flight.take() {
            assert!(self.table.commit(batch), "nobody else claimed");
            self.committed = number;
            self.folder.evict(self.committed);
        }
    }

    /// One turn of the task, over so many records at most; false when there was nothing to do.
    pub(super) fn turn(&mut self, records: usize) -> bool {
        self.activate();
        let before = self.folder.next_offset();
        let until = self.end_of_turn(before, records);
        let items = self.records(before, until);
        let next_offset = before + offset(items.len());
        let last = items.iter().map(|item| item.appended_at).max();
        self.load(&items, last);
        for (item, offset) in items.iter().zip(before..) {
            self.folder.move_clock(item.appended_at);
            if let Some(row) = self.try_fold(item, offset) {
                self.folder.pending_mut().park(row);
            }
        }
        self.folder.fire_due(self.timers);
        self.reevaluate();
        self.flush(next_offset) || self.folder.has_due_timers()
    }

    /// Lets time pass at the end of the log, with no re-evaluation left.
    pub(super) fn idle_until(&mut self, clock: Instant) {
        self.folder.move_clock(clock);
        self.fire_all();
    }

    /// Fires every timer that is due, batch by batch.
    pub(super) fn fire_all(&mut self) {
        let mut turns = 0;
        loop {
            self.load(&[], None);
            self.folder.fire_due(self.timers);
            self.flush(self.folder.next_offset());
            self.settle();
            if !self.folder.has_due_timers() {
                return;
            }
            turns += 1;
            let fired_to = self.folder.fired_to();
            assert!(turns < 10_000, "time stands still at {fired_to}");
        }
    }

    /// Reads to the end of the log in turns of so many records.
    pub(super) fn read_all(&mut self, records: usize) {
        let mut turns = 0;
        while self.turn(records) {
            turns += 1;
            assert!(turns < 10_000, "the engine goes round in circles");
        }
        self.settle();
    }

    fn activate(&mut self) {
        let reached = self.activations.range(..=self.folder.next_offset());
        let Some((_, newest)) = reached.last() else {
            return;
        };
        if !self.folder.is_older_than(newest) {
            return;
        }
        self.settle();
        if self.folder.before_activation(newest) == Before::Definitions {
            let version = Some(self.folder.definitions_version());
            let mut all = self.activations.values();
            let in_force = all.find(|definitions| definitions.version == version);
            self.folder
                .activate(in_force.expect("it was in force").clone());
        }
        if self.folder.before_activation(newest) == Before::Timers {
            self.fire_all();
        }
        self.folder.activate(newest.clone());
        self.redrive();
    }

    /// A turn ends where other definitions come into force.
    fn end_of_turn(&self, from: i64, records: usize) -> i64 {
        let most = from + offset(records);
        let next = self.activations.range(from + 1..).next();
        next.map_or(most, |(offset, _)| most.min(*offset))
    }

    fn records(&self, from: i64, until: i64) -> Vec<Entry> {
        let all = (0..).zip(self.log);
        all.filter(|(offset, _)| (from..until).contains(offset))
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    /// Loads the customers of these records, and those whose timers fire beside them.
    fn load(&mut self, items: &[Entry], clock: Option<Instant>) {
        let clock = clock.max(Some(self.folder.clock())).expect("one of them");
        let timers = self.folder.timers();
        if timers.first_due(clock).is_none() && timers.needs_load(clock) {
            let horizon = timers.horizon().cloned();
            self.settle();
            let rows = self.table.timers_after(horizon.as_ref(), WINDOW);
            self.folder.install_timers(rows);
        }
        let due = self.folder.timers().due(clock, self.timers);
        let folded: Vec<_> = items.iter().map(|item| item.event.key()).collect();
        let passing = self.folder.absent(&due, &folded);
        let missing = self
            .folder
            .missing(folded.into_iter().chain(due).collect(), self.committed);
        let rows = self.table.customers_of(&missing);
        self.folder.install(missing, rows);
        self.folder.let_pass(passing);
    }

    fn try_fold(&mut self, item: &Entry, offset: i64) -> Option<ParkedRow> {
        let park = match self.folder.fold(&item.event) {
            Ok(_) => return None,
            Err(NotFolded::Refused(refused)) => Park::refused(&item.event, refused),
            Err(NotFolded::UnknownTenant) => {
                Park::event(&item.event, Reason::UnknownTenant, "not defined")
            }
            Err(NotFolded::PlaceholderId) => Park::placeholder(&item.event),
            Err(NotFolded::Failed) => panic!("{:?}", self.folder.take_failed()),
            Err(NotFolded::Panicked(message)) => panic!("{message}"),
        };
        let record = Record {
            offset,
            timestamp: Timestamp::LogAppendTime(item.appended_at.micros() / 1_000),
            key: None,
            value: None,
            headers: Vec::new(),
        };
        Some(park.row(&record, item.appended_at))
    }

    /// Folds what is parked of tenants that are defined now, before anything new.
    fn redrive(&mut self) {
        let parked: Vec<_> = self.table.parked.values().cloned().collect();
        for row in parked {
            let tenant = row.tenant.as_ref().expect("an event's");
            let reasons = [Reason::UnknownTenant, Reason::Late];
            if !reasons.contains(&row.reason) || self.folder.tenant(tenant).is_none() {
                continue;
            }
            let place = usize::try_from(row.offset).expect("an offset");
            let entry = self.log[place].clone();
            self.load(std::slice::from_ref(&entry), None);
            match self.try_fold(&entry, row.offset) {
                None => self.folder.pending_mut().unpark(&row),
                Some(now) if now.reason == row.reason => {}
                Some(now) => self.folder.pending_mut().repark(&row, now),
            }
        }
        self.flush(self.folder.next_offset());
    }

    fn reevaluate(&mut self) {
        let Some(next) = self.folder.next_reevaluation() else {
            return;
        };
        let tenant = next.tenant.clone();
        let after = next.cursor.as_deref();
        let rows = self
            .table
            .tenant_customers(&tenant, after, REEVALUATED_PER_BATCH);
        let last = rows.last().map(|row| row.key.clone());
        self.folder.reevaluate(&tenant, last, rows);
    }

    /// Sends a batch off, while the one before it lands.
    fn flush(&mut self, next_offset: i64) -> bool {
        let moved = next_offset > self.folder.next_offset()
            || self.folder.clock() > self.table.clock && self.in_flight.is_none()
            || self.folder.fired_to() > self.table.fired_to && self.in_flight.is_none();
        if !moved && !self.folder.has_rows() {
            return false;
        }
        let number = self.folder.batch_number();
        let batch = self.folder.flush(BatchEnd {
            wall_clock: false,
            last: None,
            next_offset,
            checkpoint: false,
        });
        self.settle();
        self.in_flight = Some((number, batch));
        true
    }

    /// Every customer with outputs that time will change has a timer due by then, and no other customer
    /// has one.
    pub(super) fn assert_timers_cover(&self) {
        let definitions = self.activations.values().next_back().expect("some");
        for (customer, row) in &self.table.customers {
            let (state, evaluated) = read(row);
            let tenant = definitions.tenant(&customer.tenant).expect("defined");
            assert_eq!(evaluated.definition_version, tenant.version, "re-evaluated");
            let timer = self.table.timers.get(customer);
            let look = evaluated.next_look(&state, tenant);
            assert_eq!(timer.is_some(), look.is_some(), "{customer:?}");
            if let Some(due) = evaluated.next_due(&state, tenant) {
                assert!(
                    timer.is_some_and(|timer| *timer <= due),
                    "{customer:?} has no timer by {due}: {timer:?}"
                );
                assert!(due > self.table.clock, "{customer:?} was due at {due}");
            }
        }
    }

    /// The counters say what the rows add up to.
    pub(super) fn assert_counters_add_up(&self) {
        let table = &self.table;
        let mut counters = Counters::new();
        let mut count = |key: &CustomerKey, kind, name: String| {
            let counter = (key.tenant.clone(), kind, name);
            *counters.entry(counter).or_default() += 1;
        };
        for (key, row) in &table.customers {
            count(key, CounterKind::Customers, String::new());
            if let Some(band) = read(row).1.band {
                count(key, CounterKind::Band, band.name().to_owned());
            }
        }
        for (key, segment) in table.memberships.keys() {
            count(key, CounterKind::Segment, segment.clone());
        }
        for ((key, journey), (stage, _)) in &table.positions {
            count(key, CounterKind::Stage, format!("{journey}/{stage}"));
        }
        for (tenant, reason) in table
            .parked
            .values()
            .filter_map(|row| Some((row.tenant.clone()?, row.reason)))
        {
            let counter = (tenant, CounterKind::Parked, reason.as_str().to_owned());
            *counters.entry(counter).or_default() += 1;
        }
        assert_eq!(table.counters, counters);
        let mut bytes = BTreeMap::new();
        for row in table.parked.values() {
            *bytes.entry(row.tenant.clone()).or_default() += row.bytes();
        }
        assert_eq!(table.parked_bytes, bytes);
    }

    /// The rollups say what the states and the changes add up to.
    pub(super) fn assert_rollups_add_up(&self) {
        let definitions = self.activations.values().next_back().expect("some");
        let mut found = self.table.rollups.clone();
        found.retain(|_, rollups| !rollups.is_empty());
        assert_eq!(found, naive(&self.table, definitions));
    }

    /// The changes of each customer, in order.
    pub(super) fn histories(&self) -> BTreeMap<CustomerKey, Vec<Change>> {
        let mut histories: BTreeMap<CustomerKey, Vec<Change>> = BTreeMap::new();
        for set in &self.table.changes {
            let history = histories.entry(set.key.clone()).or_default();
            history.extend(set.changes.iter().cloned());
        }
        histories
    }
}

fn claimed(table: &mut Table, memory: usize) -> Folder {
    Folder::new(0, table.claim(), Budget::new(memory))
}

fn read(row: &CustomerRow) -> (CustomerState, EvaluatedState) {
    let stored = Encoded {
        state: &row.state[..],
        tracked: &row.tracked,
        evaluated: &row.evaluated,
    };
    let customer = Customer::decode(&row.key.customer, stored).expect("a customer");
    customer.into_parts()
}
