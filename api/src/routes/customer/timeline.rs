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

use self::place::Place;
use super::current::Found;
use crate::cursor::Question;
use crate::database::Snapshot;
use crate::http::{Path, Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::page;

mod changes;
mod place;

/// The page, and the kinds of items on it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimelineParams {
    /// The kinds of items to return, separated by commas. All kinds by default.
    #[param(example = "order,segment")]
    kind: Option<String>,
    /// The number of items per page, from 1 to 500. 50 by default.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next` of the previous page. A cursor is valid for the customer and the kinds it was
    /// returned for.
    cursor: Option<String>,
}

/// One page of a customer's timeline.
#[derive(Debug)]
struct TimelinePage {
    id: CustomerId,
    kinds: Kinds,
    question: Question,
    limit: u32,
    /// The position the page begins after.
    after: Place,
}

/// The kinds of items on a page.
#[derive(Debug)]
struct Kinds {
    happened: Vec<HappeningKind>,
    /// The names of kinds of changes.
    concluded: Vec<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    customer_id: CustomerId,
    /// The items, newest first. At the same instant a change precedes the event that caused it.
    items: Vec<Item>,
    /// The `cursor` of the next page, to be sent with the same `kind`; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// An event, the events of one kind on one day, or a change of the customer's segments, stages or
/// scores.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelineItem)]
struct Item {
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
    concluded: Option<Conclusion>,
}

/// A change of a discrete output, with its cause.
#[derive(Debug, Serialize, ToSchema)]
struct Conclusion {
    /// The value before: the segment left, the previous stage or band; null if there was none.
    #[schema(required)]
    from: Option<String>,
    /// The value after: the segment entered, the new stage or band; null if there is none.
    #[schema(required)]
    to: Option<String>,
    /// The cause of the change: `event`, `timer` (the passing of time alone) or `definition`.
    cause: String,
    /// The version of the definitions in force at the change.
    definitions: i64,
}

/// Lists a customer's timeline
///
/// Returns the customer's events and the changes that followed from them, newest first. Orders,
/// refunds, entered stages, offers and answers are listed one by one; subscriptions, tickets and
/// consents with their latest state; activities, messages and touches by day. Changes (segments
/// entered and left, stages, bands) name their cause. The timeline contains no attributes.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/timeline",
    operation_id = "get_timeline",
    tag = "customers",
    params(
        ("id" = CustomerId, Path, description = "The id of the customer, percent-encoded."),
        TimelineParams,
    ),
    responses(
        (status = 200, description = "A page of the timeline.", body = Timeline),
        NotFound,
    ),
)]
pub(crate) async fn page(
    State(reader): State<Reader>,
    Path(id): Path,
    QueryParams(asked): QueryParams<TimelineParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let id = CustomerId::new(&id)
        .map_err(|error| Problem::unprocessable("id", format!("the customer id {error}")))?;
    let question = Question::new(&[
        Some("timeline"),
        Some(context.caller.tenant.as_str()),
        Some(id.as_str()),
        asked.kind.as_deref(),
    ]);
    let last = page::last(&question, asked.cursor.as_deref())?;
    let after = match last {
        None => Place::LAST,
        Some(text) => Place::read(&text).ok_or_else(page::malformed_cursor)?,
    };
    let page = TimelinePage {
        id,
        kinds: Kinds::read(asked.kind.as_deref())?,
        question,
        limit: page::limit(asked.limit)?,
        after,
    };
    reader.respond(&context, &page).await
}

impl Kinds {
    fn read(asked: Option<&str>) -> Result<Self, Problem> {
        let mut kinds = Self {
            happened: HappeningKind::ALL.to_vec(),
            concluded: ChangeKind::ALL.iter().map(|kind| kind.name()).collect(),
        };
        let Some(asked) = asked else {
            return Ok(kinds);
        };
        let asked: Vec<&str> = asked.split(',').collect();
        let known = kinds.happened.iter().map(|kind| kind.name());
        let known: Vec<&str> = known.chain(kinds.concluded.iter().copied()).collect();
        if let Some(unknown) = asked.iter().find(|name| !known.contains(name)) {
            let known = known.join(", ");
            let detail = format!("there is no kind {unknown:?} (there are: {known})");
            return Err(Problem::unprocessable("kind", detail));
        }
        kinds.happened.retain(|kind| asked.contains(&kind.name()));
        kinds.concluded.retain(|name| asked.contains(name));
        Ok(kinds)
    }
}

impl Query for TimelinePage {
    type Answer = Timeline;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::on_customer(&self.id))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Timeline, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let rows = usize::try_from(self.limit)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let mut items = changes::read(self, snapshot, rows).await?;
        let customer = found.customer(&self.id)?;
        let wanted = |kind| self.kinds.happened.contains(&kind);
        let happenings = timeline(customer.state(), &found.definitions, wanted).into_iter();
        let happenings = happenings.map(|happening| (Place::of(&happening), Item::of(happening)));
        items.extend(happenings.filter(|(place, _)| *place < self.after));
        items.sort_by(|(left, _), (right, _)| right.cmp(left));
        let next = (items.len() >= rows).then(|| {
            items.truncate(rows - 1);
            items.last().map(|(place, _)| place.cursor(&self.question))
        });
        Ok(Timeline {
            customer_id: self.id.clone(),
            items: items.into_iter().map(|(_, item)| item).collect(),
            next: next.flatten(),
        })
    }
}

impl Item {
    fn of(happening: Happening) -> Self {
        Self {
            at: happening.at,
            kind: happening.kind.name(),
            name: happening.name,
            event_id: happening.event_id,
            day: happening.day,
            details: Some(happening.details),
            concluded: None,
        }
    }
}
