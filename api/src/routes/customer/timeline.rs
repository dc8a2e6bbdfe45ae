//! `GET /v1/customers/{id}/timeline`: the events of a customer and the changes that followed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemark_projections::evaluated::ChangeKind;
use tidemark_projections::outputs::{Happening, HappeningKind, timeline};
use tidemark_schemas::{CustomerId, EventId, Instant};
use utoipa::ToSchema;

use self::sort_key::SortKey;
use super::current::{self, Found};
use crate::auth::Caller;
use crate::cursor::Question;
use crate::database::Snapshot;
use crate::http::{Problem, QueryParams, RequestId};
use crate::openapi::NotFound;
use crate::query::{Query, ReadMode, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::page;
use crate::routes::path::CustomerPath;
use crate::routes::personal;

mod changes;
mod sort_key;

/// Timeline of a customer
///
/// The customer's events and the changes that followed from them, newest first. Orders, refunds,
/// entered stages, offers and answers are listed one by one; subscriptions, tickets and consents
/// with their latest state; activities, messages and touches by day. Changes (segments entered and
/// left, stages, bands) name their cause. The timeline contains no attributes, and for viewers no
/// changes of segments, journeys and triggers that are derived from personal attributes; a read of
/// such changes by another role is recorded in the audit log.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/timeline",
    operation_id = "get_timeline",
    tag = "customers",
    params(CustomerPath, TimelineParams),
    responses(
        (status = 200, description = "A page of the timeline.", body = Timeline),
        NotFound,
    ),
)]
pub(crate) async fn page(
    State(reader): State<Reader>,
    CustomerPath { id }: CustomerPath,
    QueryParams(params): QueryParams<TimelineParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let question = Question::new(&[
        Some("timeline"),
        Some(context.caller.tenant.as_str()),
        Some(id.as_str()),
        params.kind.as_deref(),
    ]);
    let last = page::last(&question, params.cursor.as_deref())?;
    let after = match last {
        None => SortKey::MAX,
        Some(text) => SortKey::parse(&text).ok_or_else(page::malformed_cursor)?,
    };
    let query = TimelineQuery {
        id,
        kinds: Kinds::parse(params.kind.as_deref())?,
        question,
        limit: page::limit(params.limit)?,
        after,
        request_id: context.request_id.clone(),
    };
    reader.respond(&context, &query).await
}

/// The page, and the kinds of items on it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimelineParams {
    /// The kinds of items to return, separated by commas. All kinds by default.
    #[param(example = "order,segment")]
    kind: Option<String>,
    /// The number of items per page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next` of the previous page. A cursor is valid for the customer and the kinds it was
    /// returned for.
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    customer_id: CustomerId,
    /// The items, newest first. At the same instant a change precedes the event that caused it.
    items: Vec<TimelineItem>,
    /// The `cursor` of the next page, to be sent with the same `kind`; null on the last page.
    #[schema(required)]
    next: Option<String>,
    /// Whether changes derived from personal attributes are shown, which is recorded.
    #[serde(skip)]
    is_audited: bool,
}

/// An event, the events of one kind on one day, or a change of the customer's segments, stages or
/// scores.
#[derive(Debug, Serialize, ToSchema)]
struct TimelineItem {
    /// The time at which the event occurred or the change took effect; the start of the day for
    /// kinds that are aggregated by day.
    at: Instant,
    /// The kind of the item. Events: `order`, `refund`, `stage_entered`, `subscription`, `ticket`,
    /// `offer`, `answer` and `consent`, and by day `activity`, `message` and `touch`. Changes: the
    /// output that changed, such as `segment`, `stage` or `band`.
    kind: &'static str,
    /// The subject of the item: the id of an order, subscription, ticket or offer, a journey, a
    /// purpose, an activity, a channel (or `closed`), a campaign, or a segment.
    name: Arc<str>,
    /// The id of the event, or of the event that caused the change; null for kinds that are
    /// aggregated by day, and for changes caused by time or by new definitions.
    #[schema(required, value_type = Option<String>)]
    event_id: Option<EventId>,
    /// The day in the tenant's time zone; null unless the kind is aggregated by day.
    #[schema(required)]
    day: Option<Date>,
    /// The data of the event, by kind; null for a change.
    #[schema(required, value_type = Option<Object>)]
    details: Option<Map<String, Value>>,
    /// The change; null for an event.
    #[schema(required)]
    concluded: Option<Change>,
}

