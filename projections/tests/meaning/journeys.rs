//! Journeys: the ways customers take, what is counted of them, and stages entered by conditions.

use std::sync::Arc;

use tidemark_projections::definitions::{Bundle, TenantDefinitions};
use tidemark_projections::evaluated::{Change, Delta, EvaluatedState};
use tidemark_projections::explain::explain;
use tidemark_projections::journeys::{Funnel, Sums};
use tidemark_projections::rollups::{JourneyRollup, RollupKind, Rollups};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerEvent, Instant};

use super::evaluated::{at, event, order, stage, tenant};

pub(crate) const SALES: &str = "
journeys:
  - name: sales
    stages: [lead, trial, customer]
";

/// One customer, evaluated as it comes, with what its rollups add up to.
pub(crate) struct Followed {
    pub(crate) definitions: Arc<TenantDefinitions>,
    pub(crate) state: CustomerState,
    pub(crate) evaluated: EvaluatedState,
    pub(crate) changes: Vec<Change>,
    pub(crate) rollups: Rollups,
    written: Option<EvaluatedState>,
}

impl Followed {
    pub(crate) fn with(rest: &str) -> Self {
        let definitions = tenant(1, rest);
        Self {
            state: CustomerState::default(),
            evaluated: EvaluatedState::new(definitions.version),
            definitions,
            changes: Vec::new(),
            rollups: Rollups::default(),
            written: None,
        }
    }

    pub(crate) fn fold(&mut self, event: &CustomerEvent) {
        self.step_to(event.occurred_at);
        self.state.fold(event, &self.definitions.rules).unwrap();
        self.evaluated
            .observe(&self.state, &self.definitions, event, &mut self.changes);
        self.write();
    }

    pub(crate) fn step_to(&mut self, until: Instant) {
        let (state, definitions) = (&self.state, &self.definitions);
        self.evaluated
            .step_to(state, definitions, until, &mut self.changes);
        self.write();
    }

    pub(crate) fn redefine(&mut self, version: i64, rest: &str) {
        self.definitions = tenant(version, rest);
        let now = self.evaluated.evaluated_at;
        self.evaluated
            .redefine(&self.state, &self.definitions, now, &mut self.changes);
        self.write();
    }

    /// Commits: the written parts are read again.
    fn write(&mut self) {
        let delta = Delta::between(self.written.as_ref(), &self.evaluated);
        self.rollups.extend(delta.rollups);
        self.evaluated = EvaluatedState::decode(&self.evaluated.encode()).unwrap();
        self.written = Some(self.evaluated.clone());
    }

    /// `stage since`, step by step.
    pub(crate) fn path(&self) -> Vec<String> {
        let path = self.evaluated.paths.get("sales");
        let steps = path.into_iter().flat_map(|path| path.steps());
        steps
            .map(|step| format!("{} {}", step.stage, step.since))
            .collect()
    }

    pub(crate) fn funnel(&self) -> Funnel {
        let mut sums = Sums::default();
        for (rollup, value) in self.rollups.iter() {
            let value = i64::try_from(value).unwrap();
            if let RollupKind::Journey(kind) = rollup.kind {
                sums.add(kind, &rollup.item, &rollup.detail, value);
            }
        }
        let journey = &self.definitions.journeys["sales"];
        let here = |stage: &str| {
            let path = self.evaluated.paths.get("sales");
            i64::from(path.is_some_and(|path| **path.stage() == *stage))
        };
        Funnel::from_sums(journey, here, &sums)
    }
}

/// `kind two three day value`.
pub(crate) fn lines(rollups: &Rollups) -> Vec<String> {
    let lines = rollups.iter().map(|(rollup, value)| {
        let (kind, day) = (rollup.kind.name(), rollup.day);
        format!("{kind} {} {} {day} {value}", rollup.item, rollup.detail)
    });
    lines.collect()
}

#[test]
fn a_late_stage_corrects_the_rollups() {
    let mut one = Followed::with(SALES);
    one.fold(&event(1, at("2024-03-01T12:00:00Z"), stage("lead")));
    one.fold(&event(2, at("2024-03-09T12:00:00Z"), stage("customer")));
    assert_eq!(
        lines(&one.rollups),
        [
            "journey.advanced lead  19783 1",
            "journey.completed lead  19783 1",
            "journey.entered lead  19783 1",
            "journey.entered customer  19791 1",
            "journey.flow  lead 19783 1",
            "journey.flow lead customer 19791 1",
            // 8 days are 691,200 s: in the bucket from 655,360 s on.
            "journey.stay lead>customer 73 0 1",
        ]
    );
    one.fold(&event(3, at("2024-03-01T13:00:00Z"), stage("trial")));
    assert_eq!(
        one.path(),
        [
            "lead 2024-03-01T12:00:00Z",
            "trial 2024-03-01T13:00:00Z",
            "customer 2024-03-09T12:00:00Z"
        ]
    );
    let mut in_order = Followed::with(SALES);
    in_order.fold(&event(1, at("2024-03-01T12:00:00Z"), stage("lead")));
    in_order.fold(&event(3, at("2024-03-01T13:00:00Z"), stage("trial")));
    in_order.fold(&event(2, at("2024-03-09T12:00:00Z"), stage("customer")));
    assert_eq!(lines(&one.rollups), lines(&in_order.rollups));
    assert_eq!(one.evaluated.paths, in_order.evaluated.paths);
}

