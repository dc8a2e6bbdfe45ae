//! One tenant's definitions: reading all of it, putting segments in an order to evaluate them in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::Draft;
use super::expression::{Expression, MemberForCondition, TrackedLeaf};
use super::fields::{self, Fields};
use super::journeys::{self, JourneyDraft};
use super::language::Language;
use super::order::evaluation_order;
use super::problems::Problems;
use super::reactions::{self, Action, ActionDraft, Trigger, TriggerDraft};
use super::settings::{self, Settings};
use super::source::{SegmentSource, TenantSource};
use super::trained;
use super::tree::{Node, Place};
use super::{Journey, Segment};
use crate::models::TrainedModels;
use crate::state::LeafId;

/// The largest number of segments of a tenant.
const MAX_SEGMENTS: usize = 500;
/// The largest number of journeys of a tenant.
const MAX_JOURNEYS: usize = 100;

/// The draft of a tenant's definitions, possibly from several documents.
#[derive(Debug, Default)]
pub(crate) struct Parts<'n> {
    pub(crate) settings: Option<&'n Node>,
    pub(crate) segments: Vec<&'n Node>,
    pub(crate) journeys: Vec<&'n Node>,
    pub(crate) actions: Vec<&'n Node>,
    pub(crate) triggers: Vec<&'n Node>,
    pub(crate) models: Option<&'n Node>,
}

/// A tenant's definitions, validated.
pub(crate) struct Tenant {
    pub(crate) settings: Settings,
    pub(crate) segments: Vec<Segment>,
    pub(crate) journeys: BTreeMap<Arc<str>, Journey>,
    pub(crate) actions: Vec<Action>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) tracked: BTreeMap<LeafId, TrackedLeaf>,
    pub(crate) source: TenantSource,
}

/// Reads all parts, whatever is wrong with some. `None` only where there are problems.
pub(crate) fn read(parts: &Parts<'_>, problems: &mut Problems) -> Option<Tenant> {
    let before = problems.0.len();
    let settings = parts
        .settings
        .and_then(|node| settings::settings(node, problems));
    let models = parts
        .models
        .and_then(|node| trained::models(node, problems));
    let journeys = read_journeys(&parts.journeys, problems);
    let mut drafts = read_segments(&parts.segments, problems);
    drafts.extend(journeys.iter().flat_map(segments_of));
    let by_name = places(&drafts);
    let mut by_journey = entered_by(&journeys, &by_name);
    let known = (&by_name, &by_journey, settings.as_ref(), models.as_ref());
    let conditions = read_conditions(parts, &drafts, known, problems)?;
    let order = evaluation_order(&drafts, &conditions.expressions, &by_journey, problems);
    if problems.0.len() > before {
        return None;
    }
    let Conditions {
        expressions,
        actions,
        triggers,
        tracked,
    } = conditions;
    let source = TenantSource {
        tenant: settings.as_ref()?.source.clone(),
        segments: sources(&drafts)?,
        journeys: journeys.iter().map(JourneyDraft::source).collect(),
        actions: actions.iter().map(|of| of.source.clone()).collect(),
        triggers: triggers.iter().map(|of| of.source.clone()).collect(),
        models,
    };
    let places = places_in(&order);
    for (_, segment) in by_journey.values_mut().flat_map(|of| &mut of.entered_by) {
        *segment = places[*segment];
    }
    let segments = in_order(drafts, expressions, &places)?;
    Some(Tenant {
        settings: settings?,
        segments,
        journeys: by_journey,
        actions: placed(actions, &places),
        triggers: triggers.into_iter().map(|of| of.trigger).collect(),
        tracked,
        source,
    })
}

/// The parts that contain conditions.
struct Conditions {
    /// The conditions of segments, in the order of their drafts.
    expressions: Vec<Option<Expression>>,
    actions: Vec<ActionDraft>,
    triggers: Vec<TriggerDraft>,
    tracked: BTreeMap<LeafId, TrackedLeaf>,
}

