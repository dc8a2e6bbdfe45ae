//! The recorded changes of a customer: segments, stages, bands and other outputs.

use std::sync::Arc;

use sqlx::FromRow;
use tidemark_projections::evaluated::ChangeKind;
use tidemark_schemas::EventId;
use uuid::Uuid;

use super::sort_key::SortKey;
use super::{Change, TimelineItem, TimelineQuery};
use crate::database::{Snapshot, instant};
use crate::http::Problem;
use crate::routes::personal::PersonalOutputs;

#[derive(Debug, FromRow)]
struct Row {
    effective_at: i64,
    seq: i64,
    step: i64,
    kind: String,
    name: String,
    from_value: Option<String>,
    to_value: Option<String>,
    cause: String,
    cause_event_id: Option<Uuid>,
    definition_version: i64,
}

/// Reads the newest changes before the page's start, `rows` at most.
pub(super) async fn read(
    query: &TimelineQuery,
    personal: &PersonalOutputs,
    snapshot: &mut Snapshot<'_>,
    rows: usize,
) -> Result<Vec<(SortKey, TimelineItem)>, Problem> {
    if query.kinds.changes.is_empty() {
        return Ok(Vec::new());
    }
    let after = &query.after;
    let (hidden_kinds, hidden_names) = personal.hidden_changes();
    let found = sqlx::query_as::<_, Row>(include_str!("../../../sql/changes_of_customer.sql"))
        .bind(snapshot.tenant())
        .bind(query.id.as_str())
        .bind(&query.kinds.changes)
        .bind(after.at)
        .bind(after.seq)
        .bind(after.step)
        .bind(&after.kind)
        .bind(&after.name)
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .bind(hidden_kinds)
        .bind(hidden_names)
        .fetch_all(snapshot.connection())
        .await?;
    found.into_iter().map(Row::into_item).collect()
}

impl Row {
    fn into_item(self) -> Result<(SortKey, TimelineItem), Problem> {
        let kinds = ChangeKind::ALL.iter().map(|kind| kind.name());
        let kind = kinds.clone().find(|kind| *kind == self.kind);
        let item = TimelineItem {
            at: instant(self.effective_at)?,
            kind: kind.ok_or_else(|| Problem::internal("a change of an unknown kind"))?,
            name: Arc::from(&*self.name),
            event_id: self.cause_event_id.map(EventId),
            day: None,
            details: None,
            concluded: Some(Change {
                from: self.from_value,
                to: self.to_value,
                cause: self.cause,
                definitions: self.definition_version,
            }),
        };
        let (seq, step) = (self.seq, self.step);
        let key = SortKey::from_change(self.effective_at, seq, step, self.kind, self.name);
        Ok((key, item))
    }
}
