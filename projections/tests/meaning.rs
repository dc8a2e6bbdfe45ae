//! The meaning of definitions: conditions, models, outputs and evaluated states.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "meaning/attribute_types.rs"]
mod attribute_types;
#[path = "meaning/backfilling.rs"]
mod backfilling;
#[path = "meaning/bound.rs"]
mod bound;
#[path = "meaning/cdnow.rs"]
mod cdnow;
#[path = "meaning/conditions.rs"]
mod conditions;
#[path = "meaning/customer.rs"]
mod customer;
#[path = "meaning/definitions.rs"]
mod definitions;
#[path = "meaning/derived.rs"]
mod derived;
#[path = "meaning/difference.rs"]
mod difference;
#[path = "meaning/documentation.rs"]
mod documentation;
#[path = "meaning/evaluated.rs"]
mod evaluated;
#[path = "meaning/evaluated_laws.rs"]
mod evaluated_laws;
#[path = "meaning/explain.rs"]
mod explain;
#[path = "meaning/frozen.rs"]
mod frozen;
#[path = "meaning/habits.rs"]
mod habits;
#[path = "meaning/hostile.rs"]
mod hostile;
#[path = "meaning/in_force.rs"]
mod in_force;
#[path = "meaning/journeys.rs"]
mod journeys;
#[path = "meaning/journeys_laws.rs"]
mod journeys_laws;
#[path = "meaning/language.rs"]
mod language;
#[path = "meaning/ledger.rs"]
mod ledger;
#[path = "meaning/models.rs"]
mod models;
#[path = "meaning/naive.rs"]
mod naive;
#[path = "meaning/naive_laws.rs"]
mod naive_laws;
#[path = "meaning/next_change.rs"]
mod next_change;
#[path = "meaning/offers.rs"]
mod offers;
#[path = "meaning/outputs.rs"]
mod outputs;
#[path = "meaning/random.rs"]
mod random;
#[path = "meaning/reactions.rs"]
mod reactions;
#[path = "meaning/records.rs"]
mod records;
#[path = "meaning/records_language.rs"]
mod records_language;
#[path = "meaning/records_laws.rs"]
mod records_laws;
#[path = "meaning/reports.rs"]
mod reports;
#[path = "meaning/stored.rs"]
mod stored;
#[path = "meaning/support.rs"]
mod support;
#[path = "meaning/timeline.rs"]
mod timeline;
#[path = "meaning/touching.rs"]
mod touching;