#[test]
fn the_funnel_reports_progress_and_dwell_times() {
    let mut one = Followed::with(SALES);
    one.fold(&event(1, at("2024-03-01T00:00:00Z"), stage("lead")));
    one.fold(&event(2, at("2024-03-01T00:01:00Z"), stage("trial")));
    one.fold(&event(3, at("2024-03-01T00:02:00Z"), stage("lead")));
    let funnel = one.funnel();
    let [lead, trial, customer] = &funnel.stages[..] else {
        panic!("three stages")
    };
    assert_eq!((lead.customers, lead.entered, lead.advanced), (1, 1, 1));
    assert_eq!(lead.conversion_to_next, Some(1.0));
    assert_eq!(lead.conversion_to_last, Some(0.0));
    assert_eq!((lead.dwell.stays, lead.dwell.median_seconds), (1, Some(56)));
    // Back to lead is no way forward.
    assert_eq!((trial.entered, trial.advanced), (1, 0));
    assert_eq!((customer.entered, customer.conversion_to_next), (0, None));
    let links = funnel.links.iter();
    let links = links.map(|link| (link.from.as_deref(), &*link.to, link.moves));
    assert_eq!(
        links.collect::<Vec<_>>(),
        [
            (None, "lead", 1),
            (Some("lead"), "trial", 1),
            (Some("trial"), "lead", 1)
        ]
    );
}

#[test]
fn the_worst_bottleneck_costs_the_most_completions() {
    let mut sums = Sums::default();
    for (stage, entered, advanced, completed) in [
        ("lead", 100, 50, 10),
        ("trial", 50, 20, 10),
        ("customer", 10, 0, 0),
    ] {
        sums.add(JourneyRollup::Entered, stage, "", entered);
        sums.add(JourneyRollup::Advanced, stage, "", advanced);
        sums.add(JourneyRollup::Completed, stage, "", completed);
    }
    let definitions = tenant(1, SALES);
    let funnel = Funnel::from_sums(&definitions.journeys["sales"], |_| 0, &sums);
    let found = funnel.bottlenecks();
    let found: Vec<_> = found
        .iter()
        .map(|of| (&*of.stage, of.lost, of.expected_completions_lost))
        .collect();
    // Fewer are lost in trial, but each of them was closer to the end.
    assert_eq!(found, [("trial", 30, 15.0), ("lead", 50, 10.0)]);
}

#[test]
fn a_long_path_keeps_its_newest_steps() {
    let mut one = Followed::with(SALES);
    let start = at("2024-03-01T00:00:00Z");
    one.fold(&event(900, start, stage("trial")));
    for number in 0..70_i64 {
        let name = if number % 2 == 0 { "lead" } else { "customer" };
        let then = start.plus_micros((number + 1) * 3_600_000_000);
        one.fold(&event(
            1 + u128::from(number.unsigned_abs()),
            then,
            stage(name),
        ));
    }
    let path = &one.evaluated.paths["sales"];
    assert_eq!(path.steps().len(), 64);
    let funnel = one.funnel();
    let moves: i64 = funnel.links.iter().map(|link| link.moves).sum();
    assert_eq!(moves, 63, "between the newest 64 steps");
    // Which stages were ever entered is not forgotten.
    let entered: Vec<_> = funnel.stages.iter().map(|of| of.completed).collect();
    assert_eq!(entered, [1, 1, 0]);
    assert!(funnel.stages.iter().all(|of| of.entered == 1));
}

pub(crate) const BY_CONDITION: &str = "
segments:
  - name: stuck
    when: { stage: { journey: sales, is: trial, in_for: 3d } }
journeys:
  - name: sales
    stages:
      - lead
      - { name: trial, when: { orders: { count: { gte: 1 }, within: 2d } } }
      - name: customer
        when: { orders: { count: { gte: 3 } } }
";

#[test]
fn a_stage_is_entered_when_its_condition_becomes_true() {
    let mut one = Followed::with(BY_CONDITION);
    one.fold(&event(1, at("2024-03-01T12:00:00Z"), stage("lead")));
    one.fold(&event(2, at("2024-03-02T12:00:00Z"), order("a")));
    // The condition holds until the 4th; the stage is not left with it.
    one.step_to(at("2024-03-10T00:00:00Z"));
    one.fold(&event(3, at("2024-03-11T12:00:00Z"), stage("lead")));
    one.fold(&event(4, at("2024-03-12T12:00:00Z"), order("b")));
    one.fold(&event(5, at("2024-03-12T13:00:00Z"), order("c")));
    assert_eq!(
        one.path(),
        [
            "lead 2024-03-01T12:00:00Z",
            "trial 2024-03-02T12:00:00Z",
            "lead 2024-03-11T12:00:00Z",
            "trial 2024-03-12T12:00:00Z",
            "customer 2024-03-12T13:00:00Z"
        ]
    );
    let entered = |name: &str| {
        let mut changes = one.changes.iter().filter(|change| *change.name == *name);
        changes.next().map(|change| change.effective_at)
    };
    // To the microsecond, by its own timer.
    assert_eq!(entered("stuck"), Some(at("2024-03-05T12:00:00Z")));
    // The condition is a segment like any other.
    assert_eq!(entered("sales/trial"), Some(at("2024-03-02T12:00:00Z")));
}

