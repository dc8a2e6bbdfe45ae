//! Tests of an attribute's value.
//!
//! For an attribute without a value every test is false but `ne`, `not_in` and `missing`. The same
//! holds for a value of another type (`gt` of a text).

mod kind;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use jiff::tz::TimeZone;
use regex::Regex;
use tidemark_schemas::AttributeValue;

use self::kind::Kind;
use super::{Comparison, Duration};
use crate::definitions::AttributeType;
use crate::definitions::source::AttributeDeclaration;
use crate::definitions::{Moment, PointInTime};
use crate::number::compare_numbers;

/// Tests of one attribute, all of which must hold.
#[derive(Debug)]
pub struct AttributeCondition {
    /// The attribute.
    pub name: Arc<str>,
    /// The declaration of the attribute, by which its value is read.
    pub declared: AttributeDeclaration,
    /// The condition on the value.
    pub tests: Vec<AttributeTest>,
    /// The least duration of that value.
    pub has_been_for: Option<Duration>,
}

/// A test of an attribute's value.
#[derive(Debug)]
pub enum AttributeTest {
    /// The same value; numbers compare exactly, whether whole or not.
    Equals(AttributeValue),
    /// The negation of [`Self::Equals`]; also true of an attribute without a value.
    NotEquals(AttributeValue),
    /// A number that compares to this one like this.
    Compares(Comparison, AttributeValue),
    /// One of these values.
    In(Vec<AttributeValue>),
    /// The negation of [`Self::In`]; also true of an attribute without a value.
    NotIn(Vec<AttributeValue>),
    /// A text that contains this one.
    Contains(Arc<str>),
    /// A text that starts with this one.
    StartsWith(Arc<str>),
    /// A text that ends with this one.
    EndsWith(Arc<str>),
    /// A text in which this pattern is found; linear in the text's length.
    Matches(Regex),
    /// Has a value.
    Exists,
    /// Was never set, or was set to null.
    Missing,
    /// A point in time before this one.
    Before(PointInTime),
    /// A point in time at this one or later.
    From(PointInTime),
    /// A point in time that is past, but not longer than this.
    WithinLast(Duration),
}

impl AttributeCondition {
    /// Returns the value that the tests are made of, read as the declared type; `None` without a value.
    pub(crate) fn value<'v>(
        &self,
        value: &'v AttributeValue,
        zone: &TimeZone,
    ) -> Option<Cow<'v, AttributeValue>> {
        self.declared.read(value, zone)
    }

    /// Returns how a value differs in kind from what a test compares it with, for example "text, not a
    /// number"; `None` if it can be compared with all of them.
    pub fn mismatch(&self, value: &AttributeValue, zone: &TimeZone) -> Option<&'static str> {
        let value = self.value(value, zone)?;
        let is_time = self.declared.kind.is_some_and(AttributeType::is_time);
        let mut tests = self.tests.iter();
        tests.find_map(|test| {
            let kinds = test.kinds(is_time);
            let expected = kinds.first()?;
            let fits = kinds.iter().any(|kind| kind.fits(&value, zone));
            if fits {
                None
            } else {
                expected.difference(&value)
            }
        })
    }
}

impl AttributeTest {
    /// Returns the kinds of values that the test compares with; none for a test of any value.
    fn kinds(&self, is_time: bool) -> Vec<Kind> {
        let of = |value: &AttributeValue| {
            if is_time {
                Kind::Time
            } else {
                Kind::from_value(value)
            }
        };
        match self {
            Self::Equals(value) | Self::NotEquals(value) => vec![of(value)],
            Self::In(values) | Self::NotIn(values) => values.iter().map(of).collect(),
            Self::Compares(..) => vec![Kind::Number],
            Self::Contains(_) | Self::StartsWith(_) | Self::EndsWith(_) | Self::Matches(_) => {
                vec![Kind::Text]
            }
            Self::Before(_) | Self::From(_) | Self::WithinLast(_) => vec![Kind::Time],
            Self::Exists | Self::Missing => Vec::new(),
        }
    }

    /// Whether the test holds for a value at any time; false for [`Self::WithinLast`], which depends
    /// on the time.
    pub(crate) fn holds(&self, value: Option<&AttributeValue>, zone: &TimeZone) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::NotEquals(_) | Self::NotIn(_) | Self::Missing);
        };
        let starts = |is: &dyn Fn(PointInTime) -> bool| {
            Moment::from_value(value, zone).is_some_and(|moment| is(moment.start(zone)))
        };
        match self {
            Self::Equals(other) => same(value, other),
            Self::NotEquals(other) => !same(value, other),
            Self::Compares(comparison, other) => {
                compare_numbers(value, other).is_some_and(|ordering| comparison.holds(ordering))
            }
            Self::In(others) => others.iter().any(|other| same(value, other)),
            Self::NotIn(others) => !others.iter().any(|other| same(value, other)),
            Self::Contains(part) => text_of(value).contains(&**part),
            Self::StartsWith(part) => text_of(value).starts_with(&**part),
            Self::EndsWith(part) => text_of(value).ends_with(&**part),
            Self::Matches(pattern) => {
                matches!(value, AttributeValue::String(found) if pattern.is_match(found))
            }
            Self::Exists => true,
            Self::Missing | Self::WithinLast(_) => false,
            Self::Before(bound) => starts(&|start| start < *bound),
            Self::From(bound) => starts(&|start| start >= *bound),
        }
    }
}

/// Returns the text of a value. It is empty for other values, and no test looks for an empty text.
fn text_of(value: &AttributeValue) -> &str {
    match value {
        AttributeValue::String(text) => text,
        AttributeValue::Null
        | AttributeValue::Boolean(_)
        | AttributeValue::Long(_)
        | AttributeValue::Double(_) => "",
    }
}

fn same(left: &AttributeValue, right: &AttributeValue) -> bool {
    compare_numbers(left, right).map_or_else(|| left == right, Ordering::is_eq)
}
