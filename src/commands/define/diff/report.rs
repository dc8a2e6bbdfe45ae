//! The report of `tidemark define diff`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tidemark_projections::definitions::{Changed, Difference, TenantDefinitions};
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::explain::Mismatch;
use tidemark_schemas::{Instant, TenantId};

use crate::output::grouped;

/// The customers with a value of another kind, by segment, attribute and difference.
type Mismatches = BTreeMap<Arc<str>, BTreeMap<Arc<str>, BTreeMap<&'static str, u64>>>;

/// The overall result for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The tenant is not defined yet, so it has no customers.
    New,
    /// Applying the definitions would change nothing.
    Unchanged,
    /// At least one definition differs.
    Changed,
}

/// The changes to one tenant.
#[derive(Debug, Serialize)]
pub(super) struct TenantDiff {
    pub(super) outcome: Outcome,
    tenant: TenantId,
    /// The version of the definitions in force.
    in_force: Option<i64>,
    definitions: Difference,
    /// The least clock of the partitions; null before the first record.
    as_of: Option<Instant>,
    customers: u64,
    /// The segments of both definitions, by name.
    segments: BTreeMap<Arc<str>, MemberChanges>,
    /// The customers with a value of another kind than it is compared with, by segment and attribute.
    mismatches: Mismatches,
    #[serde(skip)]
    max_listed: usize,
}

/// The customers that would enter and leave a segment.
#[derive(Debug, Default, Serialize)]
struct MemberChanges {
    /// The number of members under the definitions in force.
    before: u64,
    /// Null where unknown: the segment needs counts of activities that are counted only from when
    /// it is applied.
    after: Option<u64>,
    /// Null where unknown.
    enter: Option<u64>,
    /// Null where unknown.
    leave: Option<u64>,
    /// The first ids of the customers that would enter.
    entering: Vec<String>,
    /// The first ids of the customers that would leave.
    leaving: Vec<String>,
}

impl TenantDiff {
    pub(super) fn new(
        before: Option<&TenantDefinitions>,
        after: &TenantDefinitions,
        as_of: Option<Instant>,
        max_listed: usize,
    ) -> Self {
        let outcome = match before {
            None => Outcome::New,
            Some(before) if before.source == after.source => Outcome::Unchanged,
            Some(_) => Outcome::Changed,
        };
        let mut segments = BTreeMap::new();
        for segment in before.into_iter().flat_map(|before| &before.segments) {
            segments.insert(Arc::clone(&segment.name), MemberChanges::none());
        }
        for segment in &after.segments {
            let is_counted = before.is_none_or(|before| after.counts_already(segment, before));
            let changes = if is_counted {
                MemberChanges::none()
            } else {
                MemberChanges::default()
            };
            segments.insert(Arc::clone(&segment.name), changes);
        }
        Self {
            outcome,
            tenant: after.id.clone(),
            in_force: before.map(|before| before.version),
            definitions: Difference::between(before.map(|before| &before.source), &after.source),
            as_of,
            customers: 0,
            segments,
            mismatches: BTreeMap::new(),
            max_listed,
        }
    }

    /// Counts a customer by its evaluated states under both definitions.
    pub(super) fn count(
        &mut self,
        customer: &str,
        before: &EvaluatedState,
        after: &EvaluatedState,
    ) {
        self.customers += 1;
        for (name, changes) in &mut self.segments {
            let was = before.segments.contains_key(name);
            let is = after.segments.contains_key(name);
            changes.count(customer, was, is, self.max_listed);
        }
    }

    /// Counts the values of a customer that the new definitions compare with another kind of value.
    pub(super) fn count_mismatches(&mut self, mismatches: impl IntoIterator<Item = Mismatch>) {
        for found in mismatches {
            let attributes = self.mismatches.entry(found.segment).or_default();
            let differences = attributes.entry(found.attribute).or_default();
            *differences.entry(found.difference).or_default() += 1;
        }
    }

