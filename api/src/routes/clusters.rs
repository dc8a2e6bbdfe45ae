//! `GET /v1/clusters`: the sizes and the centres of the clusters.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::invalidation::AggregateKind;
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// Clusters of similar customers
///
/// Clusters are found by k-means on recency, frequency and monetary value. Sizes are as of each
/// customer's last evaluation.
#[utoipa::path(
    get,
    path = "/v1/clusters",
    operation_id = "list_clusters",
    tag = "predictions",
    responses((status = 200, description = "The clusters.", body = Clusters)),
)]
pub(crate) async fn clusters(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &ClustersQuery).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Clusters {
    /// The model of the clusters; null until clusters are trained.
    #[schema(required)]
    model: Option<ClusterModel>,
    /// The clusters, best customers first.
    items: Vec<ClusterSize>,
    /// The number of customers in no cluster, because they have never bought.
    not_scored: i64,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ClusterModel {
    /// The name of the model, as scores name it.
    name: String,
    /// The last day of the training data, in the tenant's time zone.
    #[schema(format = Date)]
    as_of: String,
    /// The silhouette coefficient, from -1 to 1: the separation of the clusters.
    silhouette: f64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ClusterSize {
    /// The number of the cluster, from 1, as used in conditions and changes.
    cluster: usize,
    /// The number of customers in the cluster.
    customers: i64,
    /// The number of customers in the cluster at the last training.
    trained_on: u64,
    /// The number of days since the last purchase, at the centre.
    recency_days: f64,
    /// The number of days with a purchase, at the centre.
    frequency: f64,
    /// The amount spent less refunds, at the centre, in minor units of the tenant's currency.
    monetary_minor: f64,
    /// The coordinates of the centre on the two principal components, for a chart.
    coordinates: [f64; 2],
}

/// Reads the sizes of all clusters.
#[derive(Debug)]
struct ClustersQuery;

impl Query for ClustersQuery {
    type Answer = Clusters;

    fn dependency(&self) -> Option<Dependency> {
        const KINDS: [AggregateKind; 3] = [
            AggregateKind::Scores,
            AggregateKind::Population,
            AggregateKind::Evaluation,
        ];
        Some(Dependency::Kinds(&KINDS))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Clusters, Problem> {
        let definitions = snapshot.definitions().await?;
        let customers = counts::totals(snapshot).await?.customers;
        let models = definitions.as_ref().map(|of| &of.models);
        let trained = models.and_then(|of| of.clusters.as_ref());
        let Some((definitions, trained)) = definitions.as_ref().zip(trained) else {
            return Ok(Clusters {
                model: None,
                items: Vec::new(),
                not_scored: customers,
                evaluation: None,
            });
        };
        let counted = counts::by_kind(snapshot, CounterKind::Cluster).await?;
        let scored: i64 = counted.values().sum();
        let centres = trained.model.centres();
        let items = centres.into_iter().zip(&trained.model.sizes).zip(1..);
        let items = items.map(|((centre, trained_on), cluster)| ClusterSize {
            cluster,
            customers: counted.get(&cluster.to_string()).copied().unwrap_or(0),
            trained_on: *trained_on,
            recency_days: centre.recency_days,
            frequency: centre.frequency,
            monetary_minor: centre.monetary_minor,
            coordinates: centre.coordinates,
        });
        Ok(Clusters {
            model: Some(ClusterModel {
                name: format!("clusters/trained-{}", trained.as_of),
                as_of: trained.as_of.to_string(),
                silhouette: trained.model.silhouette,
            }),
            items: items.collect(),
            not_scored: customers - scored,
            evaluation: counts::evaluation(snapshot, definitions.version).await?,
        })
    }
}
