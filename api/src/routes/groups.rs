//! `GET /v1/rfm` and `GET /v1/clusters`: the sizes of RFM cells and clusters.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::invalidation::Kind;
use tidemark_projections::models::RfmCell;
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

const MOVED_BY: [Kind; 3] = [Kind::Scores, Kind::Population, Kind::Evaluation];

/// All RFM cells.
#[derive(Debug)]
struct AllCells;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RfmGrid {
    /// The cut points of the model; null until an RFM model is trained, and `cells` is then empty.
    #[schema(required)]
    model: Option<Cuts>,
    /// The 125 cells, from 1-1-1 to 5-5-5; empty if no model is trained.
    cells: Vec<CellSize>,
    /// The number of customers in no cell, because they have never bought.
    not_scored: i64,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

/// The upper bounds of the first four quintiles of each dimension.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RfmCuts)]
struct Cuts {
    /// The name of the model, as scores name it.
    name: String,
    /// The last day of the training data, in the tenant's time zone.
    #[schema(format = Date)]
    as_of: String,
    /// The number of days since the last purchase. The quintile with the fewest days has the score
    /// 5.
    recency_days: [i64; 4],
    /// The number of days with a purchase.
    frequency: [u32; 4],
    /// The amount spent less refunds, in minor units of the tenant's currency.
    monetary_minor: [i64; 4],
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RfmCellSize)]
struct CellSize {
    /// The recency score, from 1 to 5 (most recent).
    recency: u8,
    /// The frequency score, from 1 to 5 (most frequent).
    frequency: u8,
    /// The monetary score, from 1 to 5 (highest spending).
    monetary: u8,
    /// The number of customers in the cell.
    customers: i64,
}

/// Returns the number of customers in each RFM cell
///
/// Cells combine quintiles of recency, frequency and monetary value; 5 is the best. Sizes are as of
/// each customer's last evaluation. A customer's cell changes with its purchases and at midnight in
/// the tenant's time zone.
#[utoipa::path(
    get,
    path = "/v1/rfm",
    operation_id = "get_rfm",
    tag = "predictions",
    responses((status = 200, description = "The cells and the cut points.", body = RfmGrid)),
)]
pub(crate) async fn rfm(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &AllCells).await
}

impl Query for AllCells {
    type Answer = RfmGrid;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&MOVED_BY))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<RfmGrid, Problem> {
        let definitions = snapshot.definitions().await?;
        let customers = counts::totals(snapshot).await?.customers;
        let trained = definitions.as_ref().and_then(|of| of.models.rfm.as_ref());
        let Some((definitions, trained)) = definitions.as_ref().zip(trained) else {
            return Ok(RfmGrid {
                model: None,
                cells: Vec::new(),
                not_scored: customers,
                evaluation: None,
            });
        };
        let sizes = counts::of_kind(snapshot, "rfm").await?;
        let cells = cells().map(|cell| CellSize {
            recency: cell.recency,
            frequency: cell.frequency,
            monetary: cell.monetary,
            customers: sizes.get(&cell.name()).copied().unwrap_or(0),
        });
        let cells: Vec<CellSize> = cells.collect();
        let scored: i64 = cells.iter().map(|of| of.customers).sum();
        Ok(RfmGrid {
            model: Some(Cuts {
                name: format!("rfm/trained-{}", trained.as_of),
                as_of: trained.as_of.to_string(),
                recency_days: trained.model.recency_days,
                frequency: trained.model.frequency,
                monetary_minor: trained.model.monetary_minor,
            }),
            cells,
            not_scored: customers - scored,
            evaluation: counts::evaluation(snapshot, definitions.version).await?,
        })
    }
}

fn cells() -> impl Iterator<Item = RfmCell> {
    let fifths = 1..=5_u8;
    fifths.clone().flat_map(move |recency| {
        let monetary = fifths.clone();
        fifths.clone().flat_map(move |frequency| {
            monetary.clone().map(move |monetary| RfmCell {
                recency,
                frequency,
                monetary,
            })
        })
    })
}

/// All clusters.
#[derive(Debug)]
struct AllClusters;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Clusters {
    /// The model of the clusters; null until clusters are trained.
    #[schema(required)]
    model: Option<ClusteredBy>,
    /// The clusters, best customers first.
    items: Vec<Group>,
    /// The number of customers in no cluster, because they have never bought.
    not_scored: i64,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ClusteredBy {
    /// The name of the model, as scores name it.
    name: String,
    /// The last day of the training data, in the tenant's time zone.
    #[schema(format = Date)]
    as_of: String,
    /// The silhouette coefficient, from -1 to 1: the separation of the clusters.
    silhouette: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
struct Group {
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

/// Lists clusters of similar customers
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
    reader.respond(&context, &AllClusters).await
}

impl Query for AllClusters {
    type Answer = Clusters;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&MOVED_BY))
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
        let counted = counts::of_kind(snapshot, "cluster").await?;
        let scored: i64 = counted.values().sum();
        let centres = trained.model.centres();
        let items = centres.into_iter().zip(&trained.model.sizes).zip(1..);
        let items = items.map(|((centre, trained_on), cluster)| Group {
            cluster,
            customers: counted.get(&cluster.to_string()).copied().unwrap_or(0),
            trained_on: *trained_on,
            recency_days: centre.recency_days,
            frequency: centre.frequency,
            monetary_minor: centre.monetary_minor,
            coordinates: centre.coordinates,
        });
        Ok(Clusters {
            model: Some(ClusteredBy {
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
