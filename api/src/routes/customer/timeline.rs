//! `GET /v1/customers/{id}/timeline`: what happened to a customer, and what was concluded from it.

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
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::cursor::Question;
use crate::database::{Query, Snapshot};
use crate::extract::{Named, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;
use crate::routes::page;

mod changes;
mod place;

/// Which page of a timeline, and of what.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimelineAsked {
    /// Only these kinds, separated by commas; every one unless it is given.
    #[param(example = "order,segment")]
    kind: Option<String>,
    /// Items on a page: 50 unless said otherwise, 500 at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before. It holds for the customer and the kinds it was given for.
    cursor: Option<String>,
}

/// One page of a customer's timeline.
#[derive(Debug)]
struct TimelinePage {
    id: CustomerId,
    kinds: Kinds,
    question: Question,
    limit: u32,
    /// It begins after this place.
    after: Place,
}

/// What is asked for.
#[derive(Debug)]
struct Kinds {
    happened: Vec<HappeningKind>,
    /// By name.
    concluded: Vec<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    customer_id: CustomerId,
    /// Newest first; of one instant what was concluded before what happened.
    items: Vec<Item>,
    /// Send it as `cursor`, with the same kinds, for the page after; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// One thing that happened, the things of one kind of one day, or what was concluded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelineItem)]
struct Item {
    /// When it occurred or took effect; of what is kept by day, when the day began.
    at: Instant,
    /// What happened: `order`, `refund`, `stage_entered`, `subscription`, `ticket`, `offer`,
    /// `answer`, `consent`, and by day `activity`, `message` and `touch`. What was concluded: what
    /// changed, such as `segment`, `stage` and `band`.
    kind: &'static str,
    /// What it is about: the id of the order, subscription, ticket or offer, the journey, the
    /// purpose, the activity, the channel (or `closed`), the campaign, the segment.
    name: Arc<str>,
    /// The event that said so or was the cause; null of what is kept by day, and of what time or
    /// definitions changed.
    #[schema(required, value_type = Option<String>)]
    event_id: Option<EventId>,
    /// In the tenant's zone; null unless it is kept by day.
    #[schema(required)]
    day: Option<Date>,
    /// What is known of it, by its kind; null of what was concluded.
    #[schema(required, value_type = Option<Object>)]
    details: Option<Map<String, Value>>,
    /// What was concluded; null of what happened.
    #[schema(required)]
    concluded: Option<Conclusion>,
}

/// What Tidemark concluded, and from what.
#[derive(Debug, Serialize, ToSchema)]
struct Conclusion {
    /// Before: the segment left, the stage, the band; null where there was none.
    #[schema(required)]
    from: Option<String>,
    /// After: the segment entered, the stage, the band; null where there is none.
    #[schema(required)]
    to: Option<String>,
    /// `event`, `timer` (time alone) or `definition`.
    cause: String,
    /// Version of the definitions in force.
    definitions: i64,
}

/// What happened to a customer, newest first, and what was concluded from it
///
/// What happened is told as the customer's state keeps it: orders, refunds, entered stages, offers
/// and answers one by one, of subscriptions, tickets and consents what was last said, activities,
/// messages and touches by day. What was concluded (segments entered and left, stages, bands) comes
/// with its cause. No attribute is in it.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/timeline",
    operation_id = "get_timeline",
    tag = "customers",
    params(
        ("id" = CustomerId, Path, description = "The customer's id, percent-encoded."),
        TimelineAsked,
    ),
    responses(
        (status = 200, description = "A page of the timeline.", body = Timeline),
        NotFound,
    ),
)]
pub(crate) async fn page(
    State(service): State<Service>,
    Named(id): Named,
    Parameters(asked): Parameters<TimelineAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let id = CustomerId::new(&id)
        .map_err(|error| Problem::unprocessable("id", format!("the customer id {error}")))?;
    let question = Question::new(&[
        Some("timeline"),
        Some(asking.caller.tenant.as_str()),
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
    service.answer(&asking, &page).await
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

    fn depends(&self) -> Option<Depends> {
        Some(Depends::on(&self.id))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Timeline, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let rows = usize::try_from(self.limit)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let mut items = changes::read(self, snapshot, rows).await?;
        let state = found.state(&self.id)?;
        let wanted = |kind| self.kinds.happened.contains(&kind);
        let happenings = timeline(&state, &found.definitions, wanted).into_iter();
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
