//! `GET /v1/customers`: the tenant's customers by id.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::models::Band;
use tidemark_schemas::{CustomerId, Instant};
use utoipa::ToSchema;

use super::band;
use super::page::Page;
use super::personal::{self, PersonalOutputs};
use crate::auth::Caller;
use crate::cursor::Question;
use crate::database::{Snapshot, instant};
use crate::http::{Problem, QueryParams, RequestId};
use crate::query::{Query, ReadMode, Reader, RequestContext};
use crate::response_cache::Dependency;

/// Customers, by id
///
/// A customer must match all filters. Segments, stages and bands are as of each customer's last
/// evaluation (`evaluated_at`). A filter that names an undefined segment, journey or stage is
/// answered 422; one that is derived from personal attributes is answered 403 to viewers, and
/// recorded in the audit log for other roles.
#[utoipa::path(
    get,
    path = "/v1/customers",
    operation_id = "list_customers",
    tag = "customers",
    params(CustomersParams),
    responses((status = 200, description = "A page of customers.", body = Customers)),
)]
pub(crate) async fn list(
    State(reader): State<Reader>,
    QueryParams(params): QueryParams<CustomersParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let query = CustomersQuery::new(params, &context)?;
    reader.respond(&context, &query).await
}

/// The filters and the page. A customer must match all filters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomersParams {
    /// The number of customers per page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next` of the previous page. A cursor is valid for the filters it was returned for.
    cursor: Option<String>,
    /// Limits the list to members of this segment.
    segment: Option<String>,
    /// Limits the list to customers in `stage` of this journey. Requires `stage`.
    journey: Option<String>,
    /// Limits the list to customers in this stage of `journey`. Requires `journey`.
    stage: Option<String>,
    /// Limits the list to customers in this churn risk band: `low`, `medium` or `high`.
    #[param(value_type = Option<Band>)]
    band: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Customers {
    /// The customers, by id.
    items: Vec<ListedCustomer>,
    /// The `cursor` of the next page, to be sent with the same filters; null on the last page.
    #[schema(required)]
    next: Option<String>,
    /// Whether a filter is derived from personal attributes, so that the read is recorded.
    #[serde(skip)]
    is_audited: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct ListedCustomer {
    #[schema(value_type = CustomerId)]
    customer_id: String,
    /// The time of the customer's oldest event.
    first_seen_at: Instant,
    /// The time of the customer's newest event.
    last_seen_at: Instant,
    /// The churn risk band; null if churn is not scored.
    #[schema(required)]
    band: Option<Band>,
    /// The time as of which segments, stages and band were evaluated; null for viewers of a tenant with
    /// outputs that are derived from personal attributes, because these decide when that is.
    #[schema(required)]
    evaluated_at: Option<Instant>,
}

/// Reads one page of customers.
#[derive(Debug)]
struct CustomersQuery {
    page: Page,
    segment: Option<String>,
    /// The journey and the stage.
    stage: Option<(String, String)>,
    band: Option<Band>,
    request_id: RequestId,
}

#[derive(Debug, FromRow)]
struct Row {
    customer_id: String,
    first_seen_at: i64,
    last_seen_at: i64,
    band: Option<i16>,
    evaluated_at: i64,
}

impl CustomersQuery {
    fn new(params: CustomersParams, context: &RequestContext) -> Result<Self, Problem> {
        let question = Question::new(&[
            Some("customers"),
            Some(context.caller.tenant.as_str()),
            params.segment.as_deref(),
            params.journey.as_deref(),
            params.stage.as_deref(),
            params.band.as_deref(),
        ]);
        let band = params.band.as_deref().map(band::parse).transpose()?;
        let stage = match (params.journey, params.stage) {
            (Some(journey), Some(stage)) => Some((journey, stage)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Problem::unprocessable(
                    "journey",
                    "journey needs a stage beside it",
                ));
            }
            (None, Some(_)) => {
                return Err(Problem::unprocessable(
                    "stage",
                    "stage needs a journey beside it",
                ));
            }
        };
        let page = Page::new(question, params.limit, params.cursor.as_deref())?;
        Ok(Self {
            page,
            segment: params.segment,
            stage,
            band,
            request_id: context.request_id.clone(),
        })
    }

    /// Refuses a filter that names something undefined. An empty page would say that no customer
    /// matches.
    fn check(
        &self,
        definitions: Option<&TenantDefinitions>,
        personal: &PersonalOutputs,
    ) -> Result<(), Problem> {
        if let Some(segment) = &self.segment {
            personal.require_segment(segment)?;
            let known = definitions.and_then(|known| known.segment(segment));
            if known.is_none() {
                let detail = format!("there is no segment {segment:?}");
                return Err(Problem::unprocessable("segment", detail));
            }
        }
        if let Some((journey, stage)) = &self.stage {
            personal.require_journey(journey)?;
            let known = definitions.and_then(|known| known.journeys.get(journey.as_str()));
            let Some(known) = known else {
                let detail = format!("there is no journey {journey:?}");
                return Err(Problem::unprocessable("journey", detail));
            };
            if known.position(stage).is_none() {
                let detail = format!("journey {journey:?} has no stage {stage:?}");
                return Err(Problem::unprocessable("stage", detail));
            }
        }
        Ok(())
    }

    /// Records a read by filters that are derived from personal attributes; returns whether there is one.
    async fn record(
        &self,
        personal: &PersonalOutputs,
        snapshot: &mut Snapshot<'_>,
    ) -> Result<bool, Problem> {
        let segment = self.segment.as_ref();
        let segment = segment.filter(|name| personal.has_segment(name));
        if let Some(name) = segment {
            personal::record("segment", name, &self.request_id, snapshot).await?;
        }
        let journey = self.stage.as_ref().map(|(journey, _)| journey);
        let journey = journey.filter(|name| personal.has_journey(name));
        if let Some(name) = journey {
            personal::record("journey", name, &self.request_id, snapshot).await?;
        }
        Ok(segment.is_some() || journey.is_some())
    }

    /// Reads the rows of the page. Each statement starts at the index of the narrowest filter and
    /// proceeds by id.
    async fn rows(&self, snapshot: &mut Snapshot<'_>) -> Result<Vec<Row>, Problem> {
        let band = self.band.map(|band| i16::from(band.code()));
        let (segment, stage) = (self.segment.as_deref(), self.stage.as_ref());
        let statement = match (segment, stage, band) {
            (None, None, None) => include_str!("../sql/customers.sql"),
            (None, None, Some(_)) => include_str!("../sql/customers_in_band.sql"),
            (Some(_), None, _) => include_str!("../sql/customers_in_segment.sql"),
            (None, Some(_), _) => include_str!("../sql/customers_in_stage.sql"),
            (Some(_), Some(_), _) => include_str!("../sql/customers_in_segment_and_stage.sql"),
        };
        let mut query = sqlx::query_as::<_, Row>(statement)
            .bind(snapshot.tenant())
            .bind(self.page.after())
            .bind(self.page.rows());
        if band.is_some() || segment.is_some() || stage.is_some() {
            query = query.bind(band);
        }
        if let Some(segment) = segment {
            query = query.bind(segment);
        }
        if let Some((journey, stage)) = stage {
            query = query.bind(journey).bind(stage);
        }
        Ok(query.fetch_all(snapshot.connection()).await?)
    }
}