/// The names available to conditions.
type Known<'k> = (
    &'k BTreeMap<Arc<str>, usize>,
    &'k BTreeMap<Arc<str>, Journey>,
    Option<&'k Settings>,
    Option<&'k TrainedModels>,
);

fn read_conditions(
    parts: &Parts<'_>,
    drafts: &[Draft<'_>],
    (segments, journeys, settings, models): Known<'_>,
    problems: &mut Problems,
) -> Option<Conditions> {
    // Without valid settings the conditions are read by other clocks, only to find problems.
    let zone = settings.map_or(jiff::tz::TimeZone::UTC, |s| s.rules.zone.clone());
    let currency = settings.map(|settings| settings.currency);
    let undeclared = BTreeMap::new();
    let mut language = Language {
        zone: &zone,
        attributes: settings.map_or(&undeclared, |settings| &settings.attributes),
        currency: currency.or_else(euro)?,
        segments,
        journeys,
        models,
        chances: BTreeMap::new(),
        patterns: 0,
        tracked: BTreeMap::new(),
        problems,
    };
    let expressions: Vec<Option<Expression>> = drafts
        .iter()
        .map(|draft| language.expression(draft.when?))
        .collect();
    let most = reactions::MAX_REACTIONS;
    let listed = items(&parts.actions, "a list of actions", most, language.problems);
    let actions = reactions::actions(&listed, &mut language);
    let what = "a list of triggers";
    let listed = items(&parts.triggers, what, most, language.problems);
    let triggers = reactions::triggers(&listed, &actions, &mut language);
    Some(Conditions {
        expressions,
        actions,
        triggers,
        tracked: language.tracked,
    })
}

fn euro() -> Option<tidemark_schemas::Currency> {
    tidemark_schemas::Currency::new("EUR")
}

/// The place of each segment that has a name; of those alike the first.
fn places(drafts: &[Draft<'_>]) -> BTreeMap<Arc<str>, usize> {
    let mut places = BTreeMap::new();
    let named = drafts.iter().enumerate();
    for (index, draft) in named.filter(|(_, draft)| !draft.name.is_empty()) {
        places.entry(Arc::clone(&draft.name)).or_insert(index);
    }
    places
}

/// The segments that stand for the conditions of a journey's stages.
fn segments_of<'n>(draft: &JourneyDraft<'n>) -> Vec<Draft<'n>> {
    let journey = &draft.journey;
    let conditions = draft.conditions.iter().map(|condition| Draft {
        place: condition.place,
        name: draft.segment_name(condition.stage),
        description: format!(
            "Enters stage {} of journey {}",
            journey.stages[condition.stage], journey.name
        ),
        when: Some(condition.when),
        of_stage: true,
    });
    conditions.collect()
}

/// The journeys by name, with which of the segments' drafts enter their stages.
fn entered_by(
    drafts: &[JourneyDraft<'_>],
    segments: &BTreeMap<Arc<str>, usize>,
) -> BTreeMap<Arc<str>, Journey> {
    let journeys = drafts.iter().map(|draft| {
        let conditions = draft.conditions.iter();
        let places = conditions.filter_map(|condition| {
            let segment = segments.get(&draft.segment_name(condition.stage))?;
            Some((condition.stage, *segment))
        });
        let journey = Journey {
            entered_by: places.collect(),
            ..draft.journey.clone()
        };
        (Arc::clone(&journey.name), journey)
    });
    journeys.collect()
}

/// The segments as written, without those that are written as stages.
fn sources(drafts: &[Draft<'_>]) -> Option<Vec<SegmentSource>> {
    let segments = drafts.iter().filter(|draft| !draft.of_stage);
    segments.map(Draft::source).collect()
}

fn read_journeys<'n>(lists: &[&'n Node], problems: &mut Problems) -> Vec<JourneyDraft<'n>> {
    let nodes = items(lists, "a list of journeys", MAX_JOURNEYS, problems);
    journeys::read(nodes, problems)
}

