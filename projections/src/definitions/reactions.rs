//! Actions a tenant may offer, and triggers: what is to happen when something changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expression::Expression;
use super::fields::{self, Fields};
use super::language::{Language, decimal_text, each, money, one_of, whole_number};
use super::problems::{Problems, unknown};
use super::source::{ActionSource, TriggerSource};
use super::tree::{Node, Place};
use crate::change::{Change, ChangeKind};

/// The largest number of actions, and of triggers, of a tenant.
pub(super) const MAX_REACTIONS: usize = 100;
const BANDS: [&str; 3] = ["low", "medium", "high"];
/// The kinds of changes that a trigger can react to.
const OCCASIONS: [&str; 7] = [
    "entered",
    "left",
    "stage",
    "band",
    "renewal_band",
    "rfm",
    "cluster",
];

/// Something a tenant may offer its customers.
#[derive(Debug)]
pub struct Action {
    /// Unique in the tenant; as events name it.
    pub name: Arc<str>,
    /// The description.
    pub description: String,
    /// The condition of eligibility; `None`: all customers are eligible.
    pub eligible: Option<Expression>,
    /// The value of an accepted offer, in minor units of the tenant's currency.
    pub value_minor: i64,
}

/// A reaction to a change, recorded beside the change itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Unique in the tenant.
    pub name: Arc<str>,
    /// The description.
    pub description: String,
    /// The action to take, if it names one.
    pub action: Option<Arc<str>>,
    /// Whether it also fires where a definition, and not an event or time, made the change.
    pub on_definition: bool,
    /// The kind of change.
    kind: ChangeKind,
    /// The segment, journey or score.
    of: Arc<str>,
    /// The entered values, any of which fires the trigger; none: leaving fires it.
    entered: Vec<Arc<str>>,
}

impl Trigger {
    /// Returns the kind of change that fires it, and the segment, journey or score that changes.
    pub(super) fn waits_for(&self) -> (ChangeKind, &Arc<str>) {
        (self.kind, &self.of)
    }

    /// Whether a change is what it waits for. Going from one of several values to another enters
    /// nothing.
    pub(crate) fn fires_at(&self, change: &Change) -> bool {
        let listed = |side: &Option<Arc<str>>| {
            let side = side.as_ref();
            side.is_some_and(|value| self.entered.contains(value))
        };
        change.kind == self.kind
            && change.name == self.of
            && if self.entered.is_empty() {
                change.to.is_none()
            } else {
                listed(&change.to) && !listed(&change.from)
            }
    }
}

/// An action with where it stands and as it is written.
pub(super) struct ActionDraft {
    pub(super) action: Action,
    pub(super) source: ActionSource,
}

/// A trigger and as it is written.
pub(super) struct TriggerDraft {
    pub(super) trigger: Trigger,
    pub(super) source: TriggerSource,
}

/// Names that must not stand twice.
#[derive(Default)]
struct Names<'n>(BTreeMap<Arc<str>, &'n Place>);

impl<'n> Names<'n> {
    fn read(
        &mut self,
        fields: &Fields<'n>,
        what: &str,
        problems: &mut Problems,
    ) -> Option<Arc<str>> {
        let node = fields.require("name", problems)?;
        let name = fields::name(node, what, problems)?;
        if let Some(first) = self.0.get(&name) {
            let message = format!("{what} {name:?} stands twice: first at {first}");
            problems.add(&node.place, message);
        }
        self.0.entry(Arc::clone(&name)).or_insert(&node.place);
        Some(name)
    }
}

/// Reads actions, whatever is wrong with some.
pub(super) fn actions(items: &[&Node], language: &mut Language<'_>) -> Vec<ActionDraft> {
    let mut names = Names::default();
    let mut read = Vec::new();
    for node in items {
        let known = ["name", "description", "eligible", "value"];
        let Some(fields) = Fields::read(node, "an action", &known, language.problems) else {
            continue;
        };
        let name = names.read(&fields, "an action", language.problems);
        let description = fields::description(&fields, language.problems);
        let condition = fields.get("eligible");
        let eligible = condition.map(|node| language.expression(node));
        let value = fields.require("value", language.problems);
        let currency = language.currency;
        let value_minor = value.and_then(|node| money(currency)(node, language.problems));
        let written = value.and_then(|node| decimal_text(node, &mut Problems::default()));
        let (Some(name), Some(value_minor), Some(value)) = (name, value_minor, written) else {
            continue;
        };
        let source = ActionSource {
            name: String::from(&*name),
            description: description.clone(),
            eligible: condition.map(Node::to_json),
            value,
        };
        let action = Action {
            name,
            description,
            // What is wrong with a condition was said where it stands.
            eligible: eligible.flatten(),
            value_minor,
        };
        read.push(ActionDraft { action, source });
    }
    read
}