    pub(super) fn to_text(&self) -> String {
        let tenant = &self.tenant;
        let mut text = match (self.outcome, self.in_force) {
            (Outcome::Unchanged, _) => {
                return format!("{tenant}: unchanged: these definitions are in force already");
            }
            (_, None) => format!("{tenant}: new, without customers\n"),
            (_, Some(version)) => format!("{tenant}: changes to version {version}\n"),
        };
        let definitions = &self.definitions;
        for (part, changed) in [
            ("settings", &definitions.settings),
            ("segments", &definitions.segments),
            ("journeys", &definitions.journeys),
            ("actions", &definitions.actions),
            ("triggers", &definitions.triggers),
            ("models", &definitions.models),
        ] {
            if !changed.is_empty() {
                add(&mut text, format_args!("  {part}"));
            }
            for changed in changed {
                add_changed(&mut text, changed);
            }
        }
        if definitions.is_empty() {
            let order = "  only the order of the definitions";
            add(&mut text, format_args!("{order}"));
        }
        if self.outcome == Outcome::Changed {
            self.add_segments(&mut text);
            self.add_mismatches(&mut text);
        }
        text.trim_end().to_owned()
    }

    fn add_mismatches(&self, text: &mut String) {
        if self.mismatches.is_empty() {
            return;
        }
        let title = "  values of another kind than they are compared with: declare their `type`";
        add(text, format_args!("{title}"));
        for (segment, attributes) in &self.mismatches {
            for (attribute, differences) in attributes {
                for (difference, customers) in differences {
                    let customers = grouped(*customers);
                    add(
                        text,
                        format_args!(
                            "    {segment}: {attribute} is {difference}, of {customers} customers"
                        ),
                    );
                }
            }
        }
    }

    fn add_segments(&self, text: &mut String) {
        let customers = grouped(self.customers);
        let as_of = self.as_of.map(|as_of| format!(" as of {as_of}"));
        let as_of = as_of.unwrap_or_default();
        add(
            text,
            format_args!("  members, of {customers} customers{as_of}"),
        );
        let changed = self.segments.iter();
        let changed = changed.filter(|(_, changes)| changes.is_reported());
        for (name, changes) in changed.clone() {
            changes.add_to(text, name);
        }
        if changed.count() == 0 {
            add(
                text,
                format_args!("    no customer enters or leaves a segment"),
            );
        }
    }
}

impl MemberChanges {
    /// Returns known counts, all zero.
    fn none() -> Self {
        Self {
            after: Some(0),
            enter: Some(0),
            leave: Some(0),
            ..Self::default()
        }
    }

    fn count(&mut self, customer: &str, was: bool, is: bool, max_listed: usize) {
        self.before += u64::from(was);
        let (Some(after), Some(enter), Some(leave)) =
            (&mut self.after, &mut self.enter, &mut self.leave)
        else {
            return;
        };
        *after += u64::from(is);
        let (count, ids) = match (was, is) {
            (false, true) => (enter, &mut self.entering),
            (true, false) => (leave, &mut self.leaving),
            (false, false) | (true, true) => return,
        };
        *count += 1;
        if ids.len() < max_listed {
            ids.push(customer.to_owned());
        }
    }

    /// Whether customers enter or leave, or that is unknown.
    fn is_reported(&self) -> bool {
        (self.enter, self.leave) != (Some(0), Some(0))
    }

    fn add_to(&self, text: &mut String, name: &str) {
        let (Some(after), Some(enter), Some(leave)) = (self.after, self.enter, self.leave) else {
            let why = "needs activities that are not counted yet: exact from when it is applied";
            return add(text, format_args!("    {name}: {why}"));
        };
        let (before, after) = (grouped(self.before), grouped(after));
        let (entered, left) = (grouped(enter), grouped(leave));
        add(
            text,
            format_args!("    {name}: {before} -> {after} (+{entered} -{left})"),
        );
        add_ids(text, '+', &self.entering, enter);
        add_ids(text, '-', &self.leaving, leave);
    }
}

fn add(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}

fn add_changed(text: &mut String, changed: &Changed) {
    let name = &changed.name;
    match (&changed.from, &changed.to) {
        (None, Some(to)) => add(text, format_args!("    + {name}: {to}")),
        (Some(from), None) => add(text, format_args!("    - {name}: {from}")),
        (from, to) => {
            add(text, format_args!("    ~ {name}"));
            for (sign, side) in [('-', from), ('+', to)] {
                let side = side.as_ref().unwrap_or(&Value::Null);
                add(text, format_args!("        {sign} {side}"));
            }
        }
    }
}

fn add_ids(text: &mut String, sign: char, ids: &[String], of: u64) {
    if ids.is_empty() {
        return;
    }
    let more = of.saturating_sub(ids.len() as u64);
    let more = (more > 0).then(|| format!(" and {} more", grouped(more)));
    let (ids, more) = (ids.join(", "), more.unwrap_or_default());
    add(text, format_args!("      {sign} {ids}{more}"));
}
