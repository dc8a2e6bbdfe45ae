//! `rfm`, `cluster`, `value` and `conversion` conditions.

use std::sync::Arc;

use super::leaves::{
    CONTINUOUS_OPERATORS, EXACT_OPERATORS, each, one_of, probability, whole_number,
};
use super::{Chances, Language, Read};
use crate::definitions::Journey;
use crate::definitions::expression::{
    Bounds, ConversionCondition, RfmCondition, ScoreCondition, StayTable, ValueCondition,
};
use crate::definitions::fields::{self, Fields};
use crate::definitions::problems::Problems;
use crate::definitions::quantities;
use crate::definitions::tree::Node;
use crate::models::{Conversion, double};

/// The default of `within`: a year.
const DEFAULT_DAYS: u32 = 365;
/// Ten years: beyond, nothing is known.
const MOST_DAYS: i32 = 3_650;
/// The horizons of conversion, in days; the first is the default.
const CONVERSION_DAYS: [u32; 2] = [30, 90];
const PERCENTILE_OPERATORS: [&str; 4] = ["gt", "gte", "lt", "lte"];

impl Language<'_> {
    pub(super) fn rfm(&mut self, node: &Node) -> Option<ScoreCondition> {
        let known = ["recency", "frequency", "monetary"];
        let fields = Fields::read(node, "an rfm condition", &known, self.problems)?;
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
        let known = ["within", "purchases", "amount", "percentile"];
        let fields = Fields::read(node, "a value condition", &known, self.problems)?;
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
        let percentile =
            self.some_bounds(&fields, "percentile", &PERCENTILE_OPERATORS, &mut percent);
        if fields.entries().all(|(key, _)| key == "within") {
            let message = "a value condition lacks `purchases`, `amount` or `percentile`";
            self.problems.add(fields.place(), message);
        }
        Some(ScoreCondition::Value(ValueCondition {
            days,
            purchases,
            amount,
            percentile,
        }))
    }

    pub(super) fn conversion(&mut self, node: &Node) -> Option<ScoreCondition> {
        let known = ["journey", "next", "within", "probability"];
        let fields = Fields::read(node, "a conversion condition", &known, self.problems)?;
        let journey = self.journey(&fields)?;
        let names: Vec<&str> = journey.stages.iter().map(|stage| &**stage).collect();
        let next = match fields.get("next") {
            Some(node) => {
                let what = format!("stage of journey {:?}", journey.name);
                one_of(node, &what, &names, self.problems).map(Some)?
            }
            None => None,
        };
        let days = match fields.get("within") {
            Some(node) => fields::parsed(node, "30d or 90d", self.problems, conversion_days)?,
            None => CONVERSION_DAYS[0],
        };
        let node = fields.require("probability", self.problems)?;
        let operators = &CONTINUOUS_OPERATORS;
        let probability = self.bounds(node, "probability", operators, &mut probability)?;
        let chances = self.chances(journey, days);
        let stages = chances.iter().map(|by_dwell| {
            let chance = |of: &Conversion| match next {
                Some(stage) => of.next[stage],
                None => of.last,
            };
            let holds = |of| probability.hold(|bound| chance(of).total_cmp(bound));
            by_dwell.iter().map(holds).collect()
        });
        let holds = StayTable::from_days(stages);
        Some(ScoreCondition::Conversion(ConversionCondition {
            journey: Arc::clone(&journey.name),
            next,
            days,
            probability,
            holds,
        }))
    }

    /// Returns the predictions by stage and days in it, computed once for all conditions; empty if no
    /// model was trained on the journey as it is.
    fn chances(&mut self, journey: &Journey, days: u32) -> Chances {
        let trained = self.models.and_then(|of| of.conversion.get(&*journey.name));
        let Some(trained) = trained.filter(|of| of.model.is_of(&journey.stages)) else {
            return Arc::default();
        };
        let key = (Arc::clone(&journey.name), days);
        let known = self.chances.entry(key);
        Arc::clone(known.or_insert_with(|| Arc::new(trained.model.by_dwell(days))))
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

fn percent(node: &Node, problems: &mut Problems) -> Option<i64> {
    let number = whole_number(node, problems)?;
    if (1..=99).contains(&number) {
        return Some(number);
    }
    problems.expected("a percentile, from 1 to 99 (best)", node)
}

fn conversion_days(text: &str) -> Result<u32, String> {
    let days = quantities::days(text)?;
    let known = CONVERSION_DAYS.into_iter();
    let mut same = known.filter(|known| i64::from(*known) == i64::from(days));
    same.next()
        .ok_or_else(|| format!("conversion is known within 30d or 90d, not {text:?}"))
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
