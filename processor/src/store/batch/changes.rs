//! Rows of `change_set`: what one commit changes of one customer. generation.sql describes the JSON,
//! and its view `change` reads it.

use std::borrow::Cow;

use serde::Serialize;
use sqlx::postgres::PgConnection;
use tidemark_projections::evaluated::{Cause, Change, ChangeKind};
use tidemark_schemas::CustomerKey;

use super::columns::{ROWS_AT_ONCE, column, customer, sorted, tenant};
use super::{CommitContext, ROW_BYTES, RowKind};

/// The changes of one customer in one commit.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// Contiguous per partition, from 1.
    pub seq: i64,
    /// The customer.
    pub key: CustomerKey,
    /// The definitions all of them were computed with.
    pub definition_version: i64,
    /// The changes, in order; never empty.
    pub changes: Vec<Change>,
}

impl RowKind for Vec<ChangeSet> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn bytes(&self) -> usize {
        self.iter()
            .map(|set| ROW_BYTES + set.changes.len() * size_of::<Change>())
            .sum()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = sorted(self, |row| row.seq);
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let json: Result<Vec<String>, _> =
                rows.iter().map(|row| to_json(&row.changes)).collect();
            sqlx::query(include_str!("../changes.sql"))
                .bind(context.partition)
                .bind(column(rows, |row| row.seq))
                .bind(column(rows, |row| tenant(&row.key)))
                .bind(column(rows, |row| customer(&row.key)))
                .bind(column(rows, |row| row.definition_version))
                .bind(json.map_err(|error| sqlx::Error::Encode(error.into()))?)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

/// The changes that one evaluation found.
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

/// Returns the changes as JSON text.
fn to_json(changes: &[Change]) -> serde_json::Result<String> {
    let evaluations: Vec<Evaluation<'_>> = changes
        .chunk_by(|left, right| {
            (left.effective_at, left.cause) == (right.effective_at, right.cause)
        })
        .filter_map(evaluation)
        .collect();
    serde_json::to_string(&evaluations)
}

/// Groups changes with the same instant and cause.
fn evaluation(changes: &[Change]) -> Option<Evaluation<'_>> {
    let first = changes.first()?;
    let mut evaluation = Evaluation {
        at: first.effective_at.micros(),
        by: match first.cause {
            Cause::Event(id) => id.0.to_string().into(),
            cause @ (Cause::Timer | Cause::Definition | Cause::Evaluation) => cause.name().into(),
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