/// The items of the lists of several documents.
fn items<'n>(
    lists: &[&'n Node],
    what: &str,
    most: usize,
    problems: &mut Problems,
) -> Vec<&'n Node> {
    let mut all = Vec::new();
    for list in lists {
        let Some(items) = fields::list(list, what, most, problems) else {
            continue;
        };
        if all.len() + items.len() > most {
            problems.add(&list.place, format!("more than {most} are too many"));
            break;
        }
        all.extend(items);
    }
    all
}

fn read_segments<'n>(lists: &[&'n Node], problems: &mut Problems) -> Vec<Draft<'n>> {
    let mut drafts: Vec<Draft<'n>> = Vec::new();
    let mut names: BTreeMap<Arc<str>, &Place> = BTreeMap::new();
    for node in items(lists, "a list of segments", MAX_SEGMENTS, problems) {
        let known = ["name", "description", "when"];
        let Some(fields) = Fields::read(node, "a segment", &known, problems) else {
            continue;
        };
        let name_node = fields.require("name", problems);
        let name = name_node.and_then(|node| fields::name(node, "a segment", problems));
        let description = fields::description(&fields, problems);
        let when = fields.require("when", problems);
        let place = name_node.map_or(&node.place, |node| &node.place);
        let name = name.unwrap_or_else(|| Arc::from(""));
        if let Some(first) = names.get(&name).filter(|_| !name.is_empty()) {
            problems.add(
                place,
                format!("segment {name:?} stands twice: first at {first}"),
            );
        }
        names.entry(Arc::clone(&name)).or_insert(place);
        drafts.push(Draft {
            place,
            name,
            description,
            when,
            of_stage: false,
        });
    }
    drafts
}

/// The actions, each reference to a segment pointing to its new place.
fn placed(actions: Vec<ActionDraft>, places: &[usize]) -> Vec<Action> {
    let mut actions: Vec<Action> = actions.into_iter().map(|of| of.action).collect();
    for action in &mut actions {
        if let Some(eligible) = &mut action.eligible {
            point_to_places(eligible, places);
        }
    }
    actions
}

/// The place of each draft in an order.
fn places_in(order: &[usize]) -> Vec<usize> {
    let mut places = vec![0; order.len()];
    for (place, index) in order.iter().enumerate() {
        places[*index] = place;
    }
    places
}

/// The segments at the places found, each reference pointing there.
fn in_order(
    drafts: Vec<Draft<'_>>,
    expressions: Vec<Option<Expression>>,
    places: &[usize],
) -> Option<Vec<Segment>> {
    let mut segments: Vec<(usize, Segment)> = drafts
        .into_iter()
        .zip(expressions)
        .enumerate()
        .map(|(index, (draft, expression))| {
            let mut expression = expression?;
            point_to_places(&mut expression, places);
            let Draft {
                name, description, ..
            } = draft;
            Some((
                places[index],
                Segment {
                    name,
                    description,
                    expression,
                },
            ))
        })
        .collect::<Option<_>>()?;
    segments.sort_by_key(|(place, _)| *place);
    Some(segments.into_iter().map(|(_, segment)| segment).collect())
}

fn point_to_places(expression: &mut Expression, places: &[usize]) {
    match expression {
        Expression::All(inner) | Expression::Any(inner) => {
            for expression in inner {
                point_to_places(expression, places);
            }
        }
        Expression::Not(inner) => point_to_places(inner, places),
        Expression::Segment(reference)
        | Expression::MemberFor(MemberForCondition {
            segment: reference, ..
        }) => reference.index = places[reference.index],
        Expression::Attribute(_)
        | Expression::Orders(_)
        | Expression::Stage(_)
        | Expression::Churn(_)
        | Expression::Record(_)
        | Expression::Score(_)
        | Expression::Event(_)
        | Expression::Sequence(_)
        | Expression::Regularly(_)
        | Expression::Restarted(_)
        | Expression::Bucket(_)
        | Expression::Manual(_) => {}
    }
}
