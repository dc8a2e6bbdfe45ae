//! `GET /v1/customers/{id}/predictions`: the scores of one customer.

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

use super::current::{self, Found};
use crate::auth::Caller;
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams, RequestId};
use crate::openapi::NotFound;
use crate::query::{Query, ReadMode, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::path::CustomerPath;
use crate::routes::personal;

/// Predictions for a customer
///
/// The scores of the customer, derived at the clock of its partition (`as_of`). Each score names
/// its model, and whether the model's parameters are shipped defaults or trained on the tenant's
/// own customers. Journeys that are derived from personal attributes are omitted for viewers; a
/// read of them by another role is recorded in the audit log.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}/predictions",
    operation_id = "predict_customer",
    tag = "predictions",
    params(CustomerPath),
    responses(
        (status = 200, description = "The scores of the customer.", body = CustomerPredictions),
        NotFound,
    ),
)]
pub(crate) async fn predictions(
    State(reader): State<Reader>,
    CustomerPath { id }: CustomerPath,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let request_id = context.request_id.clone();
    reader
        .respond(&context, &PredictionsQuery { id, request_id })
        .await
}

/// The scores of a customer, each with its model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerPredictions {
    customer_id: CustomerId,
    /// The expected purchases and their value; null if the customer has never bought.
    #[schema(required)]
    value: Option<Scored<ValueOutput>>,
    /// The percentile of the customer's value over a year; null if the customer has never bought or
    /// no value model is trained.
    #[schema(required)]
    percentile: Option<Scored<Percentile>>,
    /// The RFM cell; null if the customer has never bought or no RFM model is trained.
    #[schema(required)]
    rfm: Option<Scored<RfmCell>>,
    /// The cluster; null if the customer has never bought or no clusters are trained.
    #[schema(required)]
    cluster: Option<Scored<ClusterAssignment>>,
    /// The risk of cancellation at the next renewal; null if the customer has no subscription or no
    /// renewal model is trained. The churn risk of purchases without a contract is part of the
    /// customer.
    #[schema(required)]
    renewal: Option<Scored<RenewalOutput>>,
    /// The probabilities of the next stages, by journey. Journeys that the customer has not
    /// entered, or that have no trained model, are absent.
    conversion: BTreeMap<Arc<str>, Scored<Vec<ConversionOutput>>>,
    /// The currency of all amounts.
    currency: Currency,
    /// The instant the answer describes: the clock of the customer's partition.
    as_of: Instant,
    /// The version of the tenant's definitions the answer is derived with.
    definitions: i64,
    /// Whether probabilities derived from personal attributes are shown, which is recorded.
    #[serde(skip)]
    is_audited: bool,
}

/// The cluster of a customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClusterAssignment {
    /// The number of the cluster, from 1 (the best customers).
    cluster: usize,
    /// The confidence of the assignment: 0 halfway to the second nearest cluster, 1 at the centre.
    confidence: f64,
    /// The coordinates on the two principal components, for a chart.
    coordinates: [f64; 2],
}

/// Reads the predictions of one customer.
#[derive(Debug)]
struct PredictionsQuery {
    id: CustomerId,
    request_id: RequestId,
}

impl Query for PredictionsQuery {
    type Answer = CustomerPredictions;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::on_customer(&self.id))
    }

    fn is_audited(predictions: &CustomerPredictions) -> bool {
        predictions.is_audited
    }

    fn access(&self, caller: &Caller) -> ReadMode {
        personal::access(caller)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<CustomerPredictions, Problem> {
        let found = Found::read(&self.id, snapshot).await?;
        let definitions = &found.definitions;
        let current = found.current(&self.id)?;
        let mut said = predict(current.customer.state(), definitions, current.as_of);
        let is_audited = found
            .personal_outputs(snapshot)
            .retain_journeys(&mut said.conversion);
        if is_audited {
            current::record(&self.id, &self.request_id, snapshot).await?;
        }
        Ok(CustomerPredictions {
            customer_id: self.id.clone(),
            value: said.value,
            percentile: said.percentile,
            rfm: said.rfm,
            cluster: said.cluster.map(|found| Scored {
                model: found.model,
                shipped: found.shipped,
                score: ClusterAssignment {
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
            is_audited,
        })
    }
}
