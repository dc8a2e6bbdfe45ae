//! `event` conditions.

use std::sync::Arc;

use super::Language;
use super::leaves::{EXACT_OPERATORS, whole_number};
use crate::days::Duration;
use crate::definitions::expression::{
    ActivityPattern, Ago, AttributeCondition, AttributeTest, Bounds, Comparison, EventCondition,
    EventWindow, TrackedLeaf,
};
use crate::definitions::fields::{self, Fields};
use crate::definitions::quantities;
use crate::definitions::tree::{Content, Node};
use crate::state::LeafId;
use crate::state::activity::DAYS_KEPT;

/// The largest number of distinct `where` and sequences in a tenant's segments: each examines every
/// activity of its name.
const MAX_TRACKED: usize = 100;
const KEYS: [&str; 8] = [
    "name",
    "where",
    "count",
    "never",
    "within",
    "between",
    "first_time",
    "last",
];

impl Language<'_> {
    pub(super) fn event(&mut self, node: &Node) -> Option<EventCondition> {
        let fields = Fields::read(node, "an event condition", &KEYS, self.problems)?;
        let activity = self.activity(&fields);
        let window = self.event_window(&fields);
        let count = self.event_count(&fields);
        let mut ago = |key: &str| match fields.get(key) {
            Some(node) => self.ago(node, key).map(Some),
            None => Some(None),
        };
        let (first_time, last) = (ago("first_time"), ago("last"));
        let (name, tracked) = activity?;
        Some(EventCondition {
            name,
            tracked,
            window: window?,
            count: count?,
            first_time: first_time?,
            last: last?,
        })
    }

    /// `name`: which activity.
    pub(super) fn activity_name(&mut self, fields: &Fields<'_>) -> Option<Arc<str>> {
        let node = fields.require("name", self.problems)?;
        let name = fields::text(node, "the name of an activity", self.problems)?;
        if name.is_empty() {
            self.problems.add(&node.place, "an activity has a name");
            return None;
        }
        Some(Arc::clone(name))
    }

    /// `name`, and `where`: what must be true of the activity's properties.
    pub(super) fn activity(&mut self, fields: &Fields<'_>) -> Option<(Arc<str>, Option<LeafId>)> {
        let name = self.activity_name(fields)?;
        let Some(node) = fields.get("where") else {
            return Some((name, None));
        };
        let properties = self.properties(node)?;
        let text = serde_json::json!([*name, node.to_json()]).to_string();
        let pattern = ActivityPattern {
            name: Arc::clone(&name),
            properties,
        };
        let leaf = self.track(node, &text, TrackedLeaf::Count(pattern))?;
        Some((name, Some(leaf)))
    }

    /// Equal conditions share one counter.
    pub(super) fn track(
        &mut self,
        node: &Node,
        text: &str,
        tracked: TrackedLeaf,
    ) -> Option<LeafId> {
        let leaf = LeafId(xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        self.tracked.entry(leaf).or_insert(tracked);
        if self.tracked.len() > MAX_TRACKED {
            let message =
                format!("a tenant may have {MAX_TRACKED} different `where` and sequences at most");
            self.problems.add(&node.place, message);
            return None;
        }
        Some(leaf)
    }

    pub(super) fn properties(&mut self, node: &Node) -> Option<Vec<AttributeCondition>> {
        let items = if matches!(node.content, Content::List(_)) {
            fields::list(node, "a list of conditions", MAX_TRACKED, self.problems)?
        } else {
            std::slice::from_ref(node)
        };
        let properties: Vec<_> = items.iter().map(|item| self.property(item)).collect();
        properties.into_iter().collect()
    }

    fn property(&mut self, node: &Node) -> Option<AttributeCondition> {
        let condition = self.tests_of(node, false)?;
        let depends_on_time = condition.has_been_for.is_some()
            || condition
                .tests
                .iter()
                .any(|test| matches!(test, AttributeTest::WithinLast(_)));
        if depends_on_time {
            let message = "a property stays what it is: `within_last` and `has_been_for` are for \
                           attributes";
            self.problems.add(&node.place, message);
            return None;
        }
        Some(condition)
    }

    pub(super) fn event_window(&mut self, fields: &Fields<'_>) -> Option<EventWindow> {
        match (fields.get("within"), fields.get("between")) {
            (None, None) => Some(EventWindow::Ever),
            (Some(node), None) => {
                let expected = "a duration, like 30d or 12h";
                fields::parsed(
                    node,
                    expected,
                    self.problems,
                    |text| match quantities::window(text)? {
                        Duration::Exact(micros) => Ok(EventWindow::LastMicros(micros)),
                        Duration::Days(days) if days > DAYS_KEPT => Err(format!(
                            "{text:?} is longer than {DAYS_KEPT}d, for which days are kept"
                        )),
                        Duration::Days(days) => Ok(EventWindow::LastDays(days)),
                    },
                )
            }
            (None, Some(node)) => self
                .days(node)
                .map(|(from, to)| EventWindow::Between(from, to)),
            (Some(_), Some(node)) => {
                self.problems
                    .add(&node.place, "`within` and `between` exclude each other");
                None
            }
        }
    }

    /// The default bound: at least one, unless another property is asked for.
    pub(super) fn event_count(&mut self, fields: &Fields<'_>) -> Option<Bounds<i64>> {
        match (fields.get("count"), fields.get("never")) {
            (Some(node), None) => self.bounds(node, "count", &EXACT_OPERATORS, &mut whole_number),
            (None, Some(node)) => {
                let never = fields::boolean(node, self.problems)?;
                let bound = if never {
                    (Comparison::Eq, 0)
                } else {
                    (Comparison::Gte, 1)
                };
                Some(Bounds(vec![bound]))
            }
            (None, None) => {
                let asked = ["within", "between"]
                    .iter()
                    .any(|key| fields.get(key).is_some());
                let else_asked = ["first_time", "last"]
                    .iter()
                    .any(|key| fields.get(key).is_some());
                let at_least_one = asked || !else_asked;
                Some(Bounds(
                    at_least_one
                        .then_some((Comparison::Gte, 1))
                        .into_iter()
                        .collect(),
                ))
            }
            (Some(_), Some(node)) => {
                self.problems
                    .add(&node.place, "`count` and `never` exclude each other");
                None
            }
        }
    }

    /// `{ within: 7d }` or `{ not_within: 30d }`.
    pub(super) fn ago(&mut self, node: &Node, what: &str) -> Option<Ago> {
        let fields = Fields::read(node, what, &["within", "not_within"], self.problems)?;
        let (ago, node): (fn(Duration) -> Ago, _) =
            match (fields.get("within"), fields.get("not_within")) {
                (Some(node), None) => (Ago::Within, node),
                (None, Some(node)) => (Ago::NotWithin, node),
                // A key that does not exist was named already.
                (None, None) if fields.entries().next().is_some() => return None,
                (None, None) | (Some(_), Some(_)) => {
                    let message = format!("{what} needs either `within` or `not_within`");
                    self.problems.add(fields.place(), message);
                    return None;
                }
            };
        fields::parsed(
            node,
            "a duration, like 30d or 12h",
            self.problems,
            quantities::duration,
        )
        .map(ago)
    }
}
