//! `orders`, `stage` and `churn` conditions.

use std::sync::Arc;

use tidemark_schemas::Currency;

use super::{Language, Read};
use crate::definitions::Journey;
use crate::definitions::expression::{
    Bounds, ChurnCondition, OrderWindow, OrdersCondition, StageCondition,
};
use crate::definitions::fields::{self, Fields};
use crate::definitions::problems::{Problems, unknown};
use crate::definitions::quantities;
use crate::definitions::tree::{Content, Node};
use crate::models::Band;

/// The operators for counts.
pub(super) const EXACT_OPERATORS: [&str; 7] = ["eq", "ne", "gt", "gte", "lt", "lte", "between"];
/// The operators for probabilities, without equality.
pub(super) const CONTINUOUS_OPERATORS: [&str; 5] = ["gt", "gte", "lt", "lte", "between"];
/// The largest number of stages or bands in one condition.
const MAX_NAMES: usize = 100;
const BANDS: [(&str, Band); 3] = [
    ("low", Band::Low),
    ("medium", Band::Medium),
    ("high", Band::High),
];

impl<'a> Language<'a> {
    pub(super) fn orders(&mut self, node: &Node) -> Option<OrdersCondition> {
        let known = ["count", "revenue", "average", "within", "between"];
        let fields = Fields::read(node, "an orders condition", &known, self.problems)?;
        let mut money = money(self.currency);
        let mut bounds = |name: &'static str, read: Read<'_, i64>| {
            let Some(node) = fields.get(name) else {
                return Bounds(Vec::new());
            };
            self.bounds(node, name, &EXACT_OPERATORS, read)
                .unwrap_or(Bounds(Vec::new()))
        };
        let count = bounds("count", &mut whole_number);
        let revenue = bounds("revenue", &mut money);
        let average = bounds("average", &mut money);
        if ["count", "revenue", "average"]
            .iter()
            .all(|name| fields.get(name).is_none())
        {
            let message = "an orders condition lacks count, revenue or average";
            self.problems.add(fields.place(), message);
        }
        let window = self.order_window(&fields)?;
        Some(OrdersCondition {
            window,
            count,
            revenue,
            average,
        })
    }

    fn order_window(&mut self, fields: &Fields<'_>) -> Option<OrderWindow> {
        match (fields.get("within"), fields.get("between")) {
            (None, None) => Some(OrderWindow::Ever),
            (Some(node), None) => {
                let expected = "a number of days, like 90d";
                fields::parsed(node, expected, self.problems, quantities::days)
                    .map(OrderWindow::LastDays)
            }
            (None, Some(node)) => self
                .days(node)
                .map(|(from, to)| OrderWindow::Between(from, to)),
            (Some(_), Some(node)) => {
                self.problems
                    .add(&node.place, "`within` and `between` exclude each other");
                None
            }
        }
    }

    /// `[from, to]`, two dates.
    pub(super) fn days(&mut self, node: &Node) -> Option<(i32, i32)> {
        let mut read = |node: &Node, problems: &mut Problems| {
            let expected = "a date, like 2025-03-30";
            fields::parsed(node, expected, problems, |text| {
                crate::definitions::date(text).ok_or_else(|| format!("{text:?} is not {expected}"))
            })
        };
        self.pair(node, &mut read)
    }

    pub(super) fn stage(&mut self, node: &Node) -> Option<StageCondition> {
        let known = ["journey", "is", "reached", "in_for"];
        let fields = Fields::read(node, "a stage condition", &known, self.problems)?;
        let definition = self.journey(&fields)?;
        let journey = &definition.name;
        let what = format!("stage of journey {journey:?}");
        let names: Vec<&str> = definition.stages.iter().map(|stage| &**stage).collect();
        let mut stage = |node: &Node, problems: &mut Problems| {
            one_of(node, &what, &names, problems).map(|index| Arc::clone(&definition.stages[index]))
        };
        let is = match fields.get("is") {
            Some(node) => each(node, self.problems, &mut stage),
            None => Some(Vec::new()),
        };
        let reached = match fields.get("reached") {
            Some(node) => stage(node, self.problems).map(Some),
            None => Some(None),
        };
        let in_for = match fields.get("in_for") {
            Some(node) => {
                let expected = "a duration, like 14d";
                fields::parsed(node, expected, self.problems, quantities::duration).map(Some)
            }
            None => Some(None),
        };
        if fields.entries().all(|(key, _)| key == "journey") {
            let message = "a stage condition lacks `is`, `reached` or `in_for`";
            self.problems.add(fields.place(), message);
        }
        Some(StageCondition {
            journey: Arc::clone(journey),
            is: is?,
            reached: reached?,
            in_for: in_for?,
        })
    }

