//! The segment language: from a document's tree to an [`Expression`].

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tidemark_schemas::Currency;

use super::Journey;
use super::expression::{Bounds, Comparison, Expression, SegmentReference, TrackedLeaf};
use super::fields::{self, Fields};
use super::problems::{Problems, unknown};
use super::source::AttributeDeclaration;
use super::tree::{Content, Node};
use crate::models::{Conversion, TrainedModels};
use crate::state::LeafId;

mod attribute;
mod event;
mod habits;
mod leaves;
mod members;
mod records;
mod scores;
mod tallies;

pub(crate) use leaves::{decimal_text, each, money, one_of, whole_number};

/// The deepest nesting of `all`, `any` and `not`: evaluation recurses this far.
const MAX_NESTING: usize = 20;
/// The largest number of conditions in one `all` or `any`.
const MAX_CONDITIONS: usize = 500;
/// The largest number of patterns in a tenant's segments; each takes up to a quarter of a megabyte.
const MAX_PATTERNS: usize = 100;

const CONDITIONS: [&str; 20] = [
    "all",
    "any",
    "not",
    "segment",
    "attribute",
    "event",
    "orders",
    "stage",
    "churn",
    "sequence",
    "regularly",
    "stopped",
    "restarted",
    "member_for",
    "bucket",
    "manual",
    "rfm",
    "cluster",
    "value",
    "conversion",
];

/// Reads one value of a condition.
pub(crate) type Read<'a, T> = &'a mut dyn FnMut(&Node, &mut Problems) -> Option<T>;

/// The predicted outcomes, by stage and whole days in it.
type Chances = Arc<Vec<Vec<Conversion>>>;

/// The names that the expressions of one tenant may refer to, and the problems found in them.
pub(crate) struct Language<'a> {
    pub(crate) zone: &'a TimeZone,
    /// The declarations of attributes.
    pub(crate) attributes: &'a BTreeMap<Arc<str>, AttributeDeclaration>,
    pub(crate) currency: Currency,
    /// The place of each segment in the tenant's list.
    pub(crate) segments: &'a BTreeMap<Arc<str>, usize>,
    pub(crate) journeys: &'a BTreeMap<Arc<str>, Journey>,
    /// The trained models, if any.
    pub(crate) models: Option<&'a TrainedModels>,
    /// The predictions of journeys within a number of days, computed as needed.
    pub(crate) chances: BTreeMap<(Arc<str>, u32), Chances>,
    pub(crate) patterns: usize,
    /// The tracked counters needed by the conditions parsed so far.
    pub(crate) tracked: BTreeMap<LeafId, TrackedLeaf>,
    pub(crate) problems: &'a mut Problems,
}