#[test]
fn a_late_stage_event_is_inserted_between_conditional_stages() {
    let mut one = Followed::with(BY_CONDITION);
    one.fold(&event(1, at("2024-03-02T12:00:00Z"), order("a")));
    one.fold(&event(2, at("2024-03-12T12:00:00Z"), order("b")));
    assert_eq!(one.path(), ["trial 2024-03-02T12:00:00Z"]);
    one.fold(&event(3, at("2024-03-04T12:00:00Z"), stage("lead")));
    assert_eq!(
        one.path(),
        [
            "trial 2024-03-02T12:00:00Z",
            "lead 2024-03-04T12:00:00Z",
            "trial 2024-03-12T12:00:00Z"
        ]
    );
}

#[test]
fn a_new_stage_condition_enters_at_the_time_it_became_true() {
    let mut one = Followed::with(SALES);
    one.fold(&event(1, at("2024-03-01T12:00:00Z"), stage("lead")));
    one.fold(&event(2, at("2024-03-02T12:00:00Z"), order("a")));
    one.redefine(5, &BY_CONDITION.replace("within: 2d", "within: 30d"));
    // As of when the definitions were accepted, as every change they make.
    assert_eq!(
        one.path(),
        [
            "trial 2024-01-01T00:00:00.000005Z",
            "lead 2024-03-01T12:00:00Z"
        ]
    );
    // And what a condition entered goes with it.
    one.redefine(6, SALES);
    assert_eq!(one.path(), ["lead 2024-03-01T12:00:00Z"]);
    let moves = one.funnel().links;
    assert_eq!((moves.len(), moves[0].moves), (1, 1));
}

fn errors(rest: &str) -> Vec<String> {
    let text = format!("tenant: {{ id: t, zone: UTC, currency: EUR }}\n{rest}");
    let errors = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap_err();
    let errors = errors.iter();
    errors
        .map(|error| format!("{}:{} {}", error.line, error.column, error.message))
        .collect()
}

#[test]
fn invalid_stages_are_refused_with_their_position() {
    let found = errors(
        "journeys:
  - name: sales
    stages:
      - lead
      - { name: trial, wen: { segment: nobody } }
      - { name: Won, when: { segment: nobody } }
      - { when: { segment: nobody } }
      - { name: lead, when: { segment: nobody } }
      - [customer]
",
    );
    assert_eq!(
        found,
        [
            "6:24 unknown key of a stage \"wen\": did you mean \"when\"? (known: name, when)",
            "7:17 \"Won\" cannot name a stage: expected 1 to 64 of a-z, 0-9, '_' and '-', the \
             first a letter or a digit",
            "8:9 a stage lacks \"name\"",
            "9:9 stage \"lead\" stands twice",
            "9:40 unknown segment \"nobody\" (known: sales/lead)",
            "10:9 expected the name of a stage, found a list",
        ]
    );
}

#[test]
fn a_stage_condition_on_its_own_journey_is_a_cycle() {
    let found = errors(
        "segments:
  - name: won
    when: { stage: { journey: sales, is: customer } }
journeys:
  - name: sales
    stages: [lead, { name: customer, when: { segment: won } }]
",
    );
    assert_eq!(
        found,
        ["3:11 segments refer to each other in a cycle: won → sales/customer → won"]
    );
}

#[test]
fn shown_journeys_define_the_same() {
    let definitions = tenant(1, BY_CONDITION);
    let shown = definitions.source.to_yaml();
    let again = Bundle::from_files(&[("shown.yaml".to_owned(), shown)], "test").unwrap();
    assert_eq!(again.tenants, std::slice::from_ref(&definitions.source));
    // The conditions of stages are segments, but none that is written as one.
    let named = |name: &str| definitions.segment(name).is_some();
    assert!(named("sales/trial") && named("sales/customer") && !named("sales/lead"));
    assert_eq!(definitions.source.segments.len(), 1);
}

#[test]
fn an_entered_stage_can_be_explained() {
    let mut one = Followed::with(BY_CONDITION);
    one.fold(&event(1, at("2024-03-02T12:00:00Z"), order("a")));
    let now = one.evaluated.evaluated_at;
    let why =
        |segment| explain(&one.state, &one.evaluated, &one.definitions, segment, now).unwrap();
    let trial = why("sales/trial");
    assert!(trial.member);
    assert_eq!(trial.changes_at, Some(at("2024-03-04T05:00:00Z")));
    // The place it asks about was entered by a condition, which is looked at as well.
    let stuck = why("stuck");
    assert!(!stuck.member);
    assert_eq!(stuck.changes_at, Some(at("2024-03-05T12:00:00Z")));
}
