//! One tenant's definitions: reading all of it, putting segments in an order to evaluate them in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::expression::{Expression, MemberForCondition, TrackedLeaf};
use super::fields::{self, Fields};
use super::journeys::{self, JourneyDraft};
use super::language::Language;
use super::problems::Problems;
use super::settings::{self, Settings};
use super::source::{SegmentSource, TenantSource};
use super::trained;
use super::tree::{Node, Place};
use super::{Journey, Segment};
use crate::state::LeafId;

/// How many segments a tenant may have.
const MAX_SEGMENTS: usize = 500;
/// How many journeys a tenant may have.
const MAX_JOURNEYS: usize = 100;

/// Where a tenant's definitions stand, perhaps spread over several documents.
#[derive(Debug, Default)]
pub(crate) struct Parts<'n> {
    pub(crate) settings: Option<&'n Node>,
    pub(crate) segments: Vec<&'n Node>,
    pub(crate) journeys: Vec<&'n Node>,
    pub(crate) models: Option<&'n Node>,
}

/// A tenant's definitions, validated.
pub(crate) struct Tenant {
    pub(crate) settings: Settings,
    pub(crate) segments: Vec<Segment>,
    pub(crate) journeys: BTreeMap<Arc<str>, Journey>,
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
    // Without valid settings the conditions are read by other clocks, only to find problems.
    let zone = settings
        .as_ref()
        .map_or(jiff::tz::TimeZone::UTC, |s| s.rules.zone.clone());
    let currency = settings
        .as_ref()
        .map(|settings| settings.currency)
        .or_else(euro);
    let by_name = places(&drafts);
    let mut by_journey = entered_by(&journeys, &by_name);
    let mut language = Language {
        zone: &zone,
        currency: currency?,
        segments: &by_name,
        journeys: &by_journey,
        models: models.as_ref(),
        chances: BTreeMap::new(),
        patterns: 0,
        tracked: BTreeMap::new(),
        problems,
    };
    let expressions: Vec<Option<Expression>> = drafts
        .iter()
        .map(|draft| language.expression(draft.when?))
        .collect();
    let tracked = language.tracked;
    let order = evaluation_order(&drafts, &expressions, &by_journey, problems);
    if problems.0.len() > before {
        return None;
    }
    let source = TenantSource {
        tenant: settings.as_ref()?.source.clone(),
        segments: sources(&drafts)?,
        journeys: journeys.iter().map(JourneyDraft::source).collect(),
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
        tracked,
        source,
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

/// A segment whose condition has not been read yet.
struct Draft<'n> {
    place: &'n Place,
    name: Arc<str>,
    description: String,
    when: Option<&'n Node>,
    /// Written as the condition of a stage.
    of_stage: bool,
}

/// The segments of those for whom the conditions of a journey's stages hold.
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

impl Draft<'_> {
    fn source(&self) -> Option<SegmentSource> {
        Some(SegmentSource {
            name: String::from(&*self.name),
            description: self.description.clone(),
            when: self.when?.to_json(),
        })
    }
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
        let Some(fields) = Fields::of(node, "a segment", &known, problems) else {
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

/// An order in which each segment comes after those it refers to, and those by which the stages of
/// journeys it asks about are entered; every cycle is a problem.
fn evaluation_order(
    drafts: &[Draft<'_>],
    expressions: &[Option<Expression>],
    journeys: &BTreeMap<Arc<str>, Journey>,
    problems: &mut Problems,
) -> Vec<usize> {
    let mut waiting: BTreeMap<usize, BTreeSet<usize>> = expressions
        .iter()
        .enumerate()
        .map(|(index, expression)| {
            let mut references = BTreeSet::new();
            if let Some(expression) = expression {
                expression.each(&mut |condition| {
                    references.extend(condition.refers_to().map(|reference| reference.index));
                    let journey = condition.journey().and_then(|name| journeys.get(name));
                    let entered_by = journey.into_iter().flat_map(|of| &of.entered_by);
                    references.extend(entered_by.map(|(_, segment)| *segment));
                });
            }
            (index, references)
        })
        .collect();
    let mut order = Vec::with_capacity(drafts.len());
    while !waiting.is_empty() {
        let ready = waiting
            .iter()
            .find(|(_, references)| references.iter().all(|other| !waiting.contains_key(other)))
            .map(|(index, _)| *index);
        if let Some(index) = ready {
            waiting.remove(&index);
            order.push(index);
            continue;
        }
        let cycle = a_cycle(&waiting);
        let names: Vec<&str> = cycle.iter().map(|index| &*drafts[*index].name).collect();
        let (first, place) = (names[0], drafts[cycle[0]].place);
        let path = names.join(" → ");
        problems.add(
            place,
            format!("segments refer to each other in a cycle: {path} → {first}"),
        );
        for index in cycle {
            waiting.remove(&index);
        }
    }
    order
}

/// A cycle among segments each of which refers to another that waits; from its first in the list.
fn a_cycle(waiting: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<usize> {
    let mut path: Vec<usize> = waiting.keys().next().copied().into_iter().collect();
    while let Some(last) = path.last() {
        let next = waiting[last]
            .iter()
            .copied()
            .find(|other| waiting.contains_key(other));
        let Some(next) = next else { break };
        if let Some(start) = path.iter().position(|index| *index == next) {
            let mut cycle = path.split_off(start);
            let first = (0..cycle.len())
                .min_by_key(|place| cycle[*place])
                .unwrap_or(0);
            cycle.rotate_left(first);
            return cycle;
        }
        path.push(next);
    }
    path
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
