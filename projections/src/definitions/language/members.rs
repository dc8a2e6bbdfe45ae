//! `member_for`, `bucket` and `manual` conditions.

use tidemark_schemas::CustomerId;

use super::Language;
use super::leaves::decimal_text;
use crate::definitions::expression::{BucketCondition, ManualCondition, MemberForCondition};
use crate::definitions::fields::{self, Fields};
use crate::definitions::quantities;
use crate::definitions::tree::{Content, Node};

/// The largest number of customers in one condition.
const MAX_LISTED: usize = 10_000;

impl Language<'_> {
    /// `member_for: { segment: regulars, for: 30d }`.
    pub(super) fn member_for(&mut self, node: &Node) -> Option<MemberForCondition> {
        let known = ["segment", "for"];
        let fields = Fields::read(node, "a member_for condition", &known, self.problems)?;
        let segment = fields.require("segment", self.problems);
        let segment = segment.and_then(|node| self.segment(node));
        let duration = fields.require("for", self.problems).and_then(|node| {
            let expected = "a duration, like 14d";
            fields::parsed(node, expected, self.problems, quantities::duration)
        });
        Some(MemberForCondition {
            segment: segment?,
            duration: duration?,
        })
    }

    /// `bucket: { salt: spring, share: 10 }`, or `share: [10, 30]`.
    pub(super) fn bucket(&mut self, node: &Node) -> Option<BucketCondition> {
        let fields = Fields::read(node, "a bucket", &["salt", "share"], self.problems)?;
        let salt = fields.require("salt", self.problems);
        let salt = salt.and_then(|node| fields::text(node, "a text as salt", self.problems));
        let share = fields.require("share", self.problems);
        let share = share.and_then(|node| match &node.content {
            Content::List(_) => self.pair(node, &mut |node, problems| percent(node, problems)),
            Content::Null
            | Content::Boolean(_)
            | Content::Long(_)
            | Content::Double(_)
            | Content::Text(_)
            | Content::Map(_) => percent(node, self.problems).map(|to| (0, to)),
        });
        let (from, to) = share?;
        Some(BucketCondition {
            salt: String::from(&**salt?),
            from,
            to,
        })
    }

    /// `manual: [c-1, c-2]`.
    pub(super) fn manual(&mut self, node: &Node) -> Option<ManualCondition> {
        let items = fields::list(node, "a list of customers", MAX_LISTED, self.problems)?;
        let customers: Vec<_> = items
            .iter()
            .map(|item| {
                let expected = "the id of a customer, in quotes if it looks like a number";
                fields::parsed(item, expected, self.problems, |text| {
                    CustomerId::new(text).map_err(|error| format!("the id of a customer {error}"))
                })
            })
            .collect();
        let customers = customers.into_iter().collect::<Option<_>>()?;
        Some(ManualCondition::new(customers))
    }
}

/// Percent with up to four decimals, as millionths.
fn percent(node: &Node, problems: &mut super::Problems) -> Option<u32> {
    let text = decimal_text(node, problems)?;
    let millionths = quantities::percent_millionths(&text);
    if millionths.is_none() {
        let expected = "a share in percent, from 0 to 100 with up to four decimals";
        return problems.expected(expected, node);
    }
    millionths
}
