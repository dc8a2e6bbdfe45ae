//! `attribute: { name: plan, eq: free, has_been_for: 14d }`.

use std::borrow::Cow;

use regex::RegexBuilder;
use tidemark_schemas::{AttributeValue, Double};

use super::{Language, comparison};
use crate::definitions::attribute_type::AttributeType;
use crate::definitions::expression::{AttributeCondition, AttributeTest, Comparison};
use crate::definitions::fields::{self, Fields};
use crate::definitions::moment::Moment;
use crate::definitions::quantities;
use crate::definitions::source::AttributeDeclaration;
use crate::definitions::tree::{Content, Node};

const KEYS: [&str; 20] = [
    "name",
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "in",
    "not_in",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "exists",
    "missing",
    "before",
    "after",
    "within_last",
    "has_been_for",
];
/// The largest number of values of `in` and `not_in`.
const MAX_VALUES: usize = 1_000;
/// The largest size of a compiled pattern, and of its cache.
const MAX_PATTERN_BYTES: usize = 256 * 1024;
/// The deepest nesting of groups in a pattern.
const MAX_PATTERN_NESTING: u32 = 50;

impl Language<'_> {
    /// Reads a condition on an attribute, which may be declared.
    pub(super) fn attribute(&mut self, node: &Node) -> Option<AttributeCondition> {
        self.tests_of(node, true)
    }

    /// Reads tests of an attribute, or of a property, which has no declaration.
    pub(super) fn tests_of(
        &mut self,
        node: &Node,
        is_attribute: bool,
    ) -> Option<AttributeCondition> {
        let what = "an attribute condition";
        let fields = Fields::read_operators(node, what, &KEYS, self.problems)?;
        let name = fields.require("name", self.problems).and_then(|node| {
            let expected = "the name of an attribute";
            fields::parsed(node, expected, self.problems, fields::attribute_name)
        });
        let declared = name.as_ref().filter(|_| is_attribute);
        let declared = declared.and_then(|name| self.attributes.get(name));
        let declared = declared.copied().unwrap_or_default();
        let mut tests = Vec::new();
        let mut has_been_for = None;
        for (operator, value) in fields.entries() {
            match operator {
                "name" => {}
                "has_been_for" => {
                    let expected = "a duration, like 14d";
                    has_been_for =
                        fields::parsed(value, expected, self.problems, quantities::duration);
                }
                _ if !self.fits(operator, value, declared) => {}
                _ => self.test(operator, value, declared, &mut tests),
            }
        }
        if fields.entries().all(|(key, _)| key == "name") {
            let message = "lacks an operator: what must be true of the attribute?";
            self.problems.add(fields.place(), message);
        }
        Some(AttributeCondition {
            name: name?,
            declared,
            tests,
            has_been_for,
        })
    }

    /// Whether an operator tests values of the declared type.
    fn fits(&mut self, operator: &str, node: &Node, declared: AttributeDeclaration) -> bool {
        let Some(kind) = declared.kind else {
            return true;
        };
        let (fits, tested) = match operator {
            "contains" | "starts_with" | "ends_with" | "matches" => (false, "text"),
            "gt" | "gte" | "lt" | "lte" | "between" => (kind == AttributeType::Number, "numbers"),
            "before" | "after" | "within_last" => (kind.is_time(), "dates and instants"),
            _ => (true, ""),
        };
        if !fits {
            let kind = kind.described();
            let message = format!("the attribute is declared {kind}: `{operator}` tests {tested}");
            self.problems.add(&node.place, message);
        }
        fits
    }

    fn test(
        &mut self,
        operator: &str,
        node: &Node,
        declared: AttributeDeclaration,
        tests: &mut Vec<AttributeTest>,
    ) {
        let test = match operator {
            "eq" => self.scalar(node, declared).map(AttributeTest::Equals),
            "ne" => self.scalar(node, declared).map(AttributeTest::NotEquals),
            "in" => self.scalars(node, declared).map(AttributeTest::In),
            "not_in" => self.scalars(node, declared).map(AttributeTest::NotIn),
            "between" => {
                self.number_range(node, tests);
                None
            }
            "contains" | "starts_with" | "ends_with" => self.part(operator, node),
            "matches" => self.pattern(node),
            "exists" | "missing" => fields::boolean(node, self.problems).map(|stated| {
                if stated == (operator == "exists") {
                    AttributeTest::Exists
                } else {
                    AttributeTest::Missing
                }
            }),
            "before" | "after" => self.point(operator, node),
            "within_last" => {
                let expected = "a duration, like 30d";
                fields::parsed(node, expected, self.problems, quantities::window)
                    .map(AttributeTest::WithinLast)
            }
            _ => comparison(operator).and_then(|comparison| {
                self.number(node)
                    .map(|number| AttributeTest::Compares(comparison, number))
            }),
        };
        tests.extend(test);
    }

    /// A value to be equal to, as the declared type has it.
    fn scalar(&mut self, node: &Node, declared: AttributeDeclaration) -> Option<AttributeValue> {
        let value = self.plain_scalar(node)?;
        let Some(kind) = declared.kind else {
            return Some(value);
        };
        let read = declared.read_as(kind, &value, self.zone);
        let read = read.map(Cow::into_owned);
        if read.is_none() {
            let kind = kind.described();
            let message = format!("expected {kind}, as the attribute is declared");
            self.problems.add(&node.place, message);
        }
        read
    }

    fn plain_scalar(&mut self, node: &Node) -> Option<AttributeValue> {
        match &node.content {
            Content::Boolean(value) => Some(AttributeValue::Boolean(*value)),
            Content::Text(_) => {
                let text = fields::text(node, "a text", self.problems)?;
                Some(AttributeValue::String(std::sync::Arc::clone(text)))
            }
            Content::Long(_) | Content::Double(_) => self.number(node),
            Content::Null | Content::List(_) | Content::Map(_) => self
                .problems
                .expected("a text, a number, true or false", node),
        }
    }

    fn scalars(
        &mut self,
        node: &Node,
        declared: AttributeDeclaration,
    ) -> Option<Vec<AttributeValue>> {
        let items = fields::list(node, "a list of values", MAX_VALUES, self.problems)?;
        let values: Vec<_> = items
            .iter()
            .map(|item| self.scalar(item, declared))
            .collect();
        values.into_iter().collect()
    }

    fn number(&mut self, node: &Node) -> Option<AttributeValue> {
        let number = match &node.content {
            Content::Long(value) => Some(AttributeValue::Long(*value)),
            Content::Double(value) if value.is_finite() => {
                Double::new(*value).map(AttributeValue::Double)
            }
            Content::Null
            | Content::Boolean(_)
            | Content::Double(_)
            | Content::Text(_)
            | Content::List(_)
            | Content::Map(_) => None,
        };
        number.or_else(|| {
            self.problems.expected(
                "a number (dates and times compare with `before` and `after`)",
                node,
            )
        })
    }

    fn number_range(&mut self, node: &Node, tests: &mut Vec<AttributeTest>) {
        let Some(items) = fields::list(node, "a list of two numbers", 2, self.problems) else {
            return;
        };
        let [low, high] = items else {
            self.problems
                .add(&node.place, "expected two numbers, [from, to], found one");
            return;
        };
        let (Some(low), Some(high)) = (self.number(low), self.number(high)) else {
            return;
        };
        if crate::number::compare_numbers(&low, &high).is_some_and(std::cmp::Ordering::is_gt) {
            self.problems.add(
                &node.place,
                "the first of the two is greater than the second",
            );
            return;
        }
        tests.push(AttributeTest::Compares(Comparison::Gte, low));
        tests.push(AttributeTest::Compares(Comparison::Lte, high));
    }

    fn part(&mut self, operator: &str, node: &Node) -> Option<AttributeTest> {
        let text = fields::text(node, "a text", self.problems)?;
        if text.is_empty() {
            self.problems
                .add(&node.place, "the empty text is part of every text");
            return None;
        }
        let text = std::sync::Arc::clone(text);
        Some(match operator {
            "contains" => AttributeTest::Contains(text),
            "starts_with" => AttributeTest::StartsWith(text),
            _ => AttributeTest::EndsWith(text),
        })
    }

    fn pattern(&mut self, node: &Node) -> Option<AttributeTest> {
        let text = fields::text(node, "a regular expression", self.problems)?;
        self.patterns += 1;
        if self.patterns > super::MAX_PATTERNS {
            let message = format!(
                "a tenant may have {} `matches` at most",
                super::MAX_PATTERNS
            );
            self.problems.add(&node.place, message);
            return None;
        }
        let compiled = RegexBuilder::new(text)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .nest_limit(MAX_PATTERN_NESTING)
            .build();
        match compiled {
            Ok(pattern) => Some(AttributeTest::Matches(pattern)),
            Err(error) => {
                // The crate draws the pattern with carets over several lines; the reason is last.
                let reason = error.to_string();
                let reason = reason.rsplit("error: ").next().unwrap_or_default().trim();
                let message = format!("{text:?} is not a valid regular expression: {reason}");
                self.problems.add(&node.place, message);
                None
            }
        }
    }

    /// A day is before what comes after it as a whole.
    fn point(&mut self, operator: &str, node: &Node) -> Option<AttributeTest> {
        let zone = self.zone;
        let expected = "a date or a date and time, like 2025-03-30 or 2025-03-30T10:00:00Z";
        fields::parsed(node, expected, self.problems, |text| {
            let wrong = || format!("{text:?} is not {expected}");
            let moment = Moment::parse(text, zone).ok_or_else(wrong)?;
            Ok(match operator {
                "before" => AttributeTest::Before(moment.start(zone)),
                _ => AttributeTest::From(moment.end(zone)),
            })
        })
    }
}