impl Query for CustomersQuery {
    type Answer = Customers;

    /// Segments and stages change together with the customers' rows.
    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Customers]))
    }

    fn is_audited(customers: &Customers) -> bool {
        customers.is_audited
    }

    fn access(&self, caller: &Caller) -> ReadMode {
        if self.segment.is_some() || self.stage.is_some() {
            personal::access(caller)
        } else {
            ReadMode::Read
        }
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Customers, Problem> {
        let definitions = snapshot.definitions().await?;
        let personal = PersonalOutputs::new(definitions.as_deref(), snapshot.caller());
        self.check(definitions.as_deref(), &personal)?;
        let is_audited = self.record(&personal, snapshot).await?;
        let rows = self.rows(snapshot).await?;
        let (rows, next) = self.page.cut(rows, |row| &row.customer_id);
        let items = rows
            .into_iter()
            .map(|row| ListedCustomer::from_row(row, &personal))
            .collect::<Result<_, _>>()?;
        Ok(Customers {
            items,
            next,
            is_audited,
        })
    }
}

impl ListedCustomer {
    fn from_row(row: Row, personal: &PersonalOutputs) -> Result<Self, Problem> {
        let evaluated_at = instant(row.evaluated_at)?;
        Ok(Self {
            customer_id: row.customer_id,
            first_seen_at: instant(row.first_seen_at)?,
            last_seen_at: instant(row.last_seen_at)?,
            band: row.band.map(band::from_column).transpose()?,
            evaluated_at: (!personal.are_hidden()).then_some(evaluated_at),
        })
    }
}
