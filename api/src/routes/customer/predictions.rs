//! `GET /v1/customers/{id}/predictions`: what is to come of one customer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::models::RfmCell;
use tidemark_projections::outputs::{
    ConversionOutput, Percentile, RenewalOutput, Scored, ValueOutput, predict,
};
use tidemark_schemas::{Currency, CustomerId, Instant};
use utoipa::ToSchema;

use super::current::Found;
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{Named, NothingAsked, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;

/// What is to come of one customer.
#[derive(Debug)]
struct OfOne {
    id: CustomerId,
}

/// Each with the model it comes from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerPredictions {
    customer_id: CustomerId,
    /// What the customer will buy; null of who never bought.
    #[schema(required)]
    value: Option<Scored<ValueOutput>>,
    /// How that of a year compares to all customers. Null of who never bought, and until it is trained.
    #[schema(required)]
    percentile: Option<Scored<Percentile>>,
    /// Null of who never bought, and until it is trained.
    #[schema(required)]
    rfm: Option<Scored<RfmCell>>,
    /// Null of who never bought, and until it is trained.
    #[schema(required)]
    cluster: Option<Scored<ClusterPlace>>,
    /// Whether a subscriber cancels at the next renewal; null of who does not subscribe, and until it
    /// is trained. Churn of who buys without a contract is part of the customer itself.
    #[schema(required)]
    renewal: Option<Scored<RenewalOutput>>,
    /// Where the customer will go, by journey: without those it is not in, or that are not trained.
    conversion: BTreeMap<Arc<str>, Scored<Vec<ConversionOutput>>>,
    /// Of the amounts.
    currency: Currency,
    /// The instant everything here is true at.
    as_of: Instant,
    /// Version of the tenant's definitions it was derived with.
    definitions: i64,
}

/// In which cluster a customer is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClusterPlace {
    /// From 1, best customers first.
    cluster: usize,
    /// 0 halfway to the second nearest cluster, 1 at the centre of its own.
    confidence: f64,
    /// In the picture: along the two directions in which customers differ most.
    coordinates: [f64; 2],
}

/// What is to come of one customer
///
/// Derived from the customer's state at the clock of its partition (`as_of`). Each score names its
/// model, and says whether that ships with the product or was trained on the tenant's own customers.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/predictions",
    operation_id = "predict_customer",
    tag = "predictions",
    params(("id" = CustomerId, Path, description = "The customer's id, percent-encoded.")),
    responses(
        (status = 200, description = "What the models say.", body = CustomerPredictions),
        NotFound,
    ),
)]
pub(crate) async fn predictions(
    State(service): State<Service>,
    Named(id): Named,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let id = CustomerId::new(&id)
        .map_err(|error| Problem::unprocessable("id", format!("the customer id {error}")))?;
    service.answer(&asking, &OfOne { id }).await
}

impl Query for OfOne {
    type Answer = CustomerPredictions;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::on(&self.id))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<CustomerPredictions, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let definitions = &found.definitions;
        let current = found.current(&self.id)?;
        let said = predict(&current.state, definitions, current.as_of);
        Ok(CustomerPredictions {
            customer_id: self.id.clone(),
            value: said.value,
            percentile: said.percentile,
            rfm: said.rfm,
            cluster: said.cluster.map(|found| Scored {
                model: found.model,
                shipped: found.shipped,
                score: ClusterPlace {
                    cluster: found.score.cluster + 1,
                    confidence: found.score.confidence,
                    coordinates: found.score.coordinates,
                },
            }),
            renewal: said.renewal,
            conversion: said.conversion,
            currency: definitions.currency,
            as_of: current.as_of,
            definitions: definitions.version,
        })
    }
}
