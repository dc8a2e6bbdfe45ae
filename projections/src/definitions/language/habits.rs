//! `sequence`, `regularly`, `stopped` and `restarted` conditions.

use std::sync::Arc;

use super::Language;
use super::leaves::{EXACT_OPERATORS, one_of, whole_number};
use crate::definitions::expression::{
    ActivityPattern, Ago, Bounds, Comparison, Duration, EventCondition, EventWindow, Period,
    RegularlyCondition, RestartedCondition, SequenceCondition, SequenceRule, TrackedLeaf,
};
use crate::definitions::fields::{self, Fields};
use crate::definitions::quantities;
use crate::definitions::tree::{Content, Node};
use crate::state::activity::DAYS_KEPT;
use crate::state::tracked::MAX_STEPS;

/// Periods by name, each with how many of them lie within the days that are kept.
const PERIODS: [(&str, Period, i64); 3] = [
    ("day", Period::Day, DAYS_KEPT as i64),
    ("week", Period::Week, 57),
    ("month", Period::Month, 13),
];

impl Language<'_> {
    /// `sequence: { steps: [searched, { name: added, where: … }], in: 1h, within: 30d }`.
    pub(super) fn sequence(&mut self, node: &Node) -> Option<SequenceCondition> {
        let known = ["steps", "in", "within"];
        let fields = Fields::read(node, "a sequence", &known, self.problems)?;
        let steps = fields.require("steps", self.problems);
        let steps = steps.and_then(|node| Some((node, self.steps(node)?)));
        let length = fields.require("in", self.problems);
        let length = length.and_then(|node| self.duration(node));
        let within = match fields.get("within") {
            Some(node) => self.duration(node).map(Some),
            None => Some(None),
        };
        let ((steps_node, steps), length, within) = (steps?, length?, within?);
        let length_text = match length {
            Duration::Exact(micros) => format!("{micros}us"),
            Duration::Days(days) => format!("{days}d"),
        };
        let text = serde_json::json!({ "steps": steps_node.to_json(), "in": length_text });
        let rule = TrackedLeaf::Sequence(SequenceRule { steps, length });
        let tracked = self.track(node, &text.to_string(), rule)?;
        Some(SequenceCondition { tracked, within })
    }

    fn duration(&mut self, node: &Node) -> Option<Duration> {
        let expected = "a duration, like 30d or 12h";
        fields::parsed(node, expected, self.problems, quantities::duration)
    }

    fn steps(&mut self, node: &Node) -> Option<Vec<ActivityPattern>> {
        let items = fields::list(node, "a list of activities", MAX_STEPS, self.problems)?;
        if items.len() < 2 {
            let message = "one activity is no sequence: expected two or more";
            self.problems.add(&node.place, message);
        }
        let steps: Vec<_> = items.iter().map(|item| self.step(item)).collect();
        steps.into_iter().collect()
    }

    /// The name of an activity, or its name and what must be true of its properties.
    fn step(&mut self, node: &Node) -> Option<ActivityPattern> {
        if let Content::Text(name) = &node.content {
            if name.is_empty() {
                self.problems.add(&node.place, "an activity has a name");
                return None;
            }
            let name = fields::text(node, "the name of an activity", self.problems)?;
            return Some(ActivityPattern {
                name: Arc::clone(name),
                properties: Vec::new(),
            });
        }
        let fields = Fields::read(node, "a step", &["name", "where"], self.problems)?;
        let name = self.activity_name(&fields);
        let properties = match fields.get("where") {
            Some(node) => self.properties(node),
            None => Some(Vec::new()),
        };
        Some(ActivityPattern {
            name: name?,
            properties: properties?,
        })
    }

    /// `regularly: { name: login, at_least: 3, of: 4, period: week }`.
    pub(super) fn regularly(&mut self, node: &Node) -> Option<RegularlyCondition> {
        let known = ["name", "where", "at_least", "of", "period"];
        let fields = Fields::read(node, "a regularly condition", &known, self.problems)?;
        let activity = self.activity(&fields);
        let period = fields.require("period", self.problems).and_then(|node| {
            let names = PERIODS.map(|(name, _, _)| name);
            one_of(node, "period", &names, self.problems).map(|place| PERIODS[place])
        });
        let mut count = |key: &str, most: i64| {
            let node = fields.require(key, self.problems)?;
            let count = whole_number(node, self.problems)?;
            if (1..=most).contains(&count) {
                return i32::try_from(count).ok();
            }
            let message = format!("{count} is out of range: expected 1 to {most}");
            self.problems.add(&node.place, message);
            None
        };
        let of = count(
            "of",
            period.map_or(i64::from(DAYS_KEPT), |(_, _, most)| most),
        );
        let at_least = count("at_least", of.map_or(i64::from(DAYS_KEPT), i64::from));
        let (name, tracked) = activity?;
        Some(RegularlyCondition {
            name,
            tracked,
            period: period?.1,
            at_least: at_least?,
            of: of?,
        })
    }

    /// Parses `stopped: { name: login, count: { gte: 5 }, within: 30d }`: an activity with a last
    /// occurrence longer ago.
    pub(super) fn stopped(&mut self, node: &Node) -> Option<EventCondition> {
        let known = ["name", "where", "count", "within"];
        let fields = Fields::read(node, "a stopped condition", &known, self.problems)?;
        let activity = self.activity(&fields);
        let within = fields.require("within", self.problems);
        let within = within.and_then(|node| self.duration(node));
        let count = match fields.get("count") {
            Some(node) => self.bounds(node, "count", &EXACT_OPERATORS, &mut whole_number),
            None => Some(Bounds(vec![(Comparison::Gte, 1)])),
        };
        let (name, tracked) = activity?;
        Some(EventCondition {
            name,
            tracked,
            window: EventWindow::Ever,
            count: count?,
            first_time: None,
            last: Some(Ago::NotWithin(within?)),
        })
    }

    /// `restarted: { name: login, after: 60d, within: 7d }`.
    pub(super) fn restarted(&mut self, node: &Node) -> Option<RestartedCondition> {
        let known = ["name", "where", "after", "within"];
        let fields = Fields::read(node, "a restarted condition", &known, self.problems)?;
        let activity = self.activity(&fields);
        let mut days = |key: &str| {
            let node = fields.require(key, self.problems)?;
            let expected = "a number of days, like 90d";
            fields::parsed(node, expected, self.problems, quantities::days)
        };
        let (after, within) = (days("after"), days("within"));
        let (name, tracked) = activity?;
        let (after, within) = (after?, within?);
        if after.saturating_add(within) > DAYS_KEPT {
            let message = format!(
                "`after` and `within` are longer together than {DAYS_KEPT}d, for which days are kept"
            );
            self.problems.add(fields.place(), message);
            return None;
        }
        Some(RestartedCondition {
            name,
            tracked,
            after,
            within,
        })
    }
}
