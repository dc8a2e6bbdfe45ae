//! Journeys: their stages, and the conditions by which some of them are entered.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::TenantDefinitions;
use super::expression::Expression;
use super::fields::{self, Fields};
use super::problems::Problems;
use super::source::{ConditionalStage, JourneySource, StageSource};
use super::tree::{Content, Node, Place};

/// The largest number of stages of a journey.
const MAX_STAGES: usize = 100;
/// The largest number of stages with a condition per tenant: each is evaluated like a segment.
const MAX_CONDITIONAL_STAGES: usize = 100;

/// An ordered list of stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    /// Unique in the tenant.
    pub name: Arc<str>,
    /// The description.
    pub description: String,
    /// First to last.
    pub stages: Vec<Arc<str>>,
    /// Stages that have a condition, by place: each a segment by the name of `journey/stage`, at this
    /// place of [`TenantDefinitions::segments`]. A customer that enters the segment enters the stage.
    pub entered_by: Vec<(usize, usize)>,
}

/// Returns the names of the stages with conditions.
pub(super) fn conditional(journeys: &BTreeMap<Arc<str>, Journey>) -> Vec<Arc<str>> {
    let conditional = journeys.values().filter(|of| !of.entered_by.is_empty());
    conditional.map(|of| Arc::clone(&of.name)).collect()
}

impl Journey {
    /// The place of a stage, from 0; `None` for one that is not part of the journey.
    pub fn position(&self, stage: &str) -> Option<usize> {
        self.stages.iter().position(|known| &**known == stage)
    }
}

impl TenantDefinitions {
    /// The condition of a segment as written, be it that of a stage.
    pub(crate) fn written(&self, segment: &str) -> Option<&Value> {
        let mut segments = self.source.segments.iter();
        if let Some(found) = segments.find(|other| other.name == segment) {
            return Some(&found.when);
        }
        let (journey, stage) = segment.split_once('/')?;
        let mut journeys = self.source.journeys.iter();
        let journey = journeys.find(|other| other.name == journey)?;
        journey.stages.iter().find_map(|other| match other {
            StageSource::Conditional(other) if other.name == stage => Some(&other.when),
            StageSource::Conditional(_) | StageSource::Named(_) => None,
        })
    }

    /// Returns the journeys with conditions on some of their stages, in the order of their names.
    pub(crate) fn conditional_journeys(&self) -> impl Iterator<Item = &Journey> {
        let journeys = self.conditional.iter();
        journeys.filter_map(|name| self.journeys.get(name))
    }

    /// The segments that enter stages of the journey a condition asks about, by place of the stage
    /// and of the segment.
    pub(crate) fn entering(&self, condition: &Expression) -> &[(usize, usize)] {
        let journey = condition.journey().and_then(|name| self.journeys.get(name));
        journey.map_or(&[], |journey| &journey.entered_by)
    }
}

/// A journey with conditions not parsed yet.
pub(super) struct JourneyDraft<'n> {
    pub(super) journey: Journey,
    pub(super) conditions: Vec<StageCondition<'n>>,
}

/// The condition that enters a stage, besides events.
pub(super) struct StageCondition<'n> {
    /// The index of the stage in its journey.
    pub(super) stage: usize,
    /// The position of the stage in the document.
    pub(super) place: &'n Place,
    pub(super) when: &'n Node,
}

impl JourneyDraft<'_> {
    /// Returns the name of the segment of a stage's condition. Names that authors give contain no
    /// `/`.
    pub(super) fn segment_name(&self, stage: usize) -> Arc<str> {
        let Journey { name, stages, .. } = &self.journey;
        format!("{name}/{}", stages[stage]).into()
    }

    pub(super) fn source(&self) -> JourneySource {
        let stages = self.journey.stages.iter().enumerate();
        let stages = stages.map(|(place, name)| {
            let name = String::from(&**name);
            let mut conditions = self.conditions.iter();
            match conditions.find(|condition| condition.stage == place) {
                None => StageSource::Named(name),
                Some(condition) => StageSource::Conditional(ConditionalStage {
                    name,
                    when: condition.when.to_json(),
                }),
            }
        });
        JourneySource {
            name: String::from(&*self.journey.name),
            description: self.journey.description.clone(),
            stages: stages.collect(),
        }
    }
}

/// Reads the nodes of journeys.
pub(super) fn read<'n>(nodes: Vec<&'n Node>, problems: &mut Problems) -> Vec<JourneyDraft<'n>> {
    let mut drafts: Vec<JourneyDraft<'n>> = Vec::new();
    for node in nodes {
        let known = ["name", "description", "stages"];
        let Some(fields) = Fields::read(node, "a journey", &known, problems) else {
            continue;
        };
        let name_node = fields.require("name", problems);
        let name = name_node.and_then(|node| fields::name(node, "a journey", problems));
        let description = fields::description(&fields, problems);
        let stages = fields
            .require("stages", problems)
            .map(|node| stages(node, problems));
        let (Some(name), Some(name_node), Some(stages)) = (name, name_node, stages) else {
            continue;
        };
        if drafts.iter().any(|draft| draft.journey.name == name) {
            problems.add(&name_node.place, format!("journey {name:?} stands twice"));
            continue;
        }
        let (stages, conditions) = stages;
        drafts.push(JourneyDraft {
            journey: Journey {
                name,
                description,
                stages,
                entered_by: Vec::new(),
            },
            conditions,
        });
    }
    limit_conditions(&drafts, problems);
    drafts
}

fn limit_conditions(drafts: &[JourneyDraft<'_>], problems: &mut Problems) {
    let mut conditions = drafts.iter().flat_map(|draft| &draft.conditions);
    if let Some(first_too_many) = conditions.nth(MAX_CONDITIONAL_STAGES) {
        let message = format!("more than {MAX_CONDITIONAL_STAGES} stages with a condition");
        problems.add(first_too_many.place, message);
    }
}

fn stages<'n>(node: &'n Node, problems: &mut Problems) -> (Vec<Arc<str>>, Vec<StageCondition<'n>>) {
    let (mut stages, mut conditions) = (Vec::new(), Vec::new());
    let items = fields::list(node, "a list of stages", MAX_STAGES, problems);
    for item in items.unwrap_or_default() {
        let Some((name, when)) = stage(item, problems) else {
            continue;
        };
        if stages.contains(&name) {
            problems.add(&item.place, format!("stage {name:?} stands twice"));
        }
        conditions.extend(when.map(|when| StageCondition {
            stage: stages.len(),
            place: &item.place,
            when,
        }));
        stages.push(name);
    }
    (stages, conditions)
}

/// A name, or `{ name: activated, when: { segment: regulars } }`.
fn stage<'n>(node: &'n Node, problems: &mut Problems) -> Option<(Arc<str>, Option<&'n Node>)> {
    match &node.content {
        Content::Map(_) => {
            let fields = Fields::read(node, "a stage", &["name", "when"], problems)?;
            let name = fields.require("name", problems)?;
            let name = fields::name(name, "a stage", problems)?;
            Some((name, fields.get("when")))
        }
        Content::Null
        | Content::Boolean(_)
        | Content::Long(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::List(_) => Some((fields::name(node, "a stage", problems)?, None)),
    }
}
