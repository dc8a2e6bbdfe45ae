//! The difference between two definitions of a tenant.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::source::{TenantSettings, TenantSource};
use crate::models::{Trained, TrainedModels};

/// The difference between two definitions of a tenant; each part by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Difference {
    /// Changed settings, for example `currency`, `rates.USD` or `attributes.email`.
    pub settings: Vec<Changed>,
    /// Changed segments.
    pub segments: Vec<Changed>,
    /// Changed journeys.
    pub journeys: Vec<Changed>,
    /// Changed actions.
    pub actions: Vec<Changed>,
    /// Changed triggers.
    pub triggers: Vec<Changed>,
    /// Retrained models, for example `churn` or `conversion.sales`.
    pub models: Vec<Changed>,
}

/// One thing that is defined otherwise, or in one of the two alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Unique in its part.
    pub name: String,
    /// Null where it is added.
    pub from: Option<Value>,
    /// Null where it is removed.
    pub to: Option<Value>,
}

/// Items by name: the compared value, and the text shown for it.
type Entries = BTreeMap<String, (Value, Value)>;

impl Difference {
    /// Compares definitions, the older ones of which may be absent.
    pub fn between(before: Option<&TenantSource>, after: &TenantSource) -> Self {
        let compare = |part: fn(&TenantSource) -> Entries| {
            compared(&before.map(part).unwrap_or_default(), &part(after))
        };
        Self {
            settings: compare(|source| settings(&source.tenant)),
            segments: compare(|source| {
                let segments = source.segments.iter();
                named(segments.map(|segment| (&*segment.name, json!(segment))))
            }),
            journeys: compare(|source| {
                let journeys = source.journeys.iter();
                named(journeys.map(|journey| (&*journey.name, json!(journey))))
            }),
            actions: compare(|source| {
                let actions = source.actions.iter();
                named(actions.map(|action| (&*action.name, json!(action))))
            }),
            triggers: compare(|source| {
                let triggers = source.triggers.iter();
                named(triggers.map(|trigger| (&*trigger.name, json!(trigger))))
            }),
            models: compare(|source| source.models.as_ref().map(models).unwrap_or_default()),
        }
    }

    /// Nothing differs but the order in which things are written.
    pub fn is_empty(&self) -> bool {
        let Self {
            settings,
            segments,
            journeys,
            actions,
            triggers,
            models,
        } = self;
        [settings, segments, journeys, actions, triggers, models]
            .iter()
            .all(|part| part.is_empty())
    }
}

fn compared(before: &Entries, after: &Entries) -> Vec<Changed> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differs = |name: &&String| {
        let compared = |entries: &Entries| entries.get(*name).map(|(compared, _)| compared.clone());
        compared(before) != compared(after)
    };
    let told = |entries: &Entries, name| entries.get(name).map(|(_, told)| told.clone());
    let names = names.into_iter().filter(differs);
    names
        .map(|name| Changed {
            name: name.clone(),
            from: told(before, name),
            to: told(after, name),
        })
        .collect()
}

/// Returns entries by name; the name is not repeated in the value.
fn named<'s>(all: impl Iterator<Item = (&'s str, Value)>) -> Entries {
    all.map(|(name, mut value)| {
        if let Some(fields) = value.as_object_mut() {
            fields.remove("name");
        }
        (name.to_owned(), (value.clone(), value))
    })
    .collect()
}

/// Flattens maps (rates, attributes, churn) entry by entry.
fn settings(settings: &TenantSettings) -> Entries {
    let mut entries = Entries::new();
    let fields = json!(settings);
    for (name, value) in fields.as_object().into_iter().flatten() {
        let Some(inner) = value.as_object() else {
            entries.insert(name.clone(), (value.clone(), value.clone()));
            continue;
        };
        for (key, value) in inner {
            entries.insert(format!("{name}.{key}"), (value.clone(), value.clone()));
        }
    }
    entries
}

fn models(models: &TrainedModels) -> Entries {
    fn told<M: Serialize>(trained: &Trained<M>) -> (Value, Value) {
        let data = [
            ("from", json!(trained.from)),
            ("as_of", json!(trained.as_of)),
            ("customers", json!(trained.customers)),
        ];
        let data = data.map(|(name, value)| (name.to_owned(), value));
        (json!(trained), Value::Object(Map::from_iter(data)))
    }
    let TrainedModels {
        churn,
        spending,
        renewal,
        value,
        rfm,
        clusters,
        conversion,
    } = models;
    let one = [
        ("churn", churn.as_ref().map(told)),
        ("spending", spending.as_ref().map(told)),
        ("renewal", renewal.as_ref().map(told)),
        ("value", value.as_ref().map(told)),
        ("rfm", rfm.as_ref().map(told)),
        ("clusters", clusters.as_ref().map(told)),
    ];
    let one = one.into_iter();
    let one = one.filter_map(|(name, told)| Some((name.to_owned(), told?)));
    let by_journey = conversion.iter();
    let by_journey = by_journey.map(|(name, of)| (format!("conversion.{name}"), told(of)));
    one.chain(by_journey).collect()
}