impl Language<'_> {
    /// Reads a condition.
    pub(crate) fn expression(&mut self, node: &Node) -> Option<Expression> {
        self.nested(node, 0)
    }

    fn nested(&mut self, node: &Node, depth: usize) -> Option<Expression> {
        let entries = fields::map(
            node,
            "a condition, like `orders: { count: { gte: 3 } }`",
            self.problems,
        )?;
        let [(key, value)] = entries else {
            let message = format!(
                "expected one condition, found {} keys: combine conditions with `all` or `any`",
                entries.len()
            );
            self.problems.add(&node.place, message);
            return None;
        };
        if depth > MAX_NESTING {
            self.problems.add(
                &key.place,
                format!("nested deeper than {MAX_NESTING} all, any and not"),
            );
            return None;
        }
        match &*key.text {
            "all" => self.conditions(value, depth).map(Expression::All),
            "any" => self.conditions(value, depth).map(Expression::Any),
            "not" => self
                .nested(value, depth + 1)
                .map(|inner| Expression::Not(Box::new(inner))),
            "segment" => self.segment(value).map(Expression::Segment),
            "attribute" => self.attribute(value).map(Expression::Attribute),
            "event" => self.event(value).map(Expression::Event),
            "orders" => self.orders(value).map(Expression::Orders),
            "stage" => self.stage(value).map(Expression::Stage),
            "churn" => self.churn(value).map(Expression::Churn),
            "sequence" => self.sequence(value).map(Expression::Sequence),
            "regularly" => self.regularly(value).map(Expression::Regularly),
            "stopped" => self.stopped(value).map(Expression::Event),
            "restarted" => self.restarted(value).map(Expression::Restarted),
            "member_for" => self.member_for(value).map(Expression::MemberFor),
            "bucket" => self.bucket(value).map(Expression::Bucket),
            "manual" => self.manual(value).map(Expression::Manual),
            "rfm" => self.rfm(value).map(Expression::Score),
            "cluster" => self.cluster(value).map(Expression::Score),
            "value" => self.value(value).map(Expression::Score),
            "conversion" => self.conversion(value).map(Expression::Score),
            name if records::CONDITIONS.contains(&name) => {
                self.record(name, value).map(Expression::Record)
            }
            other => {
                let known = CONDITIONS.into_iter().chain(records::CONDITIONS);
                self.problems
                    .add(&key.place, unknown("condition", other, known));
                None
            }
        }
    }

    fn conditions(&mut self, node: &Node, depth: usize) -> Option<Vec<Expression>> {
        let items = fields::list(node, "a list of conditions", MAX_CONDITIONS, self.problems)?;
        let read: Vec<_> = items
            .iter()
            .map(|item| self.nested(item, depth + 1))
            .collect();
        // All are read before the first failure counts, so that every problem is named.
        read.into_iter().collect()
    }

    pub(crate) fn segment(&mut self, node: &Node) -> Option<SegmentReference> {
        let name = fields::text(node, "the name of a segment", self.problems)?;
        if let Some(index) = self.segments.get(name) {
            return Some(SegmentReference {
                name: Arc::clone(name),
                index: *index,
            });
        }
        let known = self.segments.keys().map(|name| &**name);
        self.problems
            .add(&node.place, unknown("segment", name, known));
        None
    }

    /// A map of eq, ne, gt, gte, lt, lte and between, or a bare value for eq.
    fn bounds<T: Copy + PartialOrd>(
        &mut self,
        node: &Node,
        what: &str,
        operators: &[&str],
        read: Read<'_, T>,
    ) -> Option<Bounds<T>> {
        let fields = Fields::read_operators(node, what, operators, self.problems)?;
        let mut bounds = Vec::new();
        for (operator, value) in fields.entries() {
            match comparison(operator) {
                Some(comparison) => {
                    bounds.extend(read(value, self.problems).map(|bound| (comparison, bound)));
                }
                None if operator == "between" && operators.contains(&"between") => {
                    if let Some((low, high)) = self.pair(value, read) {
                        bounds.extend([(Comparison::Gte, low), (Comparison::Lte, high)]);
                    }
                }
                None => {}
            }
        }
        if fields.entries().next().is_none() {
            let message = format!("{what} lacks an operator (known: {})", operators.join(", "));
            self.problems.add(fields.place(), message);
        }
        Some(Bounds(bounds))
    }

    /// `[low, high]`.
    fn pair<T: Copy + PartialOrd>(&mut self, node: &Node, read: Read<'_, T>) -> Option<(T, T)> {
        let expected = "a list of two, [from, to]";
        let Content::List(items) = &node.content else {
            return self.problems.expected(expected, node);
        };
        let [low, high] = &items[..] else {
            self.problems.add(
                &node.place,
                format!("expected {expected}, found {} items", items.len()),
            );
            return None;
        };
        let (low, high) = (read(low, self.problems), read(high, self.problems));
        let (low, high) = (low?, high?);
        if low <= high {
            return Some((low, high));
        }
        self.problems.add(
            &node.place,
            "the first of the two is greater than the second",
        );
        None
    }
}

/// The comparison an operator names.
fn comparison(operator: &str) -> Option<Comparison> {
    match operator {
        "eq" => Some(Comparison::Eq),
        "ne" => Some(Comparison::Ne),
        "gt" => Some(Comparison::Gt),
        "gte" => Some(Comparison::Gte),
        "lt" => Some(Comparison::Lt),
        "lte" => Some(Comparison::Lte),
        _ => None,
    }
}