/// A change of a discrete output, with its cause.
#[derive(Debug, Serialize, ToSchema)]
struct Change {
    /// The value before: the segment left, the previous stage or band; null if there was none.
    #[schema(required)]
    from: Option<String>,
    /// The value after: the segment entered, the new stage or band; null if there is none.
    #[schema(required)]
    to: Option<String>,
    /// The cause of the change: `event`, `timer` (the passing of time alone), `definition` or
    /// `evaluation` (a version of Tidemark that evaluates otherwise).
    cause: String,
    /// The version of the definitions in force at the change.
    definitions: i64,
}

/// Reads one page of a customer's timeline.
#[derive(Debug)]
struct TimelineQuery {
    id: CustomerId,
    kinds: Kinds,
    question: Question,
    limit: u32,
    /// The sort key the page begins after.
    after: SortKey,
    request_id: RequestId,
}

/// The kinds of items on a page.
#[derive(Debug)]
struct Kinds {
    events: Vec<HappeningKind>,
    /// The names of kinds of changes.
    changes: Vec<&'static str>,
}

impl Kinds {
    fn parse(names: Option<&str>) -> Result<Self, Problem> {
        let mut kinds = Self {
            events: HappeningKind::ALL.to_vec(),
            changes: ChangeKind::ALL.iter().map(|kind| kind.name()).collect(),
        };
        let Some(names) = names else {
            return Ok(kinds);
        };
        let names: Vec<&str> = names.split(',').collect();
        let known = kinds.events.iter().map(|kind| kind.name());
        let known: Vec<&str> = known.chain(kinds.changes.iter().copied()).collect();
        if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
            let known = known.join(", ");
            let detail = format!("there is no kind {unknown:?} (there are: {known})");
            return Err(Problem::unprocessable("kind", detail));
        }
        kinds.events.retain(|kind| names.contains(&kind.name()));
        kinds.changes.retain(|name| names.contains(name));
        Ok(kinds)
    }
}

impl Query for TimelineQuery {
    type Answer = Timeline;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::on_customer(&self.id))
    }

    fn is_audited(timeline: &Timeline) -> bool {
        timeline.is_audited
    }

    fn access(&self, caller: &Caller) -> ReadMode {
        personal::access(caller)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Timeline, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let rows = usize::try_from(self.limit)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let personal = found.personal_outputs(snapshot);
        let mut items = changes::read(self, &personal, snapshot, rows).await?;
        let customer = found.customer(&self.id)?;
        let wanted = |kind| self.kinds.events.contains(&kind);
        let events = timeline(customer.state(), &found.definitions, wanted).into_iter();
        let events =
            events.map(|event| (SortKey::from_event(&event), TimelineItem::from_event(event)));
        items.extend(events.filter(|(key, _)| *key < self.after));
        items.sort_by(|(left, _), (right, _)| right.cmp(left));
        let next = (items.len() >= rows).then(|| {
            items.truncate(rows - 1);
            items.last().map(|(key, _)| key.cursor(&self.question))
        });
        let is_personal = |(_, item): &(SortKey, TimelineItem)| match item.kind {
            "segment" => personal.has_segment(&item.name),
            "stage" => personal.has_journey(&item.name),
            "trigger" => personal.has_trigger(&item.name),
            _ => false,
        };
        let is_audited = items.iter().any(is_personal);
        if is_audited {
            current::record(&self.id, &self.request_id, snapshot).await?;
        }
        Ok(Timeline {
            is_audited,
            customer_id: self.id.clone(),
            items: items.into_iter().map(|(_, item)| item).collect(),
            next: next.flatten(),
        })
    }
}

impl TimelineItem {
    fn from_event(event: Happening) -> Self {
        Self {
            at: event.at,
            kind: event.kind.name(),
            name: event.name,
            event_id: event.event_id,
            day: event.day,
            details: Some(event.details),
            concluded: None,
        }
    }
}