/// Reads triggers, whatever is wrong with some.
pub(super) fn triggers(
    items: &[&Node],
    actions: &[ActionDraft],
    language: &mut Language<'_>,
) -> Vec<TriggerDraft> {
    let mut names = Names::default();
    let known_actions: Vec<&str> = actions.iter().map(|of| &*of.action.name).collect();
    let mut read = Vec::new();
    for node in items {
        let known = ["name", "description", "on", "action", "on_definition"];
        let Some(fields) = Fields::read(node, "a trigger", &known, language.problems) else {
            continue;
        };
        let name = names.read(&fields, "a trigger", language.problems);
        let description = fields::description(&fields, language.problems);
        let action = fields.get("action").map(|node| {
            let place = one_of(node, "action", &known_actions, language.problems)?;
            Some(Arc::clone(&actions[place].action.name))
        });
        let on_definition = fields
            .get("on_definition")
            .is_some_and(|node| fields::boolean(node, language.problems) == Some(true));
        let on = fields.require("on", language.problems);
        let waits_for = on.and_then(|node| occasion(node, language));
        let (Some(name), Some(on), Some((kind, of, entered))) = (name, on, waits_for) else {
            continue;
        };
        let action = action.flatten();
        let source = TriggerSource {
            name: String::from(&*name),
            description: description.clone(),
            on: on.to_json(),
            action: action.as_deref().map(str::to_owned),
            on_definition,
        };
        let trigger = Trigger {
            name,
            description,
            action,
            on_definition,
            kind,
            of,
            entered,
        };
        read.push(TriggerDraft { trigger, source });
    }
    read
}

type Occasion = (ChangeKind, Arc<str>, Vec<Arc<str>>);

/// `on: { entered: vip }`, `on: { stage: { journey: sales, is: trial } }`, `on: { band: high }`…
fn occasion(node: &Node, language: &mut Language<'_>) -> Option<Occasion> {
    let entries = fields::map(node, "an occasion, like `entered: vip`", language.problems)?;
    let [(key, value)] = entries else {
        let message = format!("expected one occasion, found {} keys", entries.len());
        language.problems.add(&node.place, message);
        return None;
    };
    let of = |kind: ChangeKind| Arc::<str>::from(kind.name());
    match &*key.text {
        "entered" | "left" => {
            let name = language.segment(value)?.name;
            let entered = if &*key.text == "entered" {
                vec![Arc::clone(&name)]
            } else {
                Vec::new()
            };
            Some((ChangeKind::Segment, name, entered))
        }
        "stage" => stage(value, language),
        "band" => Some((ChangeKind::Band, "churn".into(), bands(value, language)?)),
        "renewal_band" => {
            let kind = ChangeKind::RenewalBand;
            Some((kind, of(kind), bands(value, language)?))
        }
        "rfm" => {
            let cells = each(value, language.problems, &mut cell)?;
            Some((ChangeKind::Rfm, of(ChangeKind::Rfm), cells))
        }
        "cluster" => {
            let numbers = each(value, language.problems, &mut |node, problems| {
                let number = whole_number(node, problems)?;
                if number == 0 {
                    return problems.expected("the number of a cluster, from 1", node);
                }
                Some(number.to_string().into())
            })?;
            Some((ChangeKind::Cluster, of(ChangeKind::Cluster), numbers))
        }
        other => {
            let message = unknown("occasion", other, OCCASIONS);
            language.problems.add(&key.place, message);
            None
        }
    }
}

fn stage(node: &Node, language: &mut Language<'_>) -> Option<Occasion> {
    let fields = Fields::read(node, "a stage", &["journey", "is"], language.problems)?;
    let journey = language.journey(&fields)?;
    let names: Vec<&str> = journey.stages.iter().map(|stage| &**stage).collect();
    let what = format!("stage of journey {:?}", journey.name);
    let node = fields.require("is", language.problems)?;
    let stages = each(node, language.problems, &mut |node, problems| {
        let place = one_of(node, &what, &names, problems)?;
        Some(Arc::clone(&journey.stages[place]))
    })?;
    Some((ChangeKind::Stage, Arc::clone(&journey.name), stages))
}

fn bands(node: &Node, language: &mut Language<'_>) -> Option<Vec<Arc<str>>> {
    each(node, language.problems, &mut |node, problems| {
        let place = one_of(node, "band", &BANDS, problems)?;
        Some(Arc::from(BANDS[place]))
    })
}

/// Three digits, as a text or as a number.
fn cell(node: &Node, problems: &mut Problems) -> Option<Arc<str>> {
    let text = decimal_text(node, problems)?;
    let is_cell = text.len() == 3 && text.bytes().all(|digit| (b'1'..=b'5').contains(&digit));
    if is_cell {
        return Some(text.into());
    }
    problems.expected("an RFM cell: three digits from 1 to 5, like 555", node)
}
