//! `rfm`, `cluster` and `value` conditions.

use super::leaves::{CONTINUOUS_OPERATORS, EXACT_OPERATORS, each, whole_number};
use super::{Language, Read};
use crate::definitions::expression::{Bounds, RfmCondition, ScoreCondition, ValueCondition};
use crate::definitions::fields::{self, Fields};
use crate::definitions::problems::Problems;
use crate::definitions::quantities;
use crate::definitions::tree::Node;
use crate::models::double;

/// Without `within`: a year.
const DEFAULT_DAYS: u32 = 365;
/// Ten years: beyond, nothing is known.
const MOST_DAYS: i32 = 3_650;

impl Language<'_> {
    pub(super) fn rfm(&mut self, node: &Node) -> Option<ScoreCondition> {
        let known = ["recency", "frequency", "monetary"];
        let fields = Fields::of(node, "an rfm condition", &known, self.problems)?;
        let [recency, frequency, monetary] =
            known.map(|name| self.some_bounds(&fields, name, &EXACT_OPERATORS, &mut fifth));
        if fields.entries().next().is_none() {
            let message = "an rfm condition lacks `recency`, `frequency` or `monetary`";
            self.problems.add(fields.place(), message);
        }
        Some(ScoreCondition::Rfm(RfmCondition {
            recency,
            frequency,
            monetary,
        }))
    }

    pub(super) fn cluster(&mut self, node: &Node) -> Option<ScoreCondition> {
        let clusters = each(node, self.problems, &mut |node, problems| {
            let number = whole_number(node, problems)?;
            // People count from one.
            let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
            index.or_else(|| problems.expected("the number of a cluster, from 1", node))
        })?;
        Some(ScoreCondition::Cluster(clusters))
    }

    pub(super) fn value(&mut self, node: &Node) -> Option<ScoreCondition> {
        let known = ["within", "purchases", "amount"];
        let fields = Fields::of(node, "a value condition", &known, self.problems)?;
        let days = match fields.get("within") {
            Some(node) => {
                fields::parsed(node, "a number of days, like 90d", self.problems, horizon)?
            }
            None => DEFAULT_DAYS,
        };
        let unit = double(10_i64.pow(u32::from(self.currency.minor_digits())));
        let purchases = self.some_bounds(
            &fields,
            "purchases",
            &CONTINUOUS_OPERATORS,
            &mut not_negative,
        );
        let mut minor = |node: &Node, problems: &mut Problems| {
            not_negative(node, problems).map(|units| units * unit)
        };
        let amount = self.some_bounds(&fields, "amount", &CONTINUOUS_OPERATORS, &mut minor);
        if fields.entries().all(|(key, _)| key == "within") {
            let message = "a value condition lacks `purchases` or `amount`";
            self.problems.add(fields.place(), message);
        }
        Some(ScoreCondition::Value(ValueCondition {
            days,
            purchases,
            amount,
        }))
    }

    /// The bounds of a key; none where it is absent.
    fn some_bounds<T: Copy + PartialOrd>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        operators: &[&str],
        read: Read<'_, T>,
    ) -> Bounds<T> {
        fields
            .get(name)
            .and_then(|node| self.bounds(node, name, operators, read))
            .unwrap_or(Bounds(Vec::new()))
    }
}

fn fifth(node: &Node, problems: &mut Problems) -> Option<i64> {
    let number = whole_number(node, problems)?;
    if (1..=5).contains(&number) {
        return Some(number);
    }
    problems.expected("a fifth, from 1 to 5 (best)", node)
}

fn not_negative(node: &Node, problems: &mut Problems) -> Option<f64> {
    let expected = "a number not below 0";
    let value = fields::double(node, expected, problems)?;
    if value >= 0.0 {
        // Turns -0.0 into 0.0.
        return Some(value + 0.0);
    }
    problems.expected(expected, node)
}

fn horizon(text: &str) -> Result<u32, String> {
    let days = quantities::days(text)?;
    let known = u32::try_from(days).ok().filter(|_| days <= MOST_DAYS);
    known.ok_or_else(|| format!("{text:?} is longer than {MOST_DAYS}d"))
}
