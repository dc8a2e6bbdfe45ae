//! `campaign` and `conversation` conditions.

use tidemark_schemas::event::{Channel, Direction, Outcome};

use super::Language;
use super::leaves::{CONTINUOUS_OPERATORS, decimal_text, money, one_of};
use crate::definitions::expression::{
    Bounds, CampaignCondition, Comparison, ConversationCondition, Counted, DayWindow, EventWindow,
};
use crate::definitions::fields::{self, Fields};
use crate::definitions::problems::Problems;
use crate::definitions::quantities;
use crate::definitions::tree::Node;
use crate::state::activity::DAYS_KEPT;

const DIRECTIONS: [(&str, Direction); 2] = [
    (Direction::Inbound.as_str(), Direction::Inbound),
    (Direction::Outbound.as_str(), Direction::Outbound),
];

impl Language<'_> {
    pub(super) fn campaign(&mut self, node: &Node) -> Option<CampaignCondition> {
        let known = [
            "name",
            "channel",
            "count",
            "never",
            "cost",
            "within",
            "between",
            "first_time",
            "last",
        ];
        let fields = Fields::read(node, "a campaign condition", &known, self.problems)?;
        let names = self.words(&fields, "name");
        let channels = self.words(&fields, "channel");
        let window = self.event_window(&fields);
        let mut count = self.event_count(&fields);
        let asked = ["count", "never", "cost"].map(|key| fields.get(key));
        if let [None, None, Some(_)] = asked {
            // Nothing costs nothing: how many there must be is up to the cost.
            count = Some(Bounds(Vec::new()));
        }
        let mut money = money(self.currency);
        let cost = self.optional_bounds(&fields, "cost", &mut money);
        if let (Some(node), Some(EventWindow::Ever | EventWindow::LastMicros(_))) =
            (fields.get("cost"), window)
        {
            let message = "costs are kept by day: `cost` needs `within` in days, or `between`";
            self.problems.add(&node.place, message);
        }
        let first_time = self.optional_ago(&fields, "first_time");
        let last = self.optional_ago(&fields, "last");
        Some(CampaignCondition {
            names: names?,
            channels: channels?,
            window: window?,
            count: count?,
            cost: cost?,
            first_time,
            last,
        })
    }

    pub(super) fn conversation(&mut self, node: &Node) -> Option<ConversationCondition> {
        let known = [
            "agent",
            "channel",
            "direction",
            "intent",
            "outcome",
            "count",
            "never",
            "sentiment",
            "response_time",
            "within",
            "between",
        ];
        let fields = Fields::read(node, "a conversation condition", &known, self.problems)?;
        let agents = self.words(&fields, "agent");
        let all: Vec<_> = Channel::ALL.iter().map(|of| (of.as_str(), *of)).collect();
        let channels = self.choices(&fields, "channel", &all);
        let counted = self.counted(&fields);
        let count = self.said_count(&fields);
        let sentiment = match fields.get("sentiment") {
            Some(node) => self.bounds(node, "sentiment", &CONTINUOUS_OPERATORS, &mut thousandths),
            None => Some(Bounds(Vec::new())),
        };
        let response_ms = match fields.get("response_time") {
            Some(node) => self.bounds(
                node,
                "response_time",
                &CONTINUOUS_OPERATORS,
                &mut milliseconds,
            ),
            None => Some(Bounds(Vec::new())),
        };
        let window = self.day_window(&fields);
        Some(ConversationCondition {
            agents: agents?,
            channels: channels?,
            window: window?,
            counted: counted?,
            count: count?,
            sentiment: sentiment?,
            response_ms: response_ms?,
        })
    }

    /// The measure of `count`.
    fn counted(&mut self, fields: &Fields<'_>) -> Option<Counted> {
        let asked = ["direction", "intent", "outcome"].map(|key| (key, fields.get(key)));
        let mut asked = asked
            .into_iter()
            .filter_map(|(key, node)| Some((key, node?)));
        let Some((key, node)) = asked.next() else {
            return Some(Counted::Messages);
        };
        if let Some((other, node)) = asked.next() {
            let message = format!(
                "`{key}` and `{other}` are not counted together: write two conditions in an `all`"
            );
            self.problems.add(&node.place, message);
            return None;
        }
        match key {
            "direction" => {
                let names = DIRECTIONS.map(|(name, _)| name);
                one_of(node, "direction", &names, self.problems)
                    .map(|index| Counted::Direction(DIRECTIONS[index].1))
            }
            "intent" => self.words(fields, "intent").map(Counted::Intents),
            _ => {
                if let Some(channel) = fields.get("channel") {
                    let message = "the end of a conversation names no channel: `outcome` and \
                                   `channel` exclude each other";
                    self.problems.add(&channel.place, message);
                    return None;
                }
                let all: Vec<_> = Outcome::ALL.iter().map(|of| (of.as_str(), *of)).collect();
                self.choices(fields, "outcome", &all).map(Counted::Outcomes)
            }
        }
    }

    /// The default bound: at least one, unless only sentiment or response time is asked for.
    fn said_count(&mut self, fields: &Fields<'_>) -> Option<Bounds<i64>> {
        let is_asked = |key: &&str| fields.get(key).is_some();
        if ["count", "never"].iter().any(is_asked) {
            return self.event_count(fields);
        }
        let counts = ["direction", "intent", "outcome"].iter().any(is_asked);
        let measures = ["sentiment", "response_time"].iter().any(is_asked);
        let least = (Comparison::Gte, 1);
        Some(Bounds(if counts || !measures {
            vec![least]
        } else {
            Vec::new()
        }))
    }

    /// The default window: all the days that are kept.
    fn day_window(&mut self, fields: &Fields<'_>) -> Option<DayWindow> {
        match (fields.get("within"), fields.get("between")) {
            (None, None) => Some(DayWindow::LastDays(DAYS_KEPT)),
            (Some(node), None) => {
                let expected = "a number of days, like 90d";
                fields::parsed(
                    node,
                    expected,
                    self.problems,
                    |text| match quantities::days(text)? {
                        days if days > DAYS_KEPT => Err(format!(
                            "{text:?} is longer than {DAYS_KEPT}d, for which days are kept"
                        )),
                        days => Ok(DayWindow::LastDays(days)),
                    },
                )
            }
            (None, Some(node)) => self
                .days(node)
                .map(|(from, to)| DayWindow::Between(from, to)),
            (Some(_), Some(node)) => {
                self.problems
                    .add(&node.place, "`within` and `between` exclude each other");
                None
            }
        }
    }
}

fn thousandths(node: &Node, problems: &mut Problems) -> Option<i64> {
    let text = decimal_text(node, problems)?;
    let thousandths = quantities::thousandths(&text);
    thousandths
        .map_err(|message| problems.add(&node.place, message))
        .ok()
}

fn milliseconds(node: &Node, problems: &mut Problems) -> Option<i64> {
    let expected = "a duration, like 4h";
    fields::parsed(node, expected, problems, quantities::milliseconds)
}
