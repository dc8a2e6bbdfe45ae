//! The changes of one customer as `change_set` holds them; generation.sql says how, and its view
//! `change` reads them.

use std::borrow::Cow;

use serde::Serialize;
use tidemark_projections::evaluated::{Cause, Change, ChangeKind};

/// What one evaluation found changed.
#[derive(Debug, Serialize)]
struct Evaluation<'a> {
    at: i64,
    by: Cow<'static, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entered: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stages: Vec<(&'a str, Option<&'a str>, Option<&'a str>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    band: Option<(Option<&'a str>, Option<&'a str>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rfm: Option<(Option<&'a str>, Option<&'a str>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<(Option<&'a str>, Option<&'a str>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewal_band: Option<(Option<&'a str>, Option<&'a str>)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    triggers: Vec<(&'a str, Option<&'a str>)>,
}

/// As JSON text.
pub(super) fn to_json(changes: &[Change]) -> serde_json::Result<String> {
    let evaluations: Vec<Evaluation<'_>> = changes
        .chunk_by(|left, right| {
            (left.effective_at, left.cause) == (right.effective_at, right.cause)
        })
        .filter_map(evaluation)
        .collect();
    serde_json::to_string(&evaluations)
}

/// Of changes with one stamp.
fn evaluation(changes: &[Change]) -> Option<Evaluation<'_>> {
    let first = changes.first()?;
    let mut evaluation = Evaluation {
        at: first.effective_at.micros(),
        by: match first.cause {
            Cause::Event(id) => id.0.to_string().into(),
            cause @ (Cause::Timer | Cause::Definition) => cause.name().into(),
        },
        entered: Vec::new(),
        left: Vec::new(),
        stages: Vec::new(),
        band: None,
        rfm: None,
        cluster: None,
        renewal_band: None,
        triggers: Vec::new(),
    };
    for change in changes {
        let (from, to) = (change.from.as_deref(), change.to.as_deref());
        match change.kind {
            ChangeKind::Segment if to.is_some() => evaluation.entered.push(&change.name),
            ChangeKind::Segment => evaluation.left.push(&change.name),
            ChangeKind::Stage => evaluation.stages.push((&change.name, from, to)),
            ChangeKind::Band => evaluation.band = Some((from, to)),
            ChangeKind::Rfm => evaluation.rfm = Some((from, to)),
            ChangeKind::Cluster => evaluation.cluster = Some((from, to)),
            ChangeKind::RenewalBand => evaluation.renewal_band = Some((from, to)),
            ChangeKind::Trigger => evaluation.triggers.push((&change.name, to)),
        }
    }
    Some(evaluation)
}