    /// The journey a condition names.
    pub(crate) fn journey(&mut self, fields: &Fields<'_>) -> Option<&'a Journey> {
        let node = fields.require("journey", self.problems)?;
        let name = fields::text(node, "the name of a journey", self.problems)?;
        let journey = self.journeys.get(name);
        if journey.is_none() {
            let known = self.journeys.keys().map(|name| &**name);
            self.problems
                .add(&node.place, unknown("journey", name, known));
        }
        journey
    }

    pub(super) fn churn(&mut self, node: &Node) -> Option<ChurnCondition> {
        let known = ["band", "risk", "p_alive"];
        let fields = Fields::read(node, "a churn condition", &known, self.problems)?;
        let bands = match fields.get("band") {
            Some(node) => each(node, self.problems, &mut |node, problems| {
                let names = BANDS.map(|(name, _)| name);
                one_of(node, "band", &names, problems).map(|index| BANDS[index].1)
            }),
            None => Some(Vec::new()),
        };
        let mut bounds = |name: &'static str| {
            let Some(node) = fields.get(name) else {
                return Bounds(Vec::new());
            };
            self.bounds(node, name, &CONTINUOUS_OPERATORS, &mut probability)
                .unwrap_or(Bounds(Vec::new()))
        };
        let (risk, p_alive) = (bounds("risk"), bounds("p_alive"));
        if fields.entries().next().is_none() {
            let message = "a churn condition lacks `band`, `risk` or `p_alive`";
            self.problems.add(fields.place(), message);
        }
        Some(ChurnCondition {
            bands: bands?,
            risk,
            p_alive,
        })
    }
}

pub(crate) fn whole_number(node: &Node, problems: &mut Problems) -> Option<i64> {
    match &node.content {
        Content::Long(value) if *value >= 0 => Some(*value),
        Content::Null
        | Content::Boolean(_)
        | Content::Long(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::List(_)
        | Content::Map(_) => problems.expected("a whole number not below 0", node),
    }
}

/// An amount in units of a currency, as minor units.
pub(crate) fn money(currency: Currency) -> impl FnMut(&Node, &mut Problems) -> Option<i64> {
    move |node, problems| {
        let text = decimal_text(node, problems)?;
        let amount = quantities::amount_minor(&text, currency);
        amount
            .map_err(|message| problems.add(&node.place, message))
            .ok()
    }
}

/// A number as it was written, so that 19.99 is exactly that.
pub(crate) fn decimal_text(node: &Node, problems: &mut Problems) -> Option<String> {
    match &node.content {
        Content::Long(value) => Some(value.to_string()),
        // The shortest decimal number that is this double, never with an exponent.
        Content::Double(value) if value.is_finite() => Some(value.to_string()),
        Content::Text(text) => Some(String::from(&**text)),
        Content::Null
        | Content::Boolean(_)
        | Content::Double(_)
        | Content::List(_)
        | Content::Map(_) => problems.expected("a number, like 19.99", node),
    }
}

pub(super) fn probability(node: &Node, problems: &mut Problems) -> Option<f64> {
    let expected = "a probability from 0 to 1";
    let value = fields::double(node, expected, problems)?;
    if (0.0..=1.0).contains(&value) {
        // Turns -0.0 into 0.0.
        return Some(value + 0.0);
    }
    problems.expected(expected, node)
}

/// One value or a list of them.
pub(crate) fn each<T>(node: &Node, problems: &mut Problems, read: Read<'_, T>) -> Option<Vec<T>> {
    let items = match &node.content {
        Content::List(_) => fields::list(node, "one name or several", MAX_NAMES, problems)?,
        Content::Null
        | Content::Boolean(_)
        | Content::Long(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::Map(_) => std::slice::from_ref(node),
    };
    let read: Vec<_> = items.iter().map(|item| read(item, problems)).collect();
    read.into_iter().collect()
}

/// Returns the index of the valid name.
pub(crate) fn one_of(
    node: &Node,
    what: &str,
    valid: &[&str],
    problems: &mut Problems,
) -> Option<usize> {
    let text = fields::text(node, &format!("the name of a {what}"), problems)?;
    let found = valid.iter().position(|name| *name == &**text);
    if found.is_none() {
        problems.add(&node.place, unknown(what, text, valid.iter().copied()));
    }
    found
}
